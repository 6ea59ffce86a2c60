"""What the solver knows of one person's head: landmarks as the tracker sees them, and how the coefficients move them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import arkit
from models.heads.base import PersonHead
from models.types import Array64
from realtime.response import MESH, TrackerResponse, turn_features

MAIN = (
    "jawOpen", "mouthSmileLeft", "mouthSmileRight", "mouthPucker", "browInnerUp", "browDownLeft", "browDownRight",
    "eyeBlinkLeft", "eyeBlinkRight",
)  # fmt: skip
"""What faces do most. Where several coefficients explain a movement about as well, these are preferred."""
SPREAD_MAIN, SPREAD_SIDE = 0.6, 0.25
"""Standard deviations of the coefficients' prior."""
NOT_SOLVED = frozenset({arkit.NAMES[i] for i in arkit.GAZE} | {"tongueOut"})
"""Gaze comes from the irises; the tongue has no landmark."""


@dataclass(frozen=True)
class FaceBasis:
    """One person's landmarks in head space, float64, metres.

    points: (478, 3) at rest. solved: (K,) positions among the 52 of the coefficients that landmarks tell.
    directions: (3, 468, K) their movements as the tracker answers to them; every: (52, 3, 468) those of all coefficients.
    spread: (K,) standard deviation of each coefficient's prior. trust: (468,) in [0, 1].
    gaze_range: (4,) radians at coefficient 1: inwards, outwards, up, down.
    """

    points: Array64
    solved: NDArray[np.int64]
    directions: Array64
    every: Array64
    spread: Array64
    trust: Array64
    gaze_range: Array64
    response: TrackerResponse

    def resting(self, rotation: Array64, offset: Array64) -> Array64:
        """(468, 3) the resting face as the tracker answers to it in this turn; offset: (2, 468) metres, person's own."""
        out = self.points[:MESH].copy()
        out[:, :2] += (offset + np.tensordot(turn_features(rotation), self.response.turns, 1)).T
        return out


def face_basis(person: PersonHead, response: TrackerResponse) -> FaceBasis:
    """Read the landmarks' part out of a person's head."""
    model = person.model
    corners, bary = model.landmark_corners, model.landmark_barycentric.astype(np.float64)
    points = np.einsum("nk,nkc->nc", bary, person.rest[corners])
    every = np.einsum("nk,dnkc->dcn", bary[:MESH], model.expression_basis[:, corners[:MESH]])
    every[:, :2] += response.coefficients
    solved = np.array([i for i, name in enumerate(arkit.NAMES) if name not in NOT_SOLVED])
    spread = np.array([SPREAD_MAIN if arkit.NAMES[i] in MAIN else SPREAD_SIDE for i in solved])
    return FaceBasis(
        points, solved, np.ascontiguousarray(every[solved].transpose(1, 2, 0)), every, spread,
        model.landmark_weight[:MESH].astype(np.float64), model.gaze_range.astype(np.float64), response,
    )  # fmt: skip
