"""Background in the rim of hair: there the matte is uncertain, and light from the background shines through. From the side it
would be a line around the head.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.types import Array

RIM, NEAR = 0.022, 0.02
"""Width of the rim within the matte's edge, and of the neighbourhood in which the hair and the background beside it are taken,
picture sides."""
SURE, CLEAR = 0.97, 0.03
"""Matte from which a pixel is the person's alone, and up to which the background's alone."""
LIGHTER, TINTED = 2.0, 1.0
"""How far hair may differ from its neighbourhood towards the background's brightness and towards its hue, in standard
deviations of the hair inside of the rim: strands vary in brightness much more than in hue."""
TAKEN = 0.8
"""Part of what exceeds that which is taken off: some of the strands' contrast stays."""
LEAST, WORKED = 200, 192
"""Pixels of hair inside of the rim that there have to be; side of the picture on which neighbourhoods are blurred, pixels."""


def without_spill(colors: Array, image: Array, matte: Array, hair: NDArray[np.bool_], inside: NDArray[np.bool_]) -> Array:
    """The foreground's colours (S, S, 3) with what the background adds in the rim of hair taken off.

    A colour is moved back along the directions from the hair further inwards to the background's brightness and hue by what
    exceeds the hair's own variation in them. image: (S, S, 3) in [0, 1]. matte: (S, S). hair: (S, S) hair and what lies around
    it. inside: (S, S) what the photo shows.
    """
    side = len(matte)
    sure = (matte > SURE) | ~inside
    depth = ndimage.distance_transform_edt(sure)
    inner = hair & inside & (depth > RIM * side)
    behind = inside & (matte < CLEAR)
    rim = hair & inside & (depth <= RIM * side) & (matte > CLEAR)
    if inner.sum() < LEAST or behind.sum() < LEAST or not rim.any():
        return colors
    own, back = _around(colors, inner), _around(image, behind)
    out = colors.copy()
    away, towards = (colors - own)[rim], (back - own)[rim]
    within, beside = (colors - own)[inner], (back - own)[inner]
    weight = TAKEN * np.clip(1.5 - 1.5 * depth[rim] / (RIM * side), 0, 1)
    for hue, natural in ((False, LIGHTER), (True, TINTED)):
        distance, direction = _direction(towards, hue)
        most = natural * float(np.sum(within * _direction(beside, hue)[1], axis=1).std())
        excess = np.clip(np.sum(away * direction, axis=1) - most, 0, distance)
        out[rim] -= (weight * excess)[:, None] * direction
    return np.asarray(np.clip(out, 0, 1), np.float32)


def _direction(difference: Array, hue: bool) -> tuple[Array, Array]:
    """Length (N,) and direction (N, 3), unit, of the part of colour differences (N, 3) that is brightness, or `hue`."""
    light = np.repeat(difference.mean(axis=1, keepdims=True), 3, axis=1)
    part = difference - light if hue else light
    length = np.linalg.norm(part, axis=1)
    return length, part / np.maximum(length, 1e-4)[:, None]


def _around(picture: Array, which: NDArray[np.bool_]) -> Array:
    """(S, S, 3) mean of the nearest of the pixels `which` (S, S) around each pixel."""
    side = len(which)
    small = min(WORKED, side)
    weight = which.astype(np.float32)
    w = cv2.resize(weight, (small, small), interpolation=cv2.INTER_AREA)
    p = cv2.resize(picture * weight[..., None], (small, small), interpolation=cv2.INTER_AREA)
    width = NEAR * small
    w, p = cv2.GaussianBlur(w, (0, 0), width), cv2.GaussianBlur(p, (0, 0), width)
    near = ndimage.distance_transform_edt(w < 0.02, return_distances=False, return_indices=True)
    mean = (p / np.maximum(w, 1e-6)[..., None])[near[0], near[1]]
    return np.asarray(cv2.resize(mean, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)
