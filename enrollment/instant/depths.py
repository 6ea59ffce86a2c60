"""Relative depth of the landmarks, as MediaPipe's face mesh estimates it from one picture, without its systematic error.

Depth distinguishes a receding chin from a bowed head, which the landmarks' pixels cannot. MediaPipe's estimate has a bias that is
common to all faces (foreheads too near, lips and chins too far), up to a centimetre. The bias was measured on synthetic pictures
with known truth (`python -m enrollment.instant.depths_bake`).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from models.errors import HeadModelError
from models.types import Array64

PATH = Path(__file__).parent / "assets" / "depths.safetensors"
MARKS = 468
"""Landmarks of the face without the irises."""


@cache
def mean_depth_error() -> Array64:
    """Bias of each landmark's depth, face heights, positive: estimated too near; zero mean, (468,) float64.

    Raises `HeadModelError` when its file is missing or damaged.
    """
    try:
        error = load_file(PATH)["nearer"].astype(np.float64)
    except (OSError, SafetensorError, KeyError) as problem:
        raise HeadModelError(f"the mean depth error was expected at {PATH} ({problem}); install Visavis again") from problem
    if error.shape != (MARKS,):
        raise HeadModelError(f"{MARKS} depths were expected in {PATH}, it has the shape {error.shape}; install Visavis again")
    return error


def relative_depth(landmarks: NDArray[np.floating], height: float) -> Array64:
    """Depth of landmarks (478, 3) (`models.tracking.landmarks.Landmarks.points`) towards the camera, without the mean error,
    pixels, (468,). height: of the face in pixels (`models.tracking.face_geometry.face_height`)."""
    return -np.asarray(landmarks[:MARKS, 2], np.float64) - height * mean_depth_error()
