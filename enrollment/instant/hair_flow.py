"""The direction in which hair grows: from the crown outwards, then downwards."""

from __future__ import annotations

import numpy as np

from models.heads.base import HeadModel
from models.types import Array

CROWN = (0.0, 0.125, -0.04)
"""Where the hair parts in all directions, on the template, metres."""
FALLS = (0.04, 0.15)
"""Distances from the crown, metres, between which the flow turns from outwards to downwards."""


def flow(model: HeadModel, vertices: Array, points: Array, normals: Array, down: Array) -> Array:
    """Directions (N, 3), unit, in which hair grows at points (N, 3) of the surface: from the crown outwards, then downwards."""
    crown = vertices[np.argmin(np.linalg.norm(model.template - np.array(CROWN, np.float32), axis=1))]
    outwards = points - crown
    distance = np.linalg.norm(outwards, axis=1, keepdims=True)
    part = np.clip((distance - FALLS[0]) / (FALLS[1] - FALLS[0]), 0, 1)
    wanted = (1 - part) * outwards / np.maximum(distance, 1e-6) + part * down
    wanted = wanted - np.sum(wanted * normals, axis=1, keepdims=True) * normals
    return np.asarray(wanted / np.maximum(np.linalg.norm(wanted, axis=1, keepdims=True), 1e-6), np.float32)
