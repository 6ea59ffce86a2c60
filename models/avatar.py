"""An avatar: one person's head and the Gaussians bound to it; and how it takes a pose."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import binding
from models.binding import BoundGaussians
from models.corrections import Corrections, Corrector
from models.heads.base import HeadModel, PersonHead, Pose, skin, skinning_transforms
from models.types import Array, Gaussians


@dataclass(frozen=True)
class Avatar:
    """What an `.avatar` file holds.

    head: name of the head model ("anny"). identity: (K,) float32. offset: (V, 3) float32 metres, static per-vertex
    offsets of this person (hair volume and what the identity directions cannot say). gaussians: bound to that head's faces;
    as they are at rest. provenance: who consented, when, from which photo's hash, made by which version (plain JSON values).
    previews: name -> PNG bytes. corrections: what expressions change about all this, or None. Whoever makes an avatar of
    another's Gaussians by `replace` says what becomes of them; `select` does it for a choice.
    """

    head: str
    identity: Array
    offset: Array
    gaussians: BoundGaussians
    provenance: dict[str, Any] = field(default_factory=dict)
    previews: dict[str, bytes] = field(default_factory=dict)
    corrections: Corrections | None = None

    def person(self, model: HeadModel) -> PersonHead:
        """The person's head on the given model, which must be the one named in `head`.

        Corrections of the vertices are linear in the coefficients, so they become part of the person's own expression basis:
        whoever poses, solves or measures with this head has them.
        """
        if self.corrections is not None and self.corrections.vertices is not None:
            moved = self.corrections.vertices.of_coefficients()
            model = replace(model, expression_basis=model.expression_basis + moved)
        return model.person(self.identity, self.offset)

    def select(self, which: NDArray[np.generic]) -> Avatar:
        """With the Gaussians at a mask (N,) or ascending positions only."""
        kept = None if self.corrections is None else self.corrections.select(which, len(self.gaussians))
        return replace(self, gaussians=self.gaussians.select(which), corrections=kept)


class AvatarPoser:
    """Poses one avatar again and again without allocating: its result, colours and opacities included, is overwritten by the
    next call."""

    def __init__(self, avatar: Avatar, model: HeadModel) -> None:
        self.avatar = avatar
        self.person = avatar.person(model)
        self.frames = binding.frames(self.person.rest, model.faces)
        corrections, self._bound = avatar.corrections, avatar.gaussians
        self._correct: Corrector | None = None
        if corrections is not None and corrections.gaussians is not None:
            self._correct = Corrector(avatar.gaussians, corrections.active, corrections.gaussians)
            self._bound = self._correct.bound
        self.gaussians = binding.to_world(self._bound, self.frames)

    def pose(self, coefficients: NDArray[np.floating], pose: Pose | None = None, expressed: Array | None = None) -> Gaussians:
        """The avatar's Gaussians in the world for 52 ARKit coefficients and a pose (default: head at the origin). expressed:
        `person.expressed(coefficients)`, for whoever has it already."""
        self.pose_frames(coefficients, pose, expressed)
        return self.place(coefficients)

    def place(self, coefficients: NDArray[np.floating]) -> Gaussians:
        """The Gaussians by the triangles' frames as they are now; `coefficients`: those of that pose."""
        if self._correct is not None:
            self._correct(coefficients)
        return binding.to_world(self._bound, self.frames, self.gaussians)

    def pose_frames(self, coefficients: NDArray[np.floating], pose: Pose | None = None, expressed: Array | None = None) -> None:
        """Only the triangles' frames, for whoever places other Gaussians by them. expressed: see `pose`."""
        model = self.person.model
        expressed = self.person.expressed(coefficients) if expressed is None else expressed
        vertices = skin(expressed, model.weights, skinning_transforms(self.person.joints, pose or Pose()))
        binding.frames(vertices, model.faces, self.frames)
