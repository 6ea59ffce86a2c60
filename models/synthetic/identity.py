"""Face shapes: identity coefficients over their whole range, and a smooth offset beyond the identity directions."""

from __future__ import annotations

import numpy as np

from models.heads.base import LEFT_EYE, RIGHT_EYE, HeadModel, PersonHead
from models.types import Array

CENTRES = 26
CLEAR = 0.026
"""Metres around the eyes that keep their shape, so that lids still close over the balls."""


def random_person(model: HeadModel, rng: np.random.Generator) -> tuple[PersonHead, Array, Array]:
    """A person, its identity coefficients (K,) float32 and its vertex offset (V, 3) float32 metres."""
    spread = rng.uniform(0.65, 1.0)
    identity = np.clip(rng.normal(0, spread, model.identity_count), -2.4, 2.4).astype(np.float32)
    identity[0] *= 0.45
    offset = smooth_offset(model, rng)
    return model.person(identity, offset), identity, offset


def smooth_offset(model: HeadModel, rng: np.random.Generator) -> Array:
    """(V, 3) float32 metres: smooth bulges and hollows of millimetres, nearly symmetric, none at the eyes."""
    v = model.template
    skin = model.region_vertices("skin")
    out = np.zeros_like(v)
    for _ in range(CENTRES):
        centre = v[rng.choice(skin)]
        size = rng.uniform(0.014, 0.045)
        push = rng.normal(0, 1, 3) * 0.045 * size
        uneven = rng.normal(0, 0.15)
        for side in (1.0, -1.0):
            flip = np.array([side, 1, 1])
            d = np.sum((v - centre * flip) ** 2, axis=1)
            out += (1 + side * uneven) * np.exp(-0.5 * d / size**2)[:, None] * push * flip
    # the skull's proportions
    x, y, z = v.T
    crown, back = np.clip((y - 0.02) / 0.1, 0, 1), np.clip((0.02 - z) / 0.1, 0, 1) * (y > -0.06)
    out[:, 1] += crown * rng.normal(0, 0.004)
    out[:, 0] += x * crown * rng.normal(0, 0.04)
    out[:, 2] -= back * rng.normal(0, 0.005)
    for joint in (LEFT_EYE, RIGHT_EYE):
        d = np.linalg.norm(v - model.joints[joint], axis=1)
        out *= np.clip((d - CLEAR) / 0.018, 0, 1)[:, None]
    # shoulders and what is cut off stay where they are
    return np.asarray(out * np.clip((y + 0.26) / 0.1, 0, 1)[:, None], np.float32)
