"""The bias of the landmark tracker: its landmarks are not where their points of the skin are.

The tracker under-reports unusual shapes (a full smile moves its mouth corners by three quarters of the way), its landmarks shift
with the head's rotation, and its errors have patterns that span the face. All three were learned from thousands of drawn pictures
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


@dataclass(frozen=True)
class TrackerBias:
    """Tracked landmarks less true ones; float64, metres. In the truth the irises rest.

    landmarks: (N,) int64, increasing, which of the 478 are used; the middles of both irises are among them.
    coefficients: (52, 2, N) for a coefficient at 1, and turns: (5, 2, N) for `turn_features`: in head space, to the person's
    left and up. modes: (M, 2, N) patterns of error and noise: (2, N) standard deviations of the remaining error, in the picture's
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
def load_tracker_bias() -> TrackerBias:
    """The learned bias that ships with Visavis. Raises `HeadModelError` when its file is missing or damaged."""
    try:
        read = {name: array.astype(np.float64) for name, array in load_file(PATH).items()}
        bias = TrackerBias(read.pop("landmarks").astype(np.int64), **read)
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise HeadModelError(f"the tracker's bias was expected at {PATH} ({error}); install Visavis again") from error
    n = len(bias.landmarks)
    shapes = [a.shape for a in (bias.coefficients, bias.turns, bias.noise)]
    if shapes != [(arkit.COUNT, 2, n), (TURNS, 2, n), (2, n)] or bias.modes.shape[1:] != (2, n):
        raise HeadModelError(f"the tracker's bias at {PATH} has the wrong shapes {shapes}; install Visavis again")
    return bias
