"""Landmarks of a known head with known pose and expression, and a solver for a tracker without bias."""

from __future__ import annotations

import numpy as np

from models import arkit
from models.heads.base import LANDMARKS, PersonHead, rotation_log, rotation_matrix
from models.tracking.face_basis import face_basis
from models.tracking.landmarks import Landmarks
from models.tracking.pinhole import project
from models.tracking.solver import Solver
from models.tracking.tracker_bias import LEFT_IRIS, RIGHT_IRIS, TURNS, TrackerBias
from models.types import Array64

FOCAL, SIZE = 700.0, 640
EYEBALL = 0.012
"""Metres from an eyeball's centre to its iris, roughly."""


def unbiased(gaze_range: Array64) -> TrackerBias:
    """A tracker that reports the truth with a millimetre of noise. gaze_range: (4,) as in `HeadModel`."""
    landmarks = np.array([*range(468), RIGHT_IRIS, LEFT_IRIS])
    n = len(landmarks)
    coefficients = np.zeros((arkit.COUNT, 2, n))
    inwards, outwards, up, down = EYEBALL * np.sin(gaze_range)
    for iris, side, left in ((n - 2, "Right", -1), (n - 1, "Left", 1)):
        coefficients[arkit.INDEX[f"eyeLookOut{side}"], 0, iris] = left * outwards
        coefficients[arkit.INDEX[f"eyeLookIn{side}"], 0, iris] = -left * inwards
        coefficients[arkit.INDEX[f"eyeLookUp{side}"], 1, iris] = up
        coefficients[arkit.INDEX[f"eyeLookDown{side}"], 1, iris] = -down
    return TrackerBias(landmarks, coefficients, np.zeros((TURNS, 2, n)), np.zeros((1, 2, n)), np.full((2, n), 1e-3))


def exact_solver(person: PersonHead, resting_offset: Array64 | None = None) -> Solver:
    bias = unbiased(person.model.gaze_range.astype(np.float64))
    return Solver(person, focal=FOCAL, bias=bias, resting_offset=resting_offset)


def seen(
    person: PersonHead, named: dict[str, float], head: Array64, *, noise: float = 0.0, shift: Array64 | None = None
) -> Landmarks:
    """The landmarks that a tracker without bias reports. noise: pixels. shift: (470, 2) metres in head space."""
    basis = face_basis(person, unbiased(person.model.gaze_range.astype(np.float64)))
    coefficients = np.array(arkit.vector(**named))
    points = basis.points + np.tensordot(coefficients, basis.expression, 1).T
    if shift is not None:
        points[:, :2] += shift
    there = project(points, head[:3, :3], head[:3, 3], FOCAL)
    out = np.zeros((LANDMARKS, 3))
    out[:, :2] = SIZE / 2
    out[basis.bias.landmarks, :2] = there.pixels + SIZE / 2 + np.random.default_rng(1).normal(0, noise, there.pixels.shape)
    out[basis.bias.landmarks, 2] = -(there.points[:, 2] - there.points[:, 2].mean()) * FOCAL / -head[2, 3]
    return Landmarks(out.astype(np.float32), 1.0, SIZE, SIZE)


def turned(rotation: Array64, head: Array64) -> float:
    """Degrees between a solved quaternion and the truth."""
    return float(np.rad2deg(np.linalg.norm(rotation_log(rotation_matrix(rotation).T @ head[:3, :3]))))
