"""The line along which cloth ends around the neck. A photo shows cloth and skin in front and at the sides, in patches where jaw,
collar and shoulder meet; a collar is one line that rises from the throat to the nape. So on each side the line is the rising
one that parts what the photo shows best (isotonic regression, by dynamic programming), and goes on behind as high as it was seen.
"""

from __future__ import annotations

import numpy as np

from models.heads.base import HeadModel
from models.types import Array, Array64

AXIS = -0.03
"""Depth of the neck's axis on the template, metres."""
SECTOR, LEVELS = 15.0, np.linspace(-0.17, 0.0, 52, dtype=np.float32)
"""Width of the sectors around the axis, degrees, and the heights in each of which the line is looked for, metres."""
USUAL, DRAWN, STEP = -0.1, (0.01, 0.1), 0.05
"""Height of a collar that the photo does not show, metres; what it costs the line to be a metre off the likeliest height of a
sector that shows cloth or skin alone, and both, and to rise by a metre, beside a wrong vertex that is seen square on."""
APART = 0.02
"""How much higher the line may be on one side than on the other, metres: something before the neck may hide one."""
BACK = 90.0
"""Degrees from the front behind which both sides become one."""


def around_neck(points: Array) -> Array:
    """(N,) degrees in [-180, 180] from the front to points (N, 3) on the template, around the neck's axis; positive to the
    person's left."""
    x, _, z = points.T
    return np.asarray(np.degrees(np.arctan2(x, z - AXIS)), np.float32)


def collar_line(model: HeadModel, label: Array, trust: Array) -> Array:
    """(V,) height on the template at which cloth ends in each vertex's direction from the neck's axis, metres.

    label: (V,) in [0, 1], how much of each vertex is cloth. trust: (V,) in it, 0 where the photo does not show it.
    """
    angle, height = around_neck(model.template), model.template[:, 1]
    middle = np.arange(SECTOR / 2, 180, SECTOR)
    sides = [_rising(side, height, label, np.where(side < 0, 0.0, trust)) for side in (angle, -angle)]
    lowest = np.minimum(*sides)
    left, right = (np.minimum(line, lowest + APART) for line in sides)
    back = np.interp(middle, (BACK, 180), (0, 1))
    left, right = (line + back * (lowest - line) for line in (left, right))
    around = np.concatenate([-middle[::-1], middle])
    return np.interp(angle, around, np.concatenate([right[::-1], left])).astype(np.float32)


def _rising(angle: Array, height: Array, label: Array, trust: Array) -> Array:
    """(B,) the line's height in each sector from the front to the back. angle: (V,) degrees."""
    sectors = round(180 / SECTOR)
    sector = np.minimum((np.maximum(angle, 0) / SECTOR).astype(int), sectors - 1)
    wrong = np.empty((sectors, len(LEVELS)))
    for b in range(sectors):
        here = (sector == b) & (trust > 0)
        wrong[b] = np.abs((height[here] < LEVELS[:, None]) - label[here]) @ trust[here]
        if here.any():
            both = 0 < np.mean(label[here] > 0.5) < 1
            wrong[b] += DRAWN[int(both)] * np.abs(LEVELS - _likeliest(wrong[b], label[here]))
    rise = LEVELS[:, None] - LEVELS  # from the second index's level to the first's
    step = np.where(rise >= 0, STEP * rise, np.inf)
    if not (trust > 0).any():
        return np.full(sectors, USUAL, np.float32)
    total, came = wrong[0], np.empty((sectors, len(LEVELS)), int)
    for b in range(1, sectors):
        ways = step + total
        came[b] = ways.argmin(axis=1)
        total = wrong[b] + ways.min(axis=1)
    line = [int(total.argmin())]
    for b in range(sectors - 1, 0, -1):
        line.append(int(came[b, line[-1]]))
    return np.asarray(LEVELS[line[::-1]])


def _likeliest(wrong: Array64, label: Array) -> float:
    """Of the heights at which the least is wrong: halfway between cloth and skin; where there is no skin above, just over the
    cloth; where there is no cloth, the usual one if skin does not deny it. wrong: of each of `LEVELS`. label: (N,)."""
    best = LEVELS[wrong <= wrong.min() + 1e-6]
    if (label > 0.5).all():
        return float(best[0])
    return float(best.mean()) if (label > 0.5).any() else min(USUAL, float(best[-1]))
