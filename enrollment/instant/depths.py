"""How near the parts of a face are, as MediaPipe's face mesh guesses from one picture.

It tells a chin that recedes from a head that is bowed, which the landmarks' places in the picture cannot. But it is wrong in
the same way for everyone (foreheads too near, lips and chins too far), by up to a centimetre: that was learned from pictures
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
def usual_error() -> Array64:
    """By how many face heights each landmark is taken for nearer than it is, about their mean, (468,) float64.

    Raises `HeadModelError` when its file is missing or damaged.
    """
    try:
        error = load_file(PATH)["nearer"].astype(np.float64)
    except (OSError, SafetensorError, KeyError) as problem:
        raise HeadModelError(f"the usual error of depths was expected at {PATH} ({problem}); install Visavis again") from problem
    if error.shape != (MARKS,):
        raise HeadModelError(f"{MARKS} depths were expected in {PATH}, it has the shape {error.shape}; install Visavis again")
    return error


def nearness(landmarks: NDArray[np.floating], height: float) -> Array64:
    """Pixels by which landmarks (478, 3) (see `models.tracking.landmarks.Landmarks.points`) are nearer than their mean, about,
    without the usual error, (468,). height: of the face in pixels (`enrollment.portrait.portrait.face_height`)."""
    return -np.asarray(landmarks[:MARKS, 2], np.float64) - height * usual_error()
