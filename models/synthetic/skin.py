"""The skin of one head as an atlas: albedo, relief and gloss of each texel, from melanin and blood to pores and make-up."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from models.synthetic.anatomy import HEIGHT, WIDTH, Anatomy, above_hairline, angles
from models.synthetic.noise import coarse_fractal, fractal
from models.synthetic.traits import Traits
from models.types import Array

LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
BROWS = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))
EYES = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)
UPPER_LIDS = ((33, 246, 161, 160, 159, 158, 157, 173, 133), (263, 466, 388, 387, 386, 385, 384, 398, 362))
LOWER_LIDS = ((33, 7, 163, 144, 145, 153, 154, 155, 133), (263, 249, 390, 373, 374, 380, 381, 382, 362))
CREASES = ((226, 247, 30, 29, 27, 28, 56, 190), (446, 467, 260, 259, 257, 258, 286, 414))
BAGS = ((226, 31, 228, 229, 230, 231, 232, 233), (446, 261, 448, 449, 450, 451, 452, 453))
NASOLABIAL = ((129, 203, 206, 216, 212), (358, 423, 426, 436, 432))
MARIONETTE = ((61, 202, 211), (291, 422, 431))
CHEEKS, NOSE_TIP, CHIN, FOREHEAD = (50, 280), 1, 152, 151

PALE, TAN, DARK = (np.array(c) for c in ((0.66, 0.43, 0.335), (0.40, 0.215, 0.130), (0.085, 0.042, 0.026)))
"""Linear albedo of skin with little, middling and much melanin."""
CHANNELS = 6
"""Albedo (3, linear), slope of the relief along column and row (2), gloss (1)."""


def tone(traits: Traits) -> Array:
    """(3,) linear albedo of somebody's skin on the average."""
    m = traits.melanin * 2
    a, b, t = (PALE, TAN, m) if m < 1 else (TAN, DARK, m - 1)
    base = a ** (1 - t) * b**t
    warm = np.array([1.0, 1 + 0.025 * traits.undertone, 1 - 0.05 * traits.undertone])
    return np.asarray(base * warm, np.float32)


class Masks:
    """Masks (HEIGHT, WIDTH) float32 of the facial features on the atlas of a head model, [0, 1]."""

    def __init__(self, a: Anatomy) -> None:
        self.lips = a.polygon(LIPS, 1.6)
        self.brows = a.polygon(BROWS[0], 1.8) + a.polygon(BROWS[1], 1.8)
        eye = a.polygon(EYES[0], 3.0, 2) + a.polygon(EYES[1], 3.0, 2)
        around = a.polygon(EYES[0], 9.0, 14) + a.polygon(EYES[1], 9.0, 14)
        self.lid, self.orbit = np.clip(eye, 0, 1), np.clip(around, 0, 1)
        lid = [a.polygon([*u, *reversed(c)], 2.5) for u, c in zip(UPPER_LIDS, CREASES, strict=True)]
        self.upper_lid = np.clip(lid[0] + lid[1], 0, 1)
        self.bag = np.clip(sum(a.polygon([*lo, *reversed(b)], 4.0) for lo, b in zip(LOWER_LIDS, BAGS, strict=True)), 0, 1)
        place = a.template_landmarks
        self.cheeks = a.spot(place[CHEEKS[0]], 0.019) + a.spot(place[CHEEKS[1]], 0.019)
        self.nose = a.spot(place[NOSE_TIP], 0.013)
        self.chin = a.spot(place[CHIN] + (0, 0.012, 0.01), 0.013)
        self.forehead = a.spot(place[FOREHEAD], 0.03)
        self.wide = np.clip(self.cheeks + a.spot(place[6], 0.022), 0, 1)
        azimuth, elevation = angles(a.positions)
        self.azimuth, self.elevation = azimuth, elevation
        self.ears = np.exp(-0.5 * ((np.abs(azimuth) - 90) / 10) ** 2 - 0.5 * (elevation / 16) ** 2).astype(np.float32)
        self.hairline = above_hairline(a.positions)
        self.beard = _beard(azimuth, elevation, self.lips)
        self.wrinkle, self.fold = _lines(a)
        self.liner = sum(a.line(a.landmarks[list(lid)], 2, 1.0) for lid in UPPER_LIDS)
        y = a.positions[..., 1]
        self.positions = a.positions
        # the coarse rows: lips are furrowed upright, foreheads along
        furrow = a.positions * np.array([1.0, 0.12, 0.3], np.float32)
        self.furrow = fractal(furrow, 0.0016, 2, 11)
        self.front = np.clip((a.positions[..., 2] - 0.02) / 0.03, 0, 1) * (y > -0.12)


def _beard(azimuth: Array, elevation: Array, lips: Array) -> Array:
    """(HEIGHT, WIDTH) float32 in [0, 1]: where a full beard grows."""
    at = np.abs(azimuth)
    upper = np.interp(at, (0, 10, 17, 24, 34, 48, 58, 64, 70, 76, 80), (-18.2, -19, -22, -29, -33, -30, -24, -12, -2, 0, -90))
    lower = np.interp(at, (0, 30, 50, 62, 70, 80), (-66, -62, -52, -44, -38, -30))
    inside = np.clip((upper - elevation) / 2.2, 0, 1) * np.clip((elevation - lower) / 5, 0, 1)
    return np.asarray(inside * (1 - np.clip(cv2.dilate(lips, np.ones((5, 5), np.uint8)) * 1.4, 0, 1)), np.float32)


def _lines(a: Anatomy) -> tuple[Array, Array]:
    """Lines of age (crow's feet, brow and forehead lines) and the deep folds that everybody has a little."""
    wrinkle, fold = np.zeros((HEIGHT, WIDTH), np.float32), np.zeros((HEIGHT, WIDTH), np.float32)
    m = a.landmarks
    for row in range(5):
        x = np.linspace(-34, 34, 25)
        y = m[151, 1] - 4 - 13 * row + 2.2 * np.cos(x / 9 + row) - 0.004 * x**2
        wrinkle = np.maximum(
            wrinkle, (0.9 - 0.13 * row) * a.line(np.stack([m[151, 0] + x * (2.9 - 0.2 * row), y + 4], 1), 2, 1.6)
        )
    for corner, side in ((m[33], -1), (m[263], 1)):
        for k in range(5):
            angle = np.radians(-38 + 19 * k)
            s = np.linspace(9, 38 - 4 * abs(k - 2), 8)
            path = np.stack([side * s * np.cos(angle), -s * np.sin(angle) * 0.8 + 0.006 * s**2 * (k - 1.5)], 1)
            wrinkle = np.maximum(wrinkle, 0.7 * a.line(corner + path, 1, 1.2))
    for side in (-1, 1):
        path = np.stack([m[9, 0] + side * np.array([9, 8, 7, 9]), m[9, 1] + np.array([14, 6, -2, -10])], 1)
        wrinkle = np.maximum(wrinkle, 0.9 * a.line(path, 2, 1.5))
    for group, width, blur, deep in (
        (NASOLABIAL, 2, 2.6, 1.0),
        (MARIONETTE, 2, 2.4, 0.6),
        (BAGS, 2, 2.0, 0.7),
        (CREASES, 1, 1.3, 0.9),
    ):
        for indices in group:
            fold = np.maximum(fold, deep * a.line(m[list(indices)], width, blur))
    return wrinkle, fold


@lru_cache(maxsize=4)
def _masks(key: int) -> Masks:
    return Masks(_ANATOMY[key])


_ANATOMY: dict[int, Anatomy] = {}


def masks(a: Anatomy) -> Masks:
    """The masks for a head model, made once per process."""
    _ANATOMY[id(a)] = a
    return _masks(id(a))


def paint_skin(a: Anatomy, traits: Traits, scalp_shadow: Array, rng: np.random.Generator) -> Array:
    """The skin of one head, (HEIGHT, WIDTH, 6) float32, see `CHANNELS`.

    scalp_shadow: (HEIGHT, WIDTH) in [0, 1], how much short or parted hair darkens the scalp.
    """
    k, p = masks(a), a.positions
    seed = int(rng.integers(1 << 30))
    coarse, middle = coarse_fractal(p, 0.035, 2, seed, 8), coarse_fractal(p, 0.009, 2, seed + 1, 2)
    fine = fractal(p, 0.0022, 1, seed + 2)
    base = tone(traits)
    light = 1 - traits.melanin
    color = np.empty((HEIGHT, WIDTH, 3), np.float32)
    color[:] = base
    color *= np.exp((0.05 + 0.05 * traits.age) * coarse + 0.06 * middle + 0.05 * fine)[..., None]
    # blood under the skin takes green and blue away
    red = (0.55 * k.cheeks + 0.7 * k.nose + 0.5 * k.ears + 0.3 * k.chin) * (0.25 + 0.75 * traits.blood) + 0.12 * middle
    red = red * (0.25 + 0.75 * light) + 0.35 * traits.makeup * k.cheeks
    color *= np.exp(-red[..., None] * np.array([0.06, 0.36, 0.30], np.float32))
    # thin, darker skin about the eyes; tired or old eyes more
    shade = (0.35 * k.orbit + (0.15 + 0.4 * traits.age * rng.random()) * k.bag)[..., None]
    color *= np.exp(-shade * np.array([0.30, 0.42, 0.32], np.float32) * (0.6 + 0.5 * traits.melanin))
    # beards leave a shadow on shaven skin
    if traits.masculine > 0.5:
        amount = {"none": 0.10, "stubble": 0.45, "moustache": 0.15, "goatee": 0.2}.get(traits.beard, 0.4) * rng.uniform(0.6, 1.2)
        dots = np.clip(0.75 + 1.3 * fractal(p, 0.0016, 1, seed + 3), 0, 1.6)
        shadow: Array = np.clip(amount * k.beard * dots, 0, 0.85)[..., None]
        color = color * (1 - shadow) + shadow * (np.asarray(traits.natural_color, np.float32) * 0.8 + 0.10 * base)
    if traits.freckles > 0:
        dots = np.clip((fractal(p, 0.0019, 1, seed + 4) - 0.66 + 0.26 * traits.freckles) * 4, 0, 1) * np.clip(
            k.wide * 1.3 + 0.15, 0, 1
        )
        color *= np.exp(-dots[..., None] * k.front[..., None] * np.array([0.30, 0.5, 0.62], np.float32) * 0.7)
    if traits.age > 0.55:
        spots = np.clip((coarse_fractal(p, 0.008, 2, seed + 5, 2) - 0.45) * 5, 0, 1) * (traits.age - 0.5)
        color *= np.exp(-spots[..., None] * np.array([0.3, 0.5, 0.6], np.float32))
    for _ in range(rng.poisson(1.5)):
        where = rng.integers(468)
        mole = a.spot(a.template_landmarks[where] + rng.normal(0, 0.008, 3), rng.uniform(0.0007, 0.0016))
        color *= 1 - 0.75 * mole[..., None] * (1 - k.lips)[..., None]
    # lips
    paint_share = traits.makeup * 0.9 if traits.makeup > 0.25 else 0.0
    natural = base * np.array([0.80, 0.47, 0.50]) * (0.85 + 0.2 * light) + np.array([0.02, 0.004, 0.006])
    lip = natural * (1 - paint_share) + np.asarray(traits.lip_color) * paint_share
    lips = (k.lips * rng.uniform(0.65, 0.98))[..., None]
    color = color * (1 - lips) + lips * lip.astype(np.float32) * (1 + 0.12 * k.furrow + 0.1 * middle)[..., None]
    if traits.makeup > 0.2:
        eyeshadow = np.asarray(rng.choice([(0.10, 0.05, 0.05), (0.05, 0.06, 0.12), (0.16, 0.09, 0.06), (0.02, 0.02, 0.02)]))
        lid = (k.upper_lid * 0.65 * traits.makeup)[..., None]
        color = color * (1 - lid) + lid * eyeshadow.astype(np.float32)
    line = np.clip(k.liner * (0.25 + 0.7 * (traits.makeup > 0.3)), 0, 1)[..., None]
    color = color * (1 - line) + line * 0.015
    # hair seen through to the skin
    hair = np.asarray(traits.hair_color, np.float32) * (1 - 0.7 * traits.grey) + 0.12 * traits.grey
    for mask, amount in ((k.brows, 0.30), (scalp_shadow, 1.0)):
        share = np.clip(mask * amount, 0, 1)[..., None]
        color = color * (1 - share) + share * hair
    old = traits.wrinkles
    strength = 0.55 + 0.9 * rng.random()
    broken = np.clip(0.75 + 0.7 * coarse_fractal(p, 0.02, 1, seed + 6), 0.1, 1.3)
    crease = (k.wrinkle * old * strength + k.fold * (0.16 + 0.75 * old * strength)) * broken
    color *= np.exp(-0.55 * crease[..., None] * np.array([0.8, 1.0, 1.0], np.float32))
    pores = fractal(p, 0.0012, 1, seed + 7) * (0.7 + 0.6 * old) * (1 - 0.8 * k.lips) * (1 - 0.6 * k.lid)
    relief = 0.55 * pores - 4.6 * crease + 0.9 * k.furrow * k.lips + 0.6 * old * middle
    slope_u = np.gradient(relief, axis=1).astype(np.float32)
    slope_v = np.gradient(relief, axis=0).astype(np.float32)
    gloss = 0.25 + 0.35 * traits.oil * np.clip(k.nose * 1.5 + k.forehead + 0.4 * k.cheeks, 0, 1) + 0.35 * k.lips
    gloss = gloss * (1 - 0.3 * traits.makeup * (1 - k.lips)) * (1 + 0.15 * middle)
    return np.ascontiguousarray(
        np.concatenate([np.clip(color, 0.003, 0.9), np.stack([slope_u, slope_v, gloss], axis=-1)], axis=-1), np.float32
    )
