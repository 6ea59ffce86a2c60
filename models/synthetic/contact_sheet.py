"""A contact sheet: many synthetic heads in one picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.heads.base import HeadModel
from models.synthetic.cameras import orbit_camera
from models.synthetic.expressions import random_expression
from models.synthetic.head import SyntheticHead

ANGLES = (0, -35, 25, 60, -70, 15, -110, 180, 35, -20, 0, 100, -50, 10, 145, -10)


def contact_sheet(
    model: HeadModel, count: int = 64, seed: int = 0, *, size: int = 224, columns: int = 8, supersample: int = 2, **traits: Any
) -> NDArray[np.uint8]:
    """`count` different heads from different angles with different expressions, (H, W, 3) uint8 sRGB."""
    tiles = []
    for i in range(count):
        head = SyntheticHead.random(model, seed + i, **traits)
        rng = np.random.default_rng([seed, i, 7])
        yaw = ANGLES[i % len(ANGLES)] + rng.normal(0, 6)
        sample = head.render(
            orbit_camera(float(yaw), float(rng.normal(4, 7)), size=size), random_expression(rng, model), supersample=supersample
        )
        tiles.append(np.asarray(np.clip(sample.color, 0, 1) * 255 + 0.5, np.uint8))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    return np.concatenate([np.concatenate(tiles[i : i + columns], axis=1) for i in range(0, len(tiles), columns)])
