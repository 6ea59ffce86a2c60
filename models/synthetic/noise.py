"""Smooth random fields over space, for skin, cloth and hair."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.jit import kernel
from models.types import Array


@kernel(inline="always")
def hash01(x: Any, y: Any, z: Any, seed: Any) -> Any:
    """A number in [0, 1) that depends on three integers and a seed, and looks random."""
    h = np.uint32(x) * np.uint32(0x8DA6B343) ^ np.uint32(y) * np.uint32(0xD8163841)
    h = np.uint32(h ^ (np.uint32(z) * np.uint32(0xCB1AB31F)) ^ (np.uint32(seed) * np.uint32(0x9E3779B9)))
    h = np.uint32((h ^ (h >> np.uint32(15))) * np.uint32(0x2C1B3C6D))
    h = np.uint32((h ^ (h >> np.uint32(12))) * np.uint32(0x297A2D39))
    return np.float32(np.uint32(h ^ (h >> np.uint32(15))) >> np.uint32(8)) * np.float32(1.0 / 16777216.0)


@kernel()
def value_noise(x: Any, y: Any, z: Any, seed: Any) -> Any:
    """Value noise on the unit lattice, smooth, in [-1, 1]."""
    fx, fy, fz = np.floor(x), np.floor(y), np.floor(z)
    ix, iy, iz = np.int64(fx), np.int64(fy), np.int64(fz)
    u, v, w = np.float32(x - fx), np.float32(y - fy), np.float32(z - fz)
    u, v, w = u * u * (3 - 2 * u), v * v * (3 - 2 * v), w * w * (3 - 2 * w)
    a = hash01(ix, iy, iz, seed) * (1 - u) + hash01(ix + 1, iy, iz, seed) * u
    b = hash01(ix, iy + 1, iz, seed) * (1 - u) + hash01(ix + 1, iy + 1, iz, seed) * u
    c = hash01(ix, iy, iz + 1, seed) * (1 - u) + hash01(ix + 1, iy, iz + 1, seed) * u
    d = hash01(ix, iy + 1, iz + 1, seed) * (1 - u) + hash01(ix + 1, iy + 1, iz + 1, seed) * u
    return np.float32(2.0 * ((a * (1 - v) + b * v) * (1 - w) + (c * (1 - v) + d * v) * w) - 1.0)


@kernel()
def _fractal(points, wavelength, octaves, seed, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    for i in range(points.shape[0]):
        f, a, total, norm = np.float32(1.0 / wavelength), np.float32(1.0), np.float32(0.0), np.float32(0.0)
        for o in range(octaves):
            total += a * value_noise(points[i, 0] * f, points[i, 1] * f, points[i, 2] * f, seed + o)
            norm += a
            f *= np.float32(2.03)
            a *= np.float32(0.55)
        out[i] = total / norm


def fractal(points: NDArray[np.floating], wavelength: float, octaves: int, seed: int) -> Array:
    """Fractal noise at points (..., 3), about [-1, 1], (...) float32; wavelength: of the coarsest octave, in their unit."""
    flat = np.ascontiguousarray(points, np.float32).reshape(-1, 3)
    out = np.empty(len(flat), np.float32)
    _fractal(flat, np.float32(wavelength), octaves, seed & 0x7FFFFFFF, out)
    return out.reshape(points.shape[:-1])


def coarse_fractal(points: Array, wavelength: float, octaves: int, seed: int, step: int = 4) -> Array:
    """`fractal` on a grid of points (H, W, 3), computed at every `step`-th and interpolated: for slow fields, (H, W) float32."""
    few = fractal(np.ascontiguousarray(points[::step, ::step]), wavelength, octaves, seed)
    out: Array = cv2.resize(few, (points.shape[1], points.shape[0]), interpolation=cv2.INTER_LINEAR)
    return out
