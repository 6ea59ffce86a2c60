"""Light on the rims of hair and clothes: a window behind somebody draws a line of its own colour along the outline of a sleeve
and through the edge of hair. The photo sees both aslant there, so from the side the line would be drawn out to blotches. Such a
line takes the colour of the cloth beside it; hair keeps its strands, no lighter and no more tinted than hair further inwards.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from enrollment.portrait.portrait import Portrait
from models.types import Array

WIDE, WIDE_HAIR, AROUND = 0.1, 0.16, 0.16
"""Width of the rim of cloth and of hair, and of the neighbourhood further inwards with which cloth is compared, face heights."""
TOUCHES = 0.03
"""Distance from the outline within which a lit place begins, face heights: a pale lapel or a stripe does not."""
NEAR, FINE = 0.25, 0.012
"""Distance up to which cloth as light further inwards says that it is the cloth's own, a stripe or a patch, and width of the blur
before it is looked for, face heights."""
LIGHTER, LIGHTEST = 0.05, 0.12
"""How much lighter than the cloth or the hair further inwards lit pixels are, and the lightest of them."""
NATURAL, NATURAL_HAIR = 2.0, 1.5
"""Standard deviations of the lightness of cloth and of hair further inwards that are no light."""
SMALL = 0.05
"""Side of the square, face heights, that such a place at least fills: buttons and buckles shine."""
WARM = 0.05
"""By how much redder than blue, beside the cloth further inwards, a pixel is no daylight: a red braid is the sleeve's own."""
SIDEWAYS, EVEN = 0.85, 0.05
"""How far to the side an outline faces from which light on its cloth is looked for, the sine of its slope: shoulders are lit from
above; and width of the blur of the outline for that, face heights."""
LEAST, WORKED = 200, 256
"""Pixels of cloth or hair further inwards that there have to be; side of the picture on which neighbourhoods are looked at."""
NORMAL = 0.6745
"""Median absolute deviation of a normal distribution, in standard deviations."""
SOFT = 0.006
"""Width over which such a place's edge is soft, face heights."""
TINT = (1.5, 2.5)
"""Standard deviations of the hue of the hair further inwards between which a hue is taken for the
light's; the first is left of it."""


def without_rim_light_outside(portrait: Portrait, colors: Array, height: float) -> Array:
    """(S, S, 3) the colours (S, S, 3) of a photo without light on the rims of hair and clothes. height: of the face, pixels."""
    if portrait.parsing is None:
        return colors
    person = np.pad((portrait.matte > 0.5) | ~portrait.inside, 1, constant_values=True)
    depth = ndimage.distance_transform_edt(person)[1:-1, 1:-1]
    shown = (portrait.matte > 0.5) & portrait.inside
    cloth, hair = portrait.parsing.most("clothes") & shown, portrait.parsing.most("hair") & shown
    return hair_unlit(cloth_unlit(colors, cloth, depth, height), hair, depth, height)


def cloth_unlit(colors: Array, cloth: NDArray[np.bool_], depth: Array, height: float) -> Array:
    """The colours without the light on the rim of `cloth` (S, S). depth: (S, S) pixels from the person's outline."""
    rim, inner = cloth & (depth < WIDE * height), cloth & (depth >= WIDE * height)
    if inner.sum() < LEAST or not rim.any():
        return colors
    own, spread = _around(colors, inner, height)
    light = colors.mean(axis=2)
    excess = light - own.mean(axis=2)
    lit = rim & (excess > np.maximum(LIGHTER, NATURAL * spread)) & (light > _lightest(light, inner, height))
    lit &= (colors - own)[..., 0] < (colors - own)[..., 2] + WARM
    down, across = np.gradient(cv2.GaussianBlur(depth.astype(np.float32), (0, 0), EVEN * height))
    lit &= np.abs(across) > SIDEWAYS * np.hypot(across, down)
    label, _ = ndimage.label(lit)
    bright = lit & (excess > LIGHTEST) & (depth < TOUCHES * height)
    large = np.bincount(label.ravel()) > (SMALL * height) ** 2
    lit = np.isin(label, [place for place in np.unique(label[bright]) if place and large[place]])
    if not lit.any():
        return colors
    grown = ndimage.binary_dilation(lit, iterations=max(1, round(SOFT * height))) & (depth < WIDE * height)
    part = cv2.GaussianBlur(grown.astype(np.float32), (0, 0), SOFT * height)[..., None]
    return np.asarray(colors + part * (own - colors), np.float32)


def hair_unlit(colors: Array, hair: NDArray[np.bool_], depth: Array, height: float) -> Array:
    """The colours without the light in the rim of `hair` (S, S). depth: (S, S) pixels from the person's outline."""
    rim, inner = hair & (depth < WIDE_HAIR * height), hair & (depth >= WIDE * height)
    if inner.sum() < LEAST or not rim.any():
        return colors
    light = colors.mean(axis=2)
    inner &= light >= np.median(light[inner])  # between strands skin and shadow show
    own = np.median(colors[inner], axis=0)
    base = float(own.mean())
    hue, of = colors / np.maximum(light, 0.02)[..., None], own / max(base, 0.02)
    away = np.linalg.norm(hue - of, axis=2)
    usual, spread = (float(np.median(np.abs(a))) / NORMAL for a in (away[inner], light[inner] - base))
    tinted = np.clip((away / max(usual, 1e-3) - TINT[0]) / (TINT[1] - TINT[0]), 0, 1) * (hue[..., 2] > of[2]) * rim
    lighter = np.clip(light - base - NATURAL_HAIR * spread, 0, None)
    part = (tinted * np.clip(lighter / LIGHTER, 0, 1)).astype(np.float32)
    part = cv2.GaussianBlur(part, (0, 0), SOFT * height)[..., None]
    own_hue = of + (hue - of) * np.minimum(1, TINT[0] * usual / np.maximum(away, 1e-6))[..., None]
    return np.asarray(colors + part * (own_hue * (light - lighter)[..., None] - colors), np.float32)


def _around(colors: Array, which: NDArray[np.bool_], height: float) -> tuple[Array, Array]:
    """The mean (S, S, 3) of the nearest of the pixels `which` (S, S) around each pixel, and the standard deviation of their
    lightness (S, S)."""
    side = len(which)
    small, width = min(WORKED, side), AROUND * height * min(WORKED, side) / side
    light = colors.mean(axis=2, keepdims=True)
    total = np.concatenate([colors, light * light, np.ones_like(light)], axis=2) * which[..., None]
    total = np.dstack([cv2.resize(channel, (small, small), interpolation=cv2.INTER_AREA) for channel in np.moveaxis(total, 2, 0)])
    total = cv2.GaussianBlur(total, (0, 0), width)
    near = ndimage.distance_transform_edt(total[..., 4] < 0.02, return_distances=False, return_indices=True)
    mean = (total[..., :4] / np.maximum(total[..., 4:], 1e-6))[near[0], near[1]]
    own = cv2.resize(mean, (side, side), interpolation=cv2.INTER_LINEAR)
    return own[..., :3], np.sqrt(np.maximum(own[..., 3] - own[..., :3].mean(axis=2) ** 2, 0))


def _lightest(light: Array, which: NDArray[np.bool_], height: float) -> Array:
    """(S, S) the greatest lightness (S, S) of the pixels `which` (S, S) near each pixel, 0 where there is none."""
    side = len(which)
    small = min(WORKED, side)
    scale, weight = height * small / side, which.astype(np.float32)
    weight, value = (cv2.resize(a, (small, small), interpolation=cv2.INTER_AREA) for a in (weight, light * weight))
    weight, value = (cv2.GaussianBlur(a, (0, 0), FINE * scale) for a in (weight, value))
    most = ndimage.maximum_filter(np.where(weight > 0.5, value / np.maximum(weight, 1e-6), 0), round(2 * NEAR * scale))
    return np.asarray(cv2.resize(most.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR), np.float32)
