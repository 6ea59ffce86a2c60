"""Shut lips in the neutral face of somebody whose photo shows them open: what the fitted expression leaves of the gap is no part
of the person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from models import arkit
from models.heads.base import HeadModel
from models.types import Array

UPPER, LOWER = (191, 80, 81, 82, 13, 312, 311, 310, 415), (95, 88, 178, 87, 14, 317, 402, 318, 324)
"""Landmarks along the inner edges of the lips, from the person's right to the left."""
CORNERS = (78, 308)
"""Landmarks where they meet."""
MOST = 5e-3
"""Largest gap that is closed, metres."""
REACH = 8e-3
"""Metres around the lips' edge, to 1/e, in which the skin follows."""


def shut(model: HeadModel, identity: NDArray[np.floating], offset: Array) -> Array:
    """The static offset (V, 3) metres, with the lips of the neutral face as near to each other as the average head's, which are
    shut; the same where they are shut already. identity: (K,)."""
    person = model.person(identity, offset)
    at, average = person.landmarks(person.rest), person.landmarks(model.template)
    upper, lower, corners = list(UPPER), list(LOWER), list(CORNERS)
    apart = at[upper, 1] - at[lower, 1] - (average[upper, 1] - average[lower, 1])
    if (apart <= 0).all():
        return offset
    across = np.concatenate([[at[corners[0], 0]], 0.5 * (at[upper, 0] + at[lower, 0]), [at[corners[1], 0]]])
    gap = np.interp(person.rest[:, 0], across, np.concatenate([[0.0], np.clip(apart, 0, MOST), [0.0]]))
    edge = np.intersect1d(model.region_vertices("skin"), model.region_vertices("mouth_inside"))
    falls = model.expression_basis[arkit.INDEX["jawOpen"], :, 1]
    below = np.clip(falls / falls[edge].min(), 0, 1)  # 0 for what stays with the upper lip, 1 for what goes with the lower one
    away, _ = cKDTree(model.template[edge]).query(model.template)
    moves = np.zeros(model.vertex_count, bool)
    moves[model.region_vertices("skin", "mouth_inside")] = True
    out = offset.copy()
    out[:, 1] += np.where(moves, gap * (below - 0.5) * np.exp(-np.square(away / REACH)), 0.0)
    return np.asarray(out, np.float32)
