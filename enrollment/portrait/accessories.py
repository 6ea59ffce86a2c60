"""What somebody wears on head and neck, by the parsing's class for it and by where that lies: glasses, a hat, an earring."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from enrollment.portrait.portrait import Portrait
from models.tracking.face_geometry import CHIN, FOREHEAD, face_height
from models.tracking.landmarks import Landmarks
from models.types import Array

GLASSES, HAT, ON_HEAD, AT_EAR, AT_NECK, BEFORE_FACE = (
    "glasses", "a hat or a scarf", "something on the head", "something at an ear", "something at the neck",
    "something before the face",
)  # fmt: skip
"""Names, as they stand in a sentence."""
SMALLEST = 0.0015
"""Least area of a thing, square face heights: a stud of an earring is smaller than the parsing's pixels."""
ABOVE = (-0.4, -0.02, 0.5)
"""Where a hat is: highest and lowest place along the face's axis, from 0 at the forehead to 1 at the chin, and distance to the
side, face heights."""
HATTED = 0.4
"""Part of the head above the forehead that is cloth or worn, from which it is a hat: a headphone's band is narrower."""
AT_EYES, EYES = 0.1, (263, 362, 33, 133)
"""Distance from an eye within which something is glasses, face heights; landmarks at the eyes' corners."""
AT_SIDE, UNDER, LOWEST = 0.3, 0.95, 1.6
"""Distance to the side from which something is at an ear; places along the face's axis from which it is at the neck, and from
which it is no matter of the head."""
SURE, LIKELY = 0.85, 0.6
"""Probability that some pixel of a thing must have (hard shadows, drawn ones above all, get less), and of one at the eyes: rims
are narrower than the parsing's pixels."""


def worn(portrait: Portrait) -> tuple[str, ...]:
    """Names of what is worn, each once; nothing where the parsing sees no person."""
    if portrait.parsing is None:
        return ()
    face, found = portrait.landmarks, [HAT] if hatted(portrait) else []
    share = portrait.parsing.share("others")
    label, count = ndimage.label(portrait.parsing.most("others") & (portrait.matte > 0.5))
    along, aside = _face_axes(face, portrait.matte.shape)
    least = SMALLEST * face_height(face) ** 2
    eyes = _near_eyes(face, portrait.matte.shape)
    for thing in range(1, count + 1):
        where = label == thing
        at_eyes = (where & eyes).sum() > least
        if where.sum() < least or share[where].max() < (LIKELY if at_eyes else SURE):
            continue
        v, u = float(along[where].mean()), float(np.abs(aside[where]).mean())
        if at_eyes:
            found.append(GLASSES)
        elif v < 0:
            found.append(ON_HEAD)
        elif v < LOWEST:
            found.append(AT_NECK if v > UNDER else AT_EAR if u > AT_SIDE else BEFORE_FACE)
    part_of = {HAT: (ON_HEAD, AT_EAR), GLASSES: (BEFORE_FACE, AT_EAR)}  # a brim, a strap, a lens, a temple
    parts = {part for whole, parts in part_of.items() if whole in found for part in parts}
    return tuple(name for name in dict.fromkeys(found) if name not in parts)


def hatted(portrait: Portrait) -> bool:
    """Whether cloth, a hat or the like covers the head above the forehead."""
    if portrait.parsing is None:
        return False
    along, aside = _face_axes(portrait.landmarks, portrait.matte.shape)
    high, low, wide = ABOVE
    head = (along > high) & (along < low) & (np.abs(aside) < wide) & (portrait.matte > 0.5)
    return bool(head.any() and portrait.parsing.share("clothes", "others")[head].mean() > HATTED)


def _face_axes(face: Landmarks, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """(H, W) each: place along the face's axis, 0 at the forehead and 1 at the chin, and to its side in face heights."""
    top, down = face.points[FOREHEAD, :2], face.points[CHIN, :2] - face.points[FOREHEAD, :2]
    length = max(float(np.linalg.norm(down)), 1e-6)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) + 0.5
    along = ((x - top[0]) * down[0] + (y - top[1]) * down[1]) / length**2
    aside = ((x - top[0]) * -down[1] + (y - top[1]) * down[0]) / (length * face_height(face))
    return along, aside


def _near_eyes(face: Landmarks, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    out = np.zeros(shape[:2], np.uint8)
    radius = max(1, round(AT_EYES * face_height(face)))
    for outer, inner in (EYES[:2], EYES[2:]):
        a, b = (tuple(np.round(face.points[i, :2]).astype(int).tolist()) for i in (outer, inner))
        cv2.line(out, a, b, 1, 2 * radius)
    return out > 0
