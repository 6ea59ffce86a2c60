"""How the landmark tracker answers to faces: not with the places on the skin that they stand for.

It under-reports unusual shapes (a full smile moves its mouth corners by three quarters of the way), bends with the head's
turn, and errs in patterns that span the face. All three were learned from thousands of pictures with known truth
(`python -m realtime.response_bake`), and are linear here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from models import arkit
from models.errors import HeadModelError
from models.types import Array64

PATH = Path(__file__).parent / "assets" / "response.safetensors"
TURNS = 5
MESH = 468
"""Landmarks before the irises."""
EYEBALL = 0.012
"""Metres from an eyeball's centre to its iris, roughly."""


@dataclass(frozen=True)
class TrackerResponse:
    """Answers of the tracker beyond the truth; float64, metres. The two components of a vector: the person's left, up.

    coefficients: (52, 2, 468) in head space for a coefficient at 1. turns: (5, 2, 468) in head space, see `turn_features`.
    modes: (M, 2, 468) patterns of error and noise: (2, 468) what is left, standard deviations, in the picture's plane turned
    with the head's roll (x to the picture's right, y up, at the landmark's distance).
    gaze: (2, 7) yaw and pitch, radians, of the left eye from its iris's shift (2, metres in head space) and the turns.
    """

    coefficients: Array64
    turns: Array64
    modes: Array64
    noise: Array64
    gaze: Array64


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
        response = TrackerResponse(read["coefficients"], read["turns"], read["modes"], read["noise"], read["gaze"])
    except (OSError, SafetensorError, KeyError) as error:
        raise HeadModelError(f"the tracker's response was expected at {PATH} ({error}); install Visavis again") from error
    shapes = [a.shape for a in (response.coefficients, response.turns, response.noise, response.gaze)]
    if shapes != [(arkit.COUNT, 2, MESH), (TURNS, 2, MESH), (2, MESH), (2, 2 + TURNS)] or response.modes.shape[1:] != (2, MESH):
        raise HeadModelError(f"the tracker's response at {PATH} has the wrong shapes {shapes}; install Visavis again")
    return response


def no_response() -> TrackerResponse:
    """A tracker that reports the truth with a millimetre of noise: for tests, and for landmarks from elsewhere."""
    gaze = np.zeros((2, 2 + TURNS))
    gaze[0, 0] = gaze[1, 1] = 1.0 / EYEBALL
    return TrackerResponse(
        np.zeros((arkit.COUNT, 2, MESH)), np.zeros((TURNS, 2, MESH)), np.zeros((1, 2, MESH)), np.full((2, MESH), 1e-3), gaze
    )
