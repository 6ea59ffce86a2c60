"""Landmarks of the face's far side, put onto the person's outline: where a face is turned, the tracker guesses its hidden contour
from an average face, up to a centimetre out in the background. The matte knows where the face ends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.tracking.face_geometry import face_height
from models.tracking.landmarks import Landmarks
from models.types import Array

PERSON = 0.5
"""Matte of a pixel that is the person's."""
TOLERANCE, MOST = 0.006, 0.12
"""Distances from the outline, face heights: within the first, a landmark is as good as the matte; beyond the second, the matte is
wrong, not the landmark."""


def on_outline(face: Landmarks, matte: Array, inside: NDArray[np.bool_]) -> Landmarks:
    """The landmarks, those that lie where the photo shows background moved to the nearest pixel of the person.

    face: in pixels of the matte (S, S), in [0, 1]. inside: (S, S) what the photo shows.
    """
    person = ndimage.binary_fill_holes(matte > PERSON)
    if not person.any():
        return face
    away, nearest = ndimage.distance_transform_edt(~person, return_indices=True)
    points, side, height = face.points.copy(), len(matte), face_height(face)
    column, row = np.floor(points[:, :2]).astype(int).T
    shown = (column >= 0) & (row >= 0) & (column < side) & (row < side)
    column, row = np.clip(column, 0, side - 1), np.clip(row, 0, side - 1)
    off = away[row, column]
    wrong = shown & inside[row, column] & (off > TOLERANCE * height) & (off < MOST * height)
    points[wrong, 0] = nearest[1][row, column][wrong] + 0.5
    points[wrong, 1] = nearest[0][row, column][wrong] + 0.5
    return replace(face, points=points)
