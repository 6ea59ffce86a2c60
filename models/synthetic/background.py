"""Backgrounds: a blurred panorama, so that all cameras around a head see one room."""

from __future__ import annotations

import cv2
import numpy as np

from models.types import Array, Camera

ROWS, COLUMNS = 96, 256


def panorama(rng: np.random.Generator) -> Array:
    """(96, 256, 3) float32 sRGB in [0, 1], all directions: a studio, a room or a street, out of focus."""
    base = np.clip(rng.uniform(0.08, 0.85) * np.exp(rng.normal(0, 0.02 + 0.14 * rng.random() ** 2, 3)), 0.02, 0.98)
    out = np.tile(base, (ROWS, COLUMNS, 1)).astype(np.float32)
    out += np.linspace(rng.normal(0, 0.15), rng.normal(0, 0.15), ROWS)[:, None, None]
    if rng.random() < 0.75:
        for _ in range(rng.integers(6, 40)):
            x, y = rng.integers(0, COLUMNS), rng.integers(0, ROWS)
            w, h = int(rng.integers(2, 40)), int(rng.integers(3, 50))
            color = np.clip(base * np.exp(rng.normal(0, 0.25, 3) * rng.random() ** 2) + rng.normal(0, 0.18), 0, 1)
            for shift in (-COLUMNS, 0, COLUMNS):
                cv2.rectangle(out, (x + shift, y), (x + shift + w, y + h), color.tolist(), -1)
    sigma = float(np.exp(rng.uniform(-0.3, 2.0)))
    wide = cv2.GaussianBlur(np.concatenate([out, out, out], axis=1), (0, 0), sigma)
    return np.ascontiguousarray(np.clip(wide[:, COLUMNS : 2 * COLUMNS + 1], 0, 1))


def behind(view: Array, camera: Camera) -> Array:
    """The panorama (96, 257, 3) as a camera sees it, (H, W, 3) float32 sRGB."""
    x = (np.arange(camera.width) + 0.5 - camera.cx) / camera.fx
    y = (np.arange(camera.height) + 0.5 - camera.cy) / camera.fy
    r = camera.world_to_camera[:3, :3]
    local = np.stack(
        [np.broadcast_to(x, (len(y), len(x))), np.broadcast_to(y[:, None], (len(y), len(x))), np.ones((len(y), len(x)))], -1
    )
    d = (local @ r).astype(np.float32)
    u = (np.arctan2(d[..., 0], d[..., 2]) / (2 * np.pi) + 0.5) * COLUMNS
    v = (0.5 - np.arctan2(d[..., 1], np.hypot(d[..., 0], d[..., 2])) / np.pi) * ROWS - 0.5
    return np.asarray(
        cv2.remap(view, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )
