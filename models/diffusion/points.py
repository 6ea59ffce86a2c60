"""Where landmarks lie within the parts of a face (`models.diffusion.parts`): what the expression encoder is told to find.

An expression is a matter of tenths of a millimetre at lids, brows and lips. A network that is told the coefficients alone needs
tens of thousands of faces to find out that it has to look for those; told where they are, it does so at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.diffusion.parts import PARTS, placed

RIGHT_EYE = (
    33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7,  # rim of the lids
    70, 63, 105, 66, 107, 46, 53, 52, 65, 55,  # brow
    468, 469, 470, 471, 472,  # iris
    130, 247, 30, 29, 27, 28, 56, 190, 243, 112, 26, 22, 23, 24, 110, 25,  # around the rim
    193, 8, 168, 9,  # bridge of the nose
    31, 228, 229, 230, 231, 232, 233, 221, 222, 223, 224, 225, 113,  # around that
)  # fmt: skip
LEFT_EYE = (
    263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249,
    300, 293, 334, 296, 336, 276, 283, 282, 295, 285,
    473, 476, 475, 474, 477,
    359, 467, 260, 259, 257, 258, 286, 414, 463, 341, 256, 252, 253, 254, 339, 255,
    417, 8, 168, 9,
    261, 448, 449, 450, 451, 452, 453, 441, 442, 443, 444, 445, 342,
)  # fmt: skip
"""The same places as those of the right eye."""
MOUTH = (
    (78, 308), (191, 415), (80, 310), (81, 311), (82, 312), (13, 13), (14, 14), (87, 317), (178, 402), (88, 318), (95, 324),
    (61, 291), (185, 409), (40, 270), (39, 269), (37, 267), (0, 0), (17, 17), (84, 314), (181, 405), (91, 321), (146, 375),
    (2, 2), (98, 327), (164, 164), (152, 152), (148, 377), (199, 199), (200, 200), (18, 18), (205, 425), (50, 280), (206, 426),
    (57, 287), (43, 273), (204, 424), (92, 322),
)  # fmt: skip
FACE = (
    (10, 10), (234, 454), (152, 152), (148, 377), (176, 400), (172, 397), (132, 361), (1, 1), (4, 4), (6, 6), (197, 197),
    (2, 2), (98, 327), (33, 263), (133, 362), (159, 386), (145, 374), (70, 300), (105, 334), (107, 336), (55, 285), (61, 291),
    (0, 0), (17, 17), (13, 13), (14, 14), (78, 308), (50, 280), (205, 425), (116, 345), (187, 411), (151, 151), (200, 200),
    (468, 473), (168, 168), (66, 296), (40, 270), (91, 321), (199, 199), (18, 18),
)  # fmt: skip
"""Pairs that change places in a mirror, the one on the person's right first; those of the middle with themselves."""


def _listed(pairs: tuple[tuple[int, int], ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The landmarks of pairs in order, and where in this order each of them finds its twin."""
    order = list(dict.fromkeys(mark for pair in pairs for mark in pair))
    twin = {a: b for pair in pairs for a, b in (pair, pair[::-1])}
    return tuple(order), tuple(order.index(twin[mark]) for mark in order)


(_MOUTH, _MOUTH_TWINS), (_FACE, _FACE_TWINS) = _listed(MOUTH), _listed(FACE)
MARKS = (RIGHT_EYE, LEFT_EYE, _MOUTH, _FACE)
"""The landmarks of each part, in the order of `PARTS`."""
COUNT = 64
"""Of each part."""
WEIGHT = np.ones((4, COUNT), np.float32)
"""How much each counts: an iris says where the eyes look, lids, brows and lips most of the rest."""
WEIGHT[:2, :26], WEIGHT[:2, 26:31], WEIGHT[2, :41] = 2.0, 5.0, 2.0
WEIGHT /= WEIGHT.mean()
TWINS = (_MOUTH_TWINS, _FACE_TWINS)
"""Of mouth and face: which point a point is in a mirror. Those of an eye are the other eye's, in the same order."""


def part_points(landmarks: NDArray[np.floating]) -> NDArray[np.float32]:
    """(4, COUNT, 2) places of a face's landmarks (478, 2), pixels, within its parts: right and down from a part's middle, a part
    being 2 wide. Beyond 1 it lies outside."""
    marks = np.asarray(landmarks, np.float64)
    middle, unit = placed(marks)
    inverse = np.linalg.inv(unit)
    out = np.empty((len(PARTS), COUNT, 2), np.float32)
    for k, (around, below, half, mirrored) in enumerate(PARTS):
        center = marks[list(around)].mean(axis=0) if around else middle
        here = ((marks[list(MARKS[k])] - center) @ inverse.T - (0.0, below)) / half
        out[k] = here * ((-1, 1) if mirrored else (1, 1))
    return out
