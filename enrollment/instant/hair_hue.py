"""The hue of hair: strands differ in lightness, and in hue hardly more than with it. A camera's noise, and coloured light between
short hair, would be coloured blotches all around the head."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.types import Array

MOST_HUE = 0.2
"""Most standard deviation of the hue, where it does not go along with the lightness, relative to the lightness's."""
ROBUST = 1.4826
"""Standard deviation of a normal distribution, in median absolute deviations."""


def in_one_hue(detail: Array, shown: NDArray[np.bool_], part: float) -> Array:
    """Texture of hair, (S, S, 3) differences from its tone, with the hue held to `MOST_HUE`. shown: (S, S) pixels of hair. part:
    in [0, 1], how much of what exceeds it goes: a patterned scarf keeps its hues."""
    light = detail.mean(axis=2)
    own = light[shown]
    strength = float(own @ own)
    if strength < 1e-9:
        return detail
    hue = detail - light[..., None]
    with_light = light[..., None] * (own @ hue[shown] / strength)
    left = hue - with_light
    spread, allowed = (float(ROBUST * np.median(np.abs(of))) for of in (np.linalg.norm(left[shown], axis=1), MOST_HUE * own))
    scale = min(1.0, allowed / max(spread, 1e-9))
    return np.asarray(light[..., None] + with_light + (1 - part * (1 - scale)) * left, np.float32)
