"""The similarity that lays points on points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.types import Array64


def similarity(
    a: NDArray[np.floating], b: NDArray[np.floating], weight: NDArray[np.floating] | None = None
) -> tuple[float, Array64, Array64]:
    """Scale, rotation (3, 3) and shift (3,) that take points `a` (N, 3) closest to `b` (N, 3), each counted by weight (N,)
    (Umeyama 1991)."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    w = np.full(len(a), 1 / len(a)) if weight is None else weight / weight.sum()
    mean_a, mean_b = w @ a, w @ b
    u, s, vt = np.linalg.svd((b - mean_b).T @ ((a - mean_a) * w[:, None]))
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt)) or 1.0])
    rotation = np.asarray((u * sign) @ vt)
    scale = float((s * sign).sum() / max(float(w @ np.sum((a - mean_a) ** 2, axis=1)), 1e-12))
    return scale, rotation, mean_b - scale * rotation @ mean_a
