"""The linear model of one person's landmarks that the solver uses: at rest, and their change with the coefficients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models import arkit
from models.heads.base import PersonHead
from models.tracking.tracker_bias import TrackerBias, turn_features
from models.types import Array64

MAIN = (
    "jawOpen", "mouthSmileLeft", "mouthSmileRight", "mouthPucker", "browInnerUp", "browDownLeft", "browDownRight",
    "eyeBlinkLeft", "eyeBlinkRight",
)  # fmt: skip
"""The most frequent expressions: preferred where several coefficients explain a movement about equally well."""
SPREAD_MAIN, SPREAD_SIDE = 0.6, 0.25
"""Standard deviations of the coefficients' prior."""
SPARSITY = 1.0
"""Slope of the prior at 0, in standard deviations; gaze has none."""
LOOKS = (
    ("eyeLookOutLeft", "eyeLookInRight"), ("eyeLookInLeft", "eyeLookOutRight"), ("eyeLookUpLeft", "eyeLookUpRight"),
    ("eyeLookDownLeft", "eyeLookDownRight"),
)  # fmt: skip
"""Coefficients of both eyes that belong to one gaze direction: to the person's left, right, up, down."""
ALONE = tuple(n for i, n in enumerate(arkit.NAMES) if i not in arkit.GAZE and n != "tongueOut")
"""Solved one by one; the tongue has no landmark."""


@dataclass(frozen=True)
class FaceBasis:
    """One person's landmarks in head space, float64, metres; N landmarks (`bias.landmarks`), K unknown
    coefficients.

    points: (N, 3) at rest. expression: (52, 3, N) change of the tracked landmarks with each coefficient; directions: (K, 3, N)
    with each unknown. unknowns: (K, 52) coefficients of each unknown: the four `LOOKS` of both eyes, then `ALONE`.
    spread: (K,) standard deviation of the unknowns' prior, prior_slope: (K,) its slope at 0. trust: (N,) in [0, 1].
    gaze_range: (4,) radians at coefficient 1: inwards, outwards, up, down.
    """

    points: Array64
    expression: Array64
    directions: Array64
    unknowns: Array64
    spread: Array64
    prior_slope: Array64
    trust: Array64
    gaze_range: Array64
    bias: TrackerBias

    def moved(self, coefficients: Array64) -> Array64:
        """(N, 3) metres, displacement of the landmarks by the unknowns (K,)."""
        return np.einsum("k,kcn->nc", coefficients, self.directions)

    def resting(self, rotation: Array64, offset: Array64) -> Array64:
        """(N, 3) landmarks of the resting face as tracked under a rotation; offset: (2, N) as `Solver.resting_offset`."""
        out = self.points.copy()
        out[:, :2] += (offset + np.einsum("t,tcn->cn", turn_features(rotation), self.bias.turns)).T
        return out


def face_basis(person: PersonHead, bias: TrackerBias) -> FaceBasis:
    """The landmarks of a person's head, with the tracker's bias added."""
    model = person.model
    seen = bias.landmarks
    corners, bary = model.landmark_corners[seen], model.landmark_barycentric[seen].astype(np.float64)
    points = np.einsum("nk,nkc->nc", bary, person.rest[corners])
    expression = np.einsum("nk,dnkc->dcn", bary, model.expression_basis[:, corners])
    expression[:, :2] += bias.coefficients
    groups = (*LOOKS, *((name,) for name in ALONE))
    unknowns = np.zeros((len(groups), arkit.COUNT))
    for row, group in enumerate(groups):
        unknowns[row, [arkit.INDEX[name] for name in group]] = 1.0
    spread = np.array([SPREAD_MAIN if group[0] in MAIN or len(group) > 1 else SPREAD_SIDE for group in groups])
    prior_slope = np.where([len(group) > 1 for group in groups], 0.0, SPARSITY) / spread
    return FaceBasis(
        points, expression, np.tensordot(unknowns, expression, 1), unknowns, spread, prior_slope,
        model.landmark_weight[seen].astype(np.float64), model.gaze_range.astype(np.float64), bias,
    )  # fmt: skip
