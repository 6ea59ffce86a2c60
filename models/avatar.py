"""An avatar: one person's head and the Gaussians bound to it; and how it takes a pose."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import binding
from models.binding import BoundGaussians
from models.heads.base import HeadModel, PersonHead, Pose, skin, skinning_transforms
from models.types import Array, Gaussians


@dataclass(frozen=True)
class Avatar:
    """What an `.avatar` file holds.

    head: name of the head model ("anny"). identity: (K,) float32. offset: (V, 3) float32 metres, static per-vertex
    offsets of this person (hair volume and what the identity directions cannot say). gaussians: bound to that head's faces.
    provenance: who consented, when, from which photo's hash, made by which version (plain JSON values).
    previews: name -> PNG bytes.
    """

    head: str
    identity: Array
    offset: Array
    gaussians: BoundGaussians
    provenance: dict[str, Any] = field(default_factory=dict)
    previews: dict[str, bytes] = field(default_factory=dict)

    def person(self, model: HeadModel) -> PersonHead:
        """The person's head on the given model, which must be the one named in `head`."""
        return model.person(self.identity, self.offset)


class AvatarPoser:
    """Poses one avatar again and again without allocating: its result is overwritten by the next call."""

    def __init__(self, avatar: Avatar, model: HeadModel) -> None:
        self.avatar = avatar
        self.person = avatar.person(model)
        self.frames = binding.frames(self.person.rest, model.faces)
        self.gaussians = binding.to_world(avatar.gaussians, self.frames)

    def pose(self, coefficients: NDArray[np.floating], pose: Pose | None = None) -> Gaussians:
        """The avatar's Gaussians in the world for 52 ARKit coefficients and a pose (default: head at the origin)."""
        model = self.person.model
        vertices = skin(
            self.person.expressed(coefficients), model.weights, skinning_transforms(self.person.joints, pose or Pose())
        )
        binding.frames(vertices, model.faces, self.frames)
        return binding.to_world(self.avatar.gaussians, self.frames, self.gaussians)
