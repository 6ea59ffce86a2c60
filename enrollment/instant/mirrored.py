"""Gaussians lifted from the near half of a turned face, mirrored to the half that the photo hides: as sharp there, with the same
lids, lashes and lips."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from enrollment.instant.far_half import FarHalf
from enrollment.instant.surface import Samples
from models import binding
from models.binding import BoundGaussians, Frames
from models.heads.base import REGION, PersonHead
from models.tracking.parsing import CLASSES
from models.types import Array

BESIDE = (-0.5, 1.5)
"""Least and greatest barycentric coordinate of a Gaussian that stands off its triangle."""

THINNED, SEED = 0.35, 20
"""Part of the Gaussians that are mirrored away from eyes, brows, nostrils and lips, larger by as much; the seed of the lots."""
NOT_HAIR = tuple(name for name in CLASSES if name != "hair")
"""Classes of the parsing that are mirrored: a sideburn's strand, a curl over the temple would be dots on bare skin."""


@dataclass(frozen=True)
class Mirrored:
    """gaussians: on the far half. source: (M,) which of the lifted ones each is like. gains: (M, 3) its light relative to
    that one's."""

    gaussians: BoundGaussians
    source: NDArray[np.int64]
    gains: Array

    @staticmethod
    def of(lifted: BoundGaussians, person: PersonHead, far: FarHalf, hairy: NDArray[np.bool_]) -> Mirrored:
        """The twins of those of `lifted` that lie across from where the far half takes nothing from the photo. hairy: (F,) faces
        whose Gaussians stay alone."""
        model, flip = person.model, np.array([-1.0, 1.0, 1.0], np.float32)
        across = twin_faces(model.faces, far.twin)
        wanted = far.copied() & ~hairy
        there = across[lifted.face]
        chosen = (there >= 0) & wanted[there] & ~hairy[lifted.face] & ~far.wholly()[lifted.face]
        plain = ~far.features()[model.faces].any(axis=1)[lifted.face]
        source = np.flatnonzero(chosen & (~plain | (np.random.default_rng(SEED).random(len(lifted)) < THINNED)))
        face = there[source].astype(np.int32)
        even = (0.5 * (person.rest + person.rest[far.twin] * flip)).astype(np.float32)
        at = binding.frames(even, model.faces)
        world = binding.to_world(lifted.select(source), at)
        turned = world.rotations * np.array([1.0, 1.0, -1.0, -1.0], np.float32)
        gains = far.gains[model.faces[face]].mean(axis=1)
        larger = np.where(plain[source, None], world.scales / np.sqrt(THINNED), world.scales).astype(np.float32)
        colors = np.clip(world.colors * gains, 0, 1)
        copied = replace(world, means=world.means * flip, rotations=turned, scales=larger, colors=colors)
        return Mirrored(binding.bind(copied, face, at), source, gains)

    def kept(self, which: NDArray[np.bool_]) -> Mirrored:
        """Those at a mask (M,)."""
        return Mirrored(self.gaussians.select(which), self.source[which], self.gains[which])

    def alike(self, lifted: BoundGaussians, clad: NDArray[np.bool_], bald: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(M,) which are not a collar on a bare neck, as it may be higher on one side, and no hair. clad: (F,) faces with cloth.
        bald: (N,) which of `lifted` show none."""
        return np.asarray((~clad[lifted.face[self.source]] | clad[self.gaussians.face]) & bald[self.source])

    def colors_like(self, colors: Array) -> Array:
        """(M, 3) their colours, where the lifted ones have `colors` (N, 3) now."""
        return np.clip(colors[self.source] * self.gains, 0, 1).astype(np.float32)


def mixed(lifted: BoundGaussians, at: Frames, far: FarHalf, colors: Array) -> BoundGaussians:
    """Lifted Gaussians whose colours go over to those of their twins where the far half begins. at: the triangles, posed as in
    the photo. colors: (S, S, 3) `Portrait.colors`."""
    model, flat = far.surface.model, far.surface.vertices[far.twin]
    means = binding.to_world(lifted, at).means
    where = Samples(lifted.face, _barycentric(means, flat[model.faces[lifted.face]]), np.zeros(len(lifted), np.float32))
    part = np.clip(far.at(where), 0, 1)
    on = (part > 0) & (model.region[lifted.face] == REGION["skin"])
    out = lifted.colors.copy()
    out[on] += part[on, None] * (far.seen_at(where.select(on), colors) - out[on])
    return replace(lifted, colors=out)


def twin_faces(faces: NDArray[np.int32], twin: NDArray[np.int64]) -> NDArray[np.int64]:
    """(F,) the mirrored triangle of each, -1 where the mesh has none. twin: (V,) mirrored vertices."""
    number = {tuple(corners): i for i, corners in enumerate(np.sort(faces, axis=1).tolist())}
    return np.array([number.get(tuple(corners), -1) for corners in np.sort(twin[faces], axis=1).tolist()], np.int64)


def _barycentric(points: Array, corners: Array) -> Array:
    """(N, 3) of points (N, 3) projected onto triangles (N, 3, 3)."""
    u, v, w = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], points - corners[:, 0]
    uu, uv, vv, wu, wv = (np.sum(a * b, axis=1) for a, b in ((u, u), (u, v), (v, v), (w, u), (w, v)))
    area = np.maximum(uu * vv - uv * uv, 1e-18)
    b, c = np.clip((vv * wu - uv * wv) / area, *BESIDE), np.clip((uu * wv - uv * wu) / area, *BESIDE)
    return np.stack([1 - b - c, b, c], axis=1).astype(np.float32)
