"""How the landmark tracker answers to faces: not with the places on the skin that they stand for.

It under-reports unusual shapes (a full smile moves its mouth corners by three quarters of the way), bends with the head's
turn, and errs in patterns that span the face. All three were learned from thousands of pictures with known truth
(`python -m models.tracking.tracker_bias_bake`), and are linear here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from models import arkit
from models.errors import HeadModelError
from models.types import Array64

PATH = Path(__file__).parent / "assets" / "tracker_bias.safetensors"
TURNS = 5
RIGHT_IRIS, LEFT_IRIS = 468, 473
"""The middles of the irises among the 478 landmarks."""
EYEBALL = 0.012
"""Metres from an eyeball's centre to its iris, roughly."""


@dataclass(frozen=True)
class TrackerResponse:
    """Answers of the tracker beyond the truth; float64, metres. In the truth the irises rest.

    landmarks: (N,) int64, increasing, which of the 478 are worth looking at; the middles of both irises are among them.
    coefficients: (52, 2, N) for a coefficient at 1, and turns: (5, 2, N) for `turn_features`: in head space, to the person's
    left and up. modes: (M, 2, N) patterns of error and noise: (2, N) what is left, standard deviations, in the picture's
    plane turned with the head's roll (x to the picture's right, y up), at the landmark's distance.
    """

    landmarks: NDArray[np.int64]
    coefficients: Array64
    turns: Array64
    modes: Array64
    noise: Array64


def turn_features(rotation: Array64) -> Array64:
    """(5,) yaw, pitch, their squares and product, radians; rotation (3, 3): head -> camera."""
    x, y, z = rotation[:, 2]
    yaw, pitch = np.arctan2(x, z), np.arcsin(np.clip(-y, -1.0, 1.0))
    return np.array([yaw, pitch, yaw * yaw, pitch * pitch, yaw * pitch])


def roll_of(rotation: Array64) -> float:
    """Angle of the head's left-right axis in the picture, radians, anticlockwise."""
    return float(np.arctan2(rotation[1, 0], rotation[0, 0]))


@cache
def tracker_response() -> TrackerResponse:
    """The learned response that ships with Visavis. Raises `HeadModelError` when its file is missing or damaged."""
    try:
        read = {name: array.astype(np.float64) for name, array in load_file(PATH).items()}
        response = TrackerResponse(read.pop("landmarks").astype(np.int64), **read)
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise HeadModelError(f"the tracker's response was expected at {PATH} ({error}); install Visavis again") from error
    n = len(response.landmarks)
    shapes = [a.shape for a in (response.coefficients, response.turns, response.noise)]
    if shapes != [(arkit.COUNT, 2, n), (TURNS, 2, n), (2, n)] or response.modes.shape[1:] != (2, n):
        raise HeadModelError(f"the tracker's response at {PATH} has the wrong shapes {shapes}; install Visavis again")
    return response


def exact_response(gaze_range: Array64) -> TrackerResponse:
    """A tracker that reports the truth with a millimetre of noise: for tests, and for landmarks from elsewhere.

    gaze_range: (4,) as in `HeadModel`; the irises move by the eyeball's turn.
    """
    landmarks = np.array([*range(468), RIGHT_IRIS, LEFT_IRIS])
    n = len(landmarks)
    coefficients = np.zeros((arkit.COUNT, 2, n))
    inwards, outwards, up, down = EYEBALL * np.sin(gaze_range)
    for iris, side, left in ((n - 2, "Right", -1), (n - 1, "Left", 1)):
        coefficients[arkit.INDEX[f"eyeLookOut{side}"], 0, iris] = left * outwards
        coefficients[arkit.INDEX[f"eyeLookIn{side}"], 0, iris] = -left * inwards
        coefficients[arkit.INDEX[f"eyeLookUp{side}"], 1, iris] = up
        coefficients[arkit.INDEX[f"eyeLookDown{side}"], 1, iris] = -down
    return TrackerResponse(landmarks, coefficients, np.zeros((TURNS, 2, n)), np.zeros((1, 2, n)), np.full((2, n), 1e-3))
