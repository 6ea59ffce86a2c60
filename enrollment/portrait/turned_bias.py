"""The landmarks of a turned face, without the error that the tracker makes on everybody who is turned.

MediaPipe draws a turned face after its frontal idea: the nearer jaw and cheek lie too far out towards the ear and too high, up to
a centimetre at 45 degrees, and a head fitted to them becomes too wide. The error was measured on synthetic pictures with known
truth (`python -m enrollment.portrait.turned_bias_bake`) and is subtracted. In the picture only where the face has no features:
eyes, brows, nostrils and lips are found by their looks and lie right.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from models.errors import HeadModelError
from models.tracking.face_geometry import LEFT_CHEEK, RIGHT_CHEEK, face_height, turned_away
from models.tracking.landmarks import Landmarks
from models.types import Array64

PATH = Path(__file__).parent / "assets" / "turned_bias.safetensors"
MARKS = 468
"""Landmarks of the face without the irises."""
FRONTAL, SPAN, MOST = 8.0, 40.0, 1.3
"""Degrees by which a face may be turned and is frontal still, degrees from there that count as 1, and what counts at most."""


@cache
def _learned() -> tuple[Array64, NDArray[np.int64]]:
    """Linear and quadratic error (2, 468, 3) by `turn` of a face whose left side is the nearer one, face heights: right, down
    and away from the camera; and the mirrored landmark of each (468,)."""
    try:
        read = load_file(PATH)
        error, twin = read["error"].astype(np.float64), read["twin"].astype(np.int64)
    except (OSError, SafetensorError, KeyError) as problem:
        raise HeadModelError(f"the error on turned faces was expected at {PATH} ({problem}); install Visavis again") from problem
    if error.shape != (2, MARKS, 3) or twin.shape != (MARKS,) or twin.min() < 0 or twin.max() >= MARKS:
        raise HeadModelError(f"(2, {MARKS}, 3) errors were expected in {PATH}, not {error.shape}; install Visavis again")
    return error, twin


def turn(degrees: float) -> float:
    """How far a face is turned (`turned_away`), as the error counts it: 0 from the front."""
    return float(np.clip((degrees - FRONTAL) / SPAN, 0.0, MOST))


def unbiased(face: Landmarks) -> Landmarks:
    """The landmarks without that error; as they came where the face is frontal. Raises `HeadModelError` when the file with the
    error is missing or damaged."""
    part = turn(turned_away(face))
    if part == 0:
        return face
    (linear, square), twin = _learned()
    error = part * linear + part * part * square
    points, height = face.points.copy(), face_height(face)
    if points[LEFT_CHEEK, 2] > points[RIGHT_CHEEK, 2]:
        error = error[twin] * (-1.0, 1.0, 1.0)
    points[:MARKS] -= (height * error).astype(np.float32)
    return replace(face, points=points)
