"""Gaussians and avatars for the tests of the formats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from models.avatar import Avatar
from models.heads.base import REGION, HeadModel
from models.types import Gaussians
from tests.models import makers

FLAME_VERTICES, FLAME_FACES, TEETH_VERTICES, TEETH_FACES = 5023, 9976, 120, 170


def world(count: int = 500, seed: int = 0) -> Gaussians:
    """Random Gaussians the size of those of a head."""
    rng = np.random.default_rng(seed)
    return Gaussians(
        rng.normal(0, 0.1, (count, 3)).astype(np.float32),
        makers.quaternions(rng, count),
        np.exp(rng.uniform(-9.5, -2, (count, 3))).astype(np.float32),
        rng.uniform(size=count).astype(np.float32),
        rng.uniform(size=(count, 3)).astype(np.float32),
    )


def turned(g: Gaussians) -> Gaussians:
    """Avatar space (x right, y up, z back) to a PLY's axes (x right, y down, z forward): half a turn around x,
    and of each Gaussian around its own, which leaves its shape."""
    half = Rotation.from_rotvec([np.pi, 0, 0])
    xyzw = (half * Rotation.from_quat(np.roll(g.rotations, -1, axis=1)) * half.inv()).as_quat()
    return replace(
        g, means=half.apply(g.means).astype(np.float32), rotations=np.roll(xyzw, 1, axis=1).astype(np.float32)
    )  # fmt: skip


def flame_like() -> HeadModel:
    """A head with FLAME's numbers of vertices and triangles, and with teeth behind them; it looks like nothing."""
    rng = np.random.default_rng(1)
    vertices = FLAME_VERTICES + TEETH_VERTICES
    head = makers.random_head(1, 100, 10, 0)
    faces = rng.integers(0, FLAME_VERTICES, (FLAME_FACES + TEETH_FACES, 3))
    faces[FLAME_FACES:] = rng.integers(FLAME_VERTICES, vertices, (TEETH_FACES, 3))
    faces[FLAME_FACES : FLAME_FACES + 40] = np.arange(FLAME_VERTICES, vertices).reshape(-1, 3)
    region = np.full(len(faces), REGION["skin"], np.uint8)
    region[FLAME_FACES:] = REGION["upper_teeth"]
    return replace(
        head,
        name="flame2023",
        template=rng.normal(0, 0.1, (vertices, 3)).astype(np.float32),
        faces=faces.astype(np.int32),
        region=region,
        identity_basis=np.zeros((300, vertices, 3), np.float32),
        expression_basis=np.zeros((52, vertices, 3), np.float32),
        joints_basis=np.zeros((300, 6, 3), np.float32),
        weights=np.full((vertices, 6), 1 / 6, np.float32),
    )


def flame_avatar(head: HeadModel, count: int = 300) -> Avatar:
    """An avatar on `flame_like`, with some Gaussians on its teeth."""
    out = makers.avatar(head, count)
    bound = replace(out.gaussians, scales=np.minimum(out.gaussians.scales, 50))
    bound.face[:20] = FLAME_FACES + np.arange(20)
    bound.face[20:] %= FLAME_FACES
    return replace(out, gaussians=bound)
