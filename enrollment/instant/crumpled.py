"""Triangles that the photo's pose crumples, in the fold of a neck that is turned: what is bound to them there would be enlarged
with them at rest, to a hook under the chin or a dark streak beside the neck."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.binding import BoundGaussians, Frames

MOST_GROWTH = 1.35
"""Size of a triangle at rest relative to that in the photo up to which Gaussians grow with it."""


def unfolded(gaussians: BoundGaussians, at: Frames, rest: Frames) -> BoundGaussians:
    """The Gaussians, those of crumpled triangles no larger at rest than they were made, and no further from their triangle. at:
    the triangles as they are where the Gaussians were bound. rest: at rest."""
    part = np.minimum(1.0, MOST_GROWTH * at.scale / np.maximum(rest.scale, 1e-9))[gaussians.face, None].astype(np.float32)
    return replace(gaussians, means=gaussians.means * part, scales=gaussians.scales * part)
