"""Scenes for the rasterizer tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from models.types import Gaussians

MakeGaussians = Callable[..., Gaussians]


@pytest.fixture(scope="session")
def make_gaussians() -> MakeGaussians:
    """make_gaussians(count, seed, smallest=0.002, largest=0.03) -> a cloud of about 15 cm around the origin."""

    def make(count: int, seed: int, smallest: float = 0.002, largest: float = 0.03) -> Gaussians:
        rng = np.random.default_rng(seed)
        rotations = rng.normal(size=(count, 4))
        rotations /= np.linalg.norm(rotations, axis=1, keepdims=True)
        arrays = (
            rng.normal(scale=0.15, size=(count, 3)),
            rotations,
            np.exp(rng.uniform(np.log(smallest), np.log(largest), (count, 3))),
            rng.uniform(0.0, 1.0, count),
            rng.uniform(0.0, 1.0, (count, 3)),
        )
        return Gaussians(*[array.astype(np.float32) for array in arrays])

    return make
