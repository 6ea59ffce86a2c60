"""Arms and hands raised beside the head: a bust has none, and on its surface they would be claws. What the parsing takes for
skin of the body, or for its clothes, above the shoulders and away from face and neck is left out of the matte. What an arm
hides of the head is unknown, and not background.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.tracking.face_geometry import CHIN, CONTOUR, FOREHEAD, face_height
from models.tracking.landmarks import Landmarks
from models.tracking.parsing import Parsing
from models.types import Array

FROM_FACE, FROM_NECK = 0.2, 0.55
"""Distance from the face's outline, and from the middle of the neck to the sides, in which nothing is an arm, face heights."""
HEAD, ABOVE, BARE = 1.15, 0.3, 0.5
"""Distance from the face's middle in which a bald head lies, and width of the band above a face by which it is told, face
heights; part of the band that is skin then."""
CROWN = 0.9
"""Distance from the face's middle in which an arm may hide the head, face heights."""
HAIR = (0.6, 0.25)
"""Width of a broader band above a face, face heights, and part of it that is hair, from which skin on it is a hand's."""
SHOULDERS, RAISED = 0.3, 0.25
"""How far below the chin the shoulders are at least, and how far above it an arm reaches that is raised, face heights."""
LEAST = 0.03
"""Area of an arm above the chin at least, squared face heights."""
AROUND, STRANDS = 0.03, 0.05
"""How far around an arm its soft edge lies, and how far from the rest of the person the matte is kept beside it where the
parsing sees none, face heights: what an arm leans on is often taken for the person's."""
LOCK, OVER = 0.05, 0.2
"""Half the width of a lock that hung over an arm, and how near to the arm it is left out, face heights."""


def hidden_head(arms: NDArray[np.bool_], face: Landmarks) -> NDArray[np.bool_]:
    """(S, S) which pixels of arms (S, S) may hide a part of the head, which ends at the chin."""
    above_chin = np.arange(len(arms))[:, None] < face.points[CHIN, 1]
    return arms & above_chin & (_off_middle(arms.shape, face) < CROWN * face_height(face))


def without_raised_arms(alpha: Array, parsing: Parsing | None, face: Landmarks) -> tuple[Array, NDArray[np.bool_]]:
    """The matte (S, S) without arms raised beside the head and the pieces in the air that they leave; and the arms (S, S), none
    where there are none. face: in pixels of the matte."""
    if parsing is None:
        return alpha, np.zeros(alpha.shape, bool)
    height, points = face_height(face), face.points[:, :2]
    rows, columns = np.indices(alpha.shape)
    outline = np.zeros(alpha.shape, np.uint8)
    cv2.fillPoly(outline, [np.round(points[list(CONTOUR)]).astype(np.int32)], 1)
    chin = points[CHIN]
    away = ndimage.distance_transform_edt(outline == 0) / height
    beside = away > FROM_FACE
    above = (away > 0) & (away < ABOVE) & (rows < points[FOREHEAD, 1])
    skull = above.any() and parsing.most("body_skin", "face_skin")[above].mean() > BARE
    over = (away > 0) & (away < HAIR[0]) & (rows < points[FOREHEAD, 1])
    if skull and parsing.most("hair")[over].mean() < HAIR[1]:  # a bald one, which the parsing takes for skin of the body
        beside &= _off_middle(alpha.shape, face) > HEAD * height
    beside &= (rows < chin[1] + SHOULDERS * height) & ((rows < chin[1]) | (np.abs(columns - chin[0]) > FROM_NECK * height))
    limb = beside & parsing.most("body_skin", "clothes") & (alpha > 0.5)
    label, count = ndimage.label(limb)
    raised = (rows < chin[1] - RAISED * height) & parsing.most("body_skin")
    area = ndimage.sum_labels(raised, label, np.arange(1, count + 1)) / height**2
    arms = np.isin(label, 1 + np.flatnonzero(area > LEAST))
    if not arms.any():
        return alpha, arms
    limbs = arms
    rest = parsing.most("hair", "face_skin", "body_skin", "clothes", "others") & ~arms
    core = ndimage.distance_transform_edt(rest) > LOCK * height
    thin = ndimage.distance_transform_edt(~core) > LOCK * height + 1
    locks = beside & rest & thin & (ndimage.distance_transform_edt(~arms) < OVER * height)
    rest, arms = rest & ~locks, arms | locks
    edge = (ndimage.distance_transform_edt(~arms) < AROUND * height) & beside & ~rest
    arms |= edge | (parsing.most("background") & (ndimage.distance_transform_edt(~rest) > STRANDS * height))
    left = np.where(arms, 0.0, alpha).astype(np.float32)
    label, count = ndimage.label(left > 0.1)
    kept = np.unique(label[(outline > 0) & (left > 0.5)])
    return np.where(np.isin(label, kept) | (left <= 0.1), left, 0.0).astype(np.float32), limbs


def _off_middle(shape: tuple[int, ...], face: Landmarks) -> Array:
    """(S, S) distance of each pixel from the face's middle, pixels."""
    rows, columns = np.indices(shape)
    x, y = face.points[list(CONTOUR), :2].mean(axis=0)
    return np.asarray(np.hypot(columns - x, rows - y), np.float32)
