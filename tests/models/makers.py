"""Small made-up heads and avatars for the tests of `models`."""

from __future__ import annotations

import zlib

import numpy as np

from models import arkit
from models.avatar import Avatar
from models.binding import BoundGaussians
from models.corrections import WIDTH, Basis, Corrections
from models.heads.base import JOINTS, LANDMARKS, HeadModel
from models.networks import DEFORMATION, DYNAMICS, Half, Networks, Shape


def random_head(seed: int = 0, vertices: int = 40, faces: int = 60, identities: int = 3) -> HeadModel:
    """A head model of random triangles; nothing about it looks like a head, but all arrays have their shapes."""
    rng = np.random.default_rng(seed)
    f32 = np.float32
    weights = rng.uniform(size=(vertices, len(JOINTS)))
    corners = np.stack([rng.permutation(vertices)[:3] for _ in range(faces)]).astype(np.int32)
    barycentric = rng.dirichlet(np.ones(3), LANDMARKS)
    return HeadModel(
        name="random",
        template=rng.normal(0, 0.1, (vertices, 3)).astype(f32),
        faces=corners,
        region=rng.integers(0, 9, faces).astype(np.uint8),
        uv=rng.uniform(size=(vertices, 2)).astype(f32),
        face_uv=corners.copy(),
        identity_basis=rng.normal(0, 0.01, (identities, vertices, 3)).astype(f32),
        expression_basis=rng.normal(0, 0.01, (arkit.COUNT, vertices, 3)).astype(f32),
        joints=rng.normal(0, 0.1, (len(JOINTS), 3)).astype(f32),
        joints_basis=rng.normal(0, 0.01, (identities, len(JOINTS), 3)).astype(f32),
        weights=(weights / weights.sum(1, keepdims=True)).astype(f32),
        landmark_face=rng.integers(0, faces, LANDMARKS).astype(np.int32),
        landmark_barycentric=barycentric.astype(f32),
        landmark_weight=rng.uniform(size=LANDMARKS).astype(f32),
        gaze_range=np.full(4, 0.3, f32),
    )


def quaternions(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, 4) float32 random unit quaternions wxyz."""
    q = rng.normal(size=(count, 4))
    return (q / np.linalg.norm(q, axis=1, keepdims=True)).astype(np.float32)


def bound_gaussians(count: int, faces: int, seed: int = 0) -> BoundGaussians:
    """Random Gaussians of the sizes that enrollment makes."""
    rng = np.random.default_rng(seed)
    return BoundGaussians(
        face=rng.integers(0, faces, count).astype(np.int32),
        means=rng.normal(0, 3, (count, 3)).astype(np.float32),
        rotations=quaternions(rng, count),
        scales=np.exp(rng.normal(-1, 1.5, (count, 3))).astype(np.float32),
        opacities=rng.uniform(size=count).astype(np.float32),
        colors=rng.uniform(size=(count, 3)).astype(np.float32),
    )


def png(width: int = 2, height: int = 2) -> bytes:
    """A black picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    size = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    rows = (b"\0" + bytes(width)) * height
    chunks = chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def avatar(head: HeadModel, count: int = 50, seed: int = 0) -> Avatar:
    """A random avatar on `head`, with a preview and a provenance record."""
    rng = np.random.default_rng(seed)
    return Avatar(
        head=head.name,
        identity=rng.normal(size=head.identity_count).astype(np.float32),
        offset=rng.normal(0, 0.001, (head.vertex_count, 3)).astype(np.float32),
        gaussians=bound_gaussians(count, len(head.faces), seed),
        provenance={"consent": {"by": "Zoë", "at": "2024-05-01T10:00:00Z"}, "photo": "ab" * 32, "version": "0.1.0"},
        previews={"front": png(), "side": png(3, 1)},
    )


def corrections(head: HeadModel, count: int = 50, active: int = 20, rank: int = 4, seed: int = 0) -> Corrections:
    """Random corrections of `active` of `count` Gaussians and of all vertices, as a file keeps them."""
    rng = np.random.default_rng(seed)

    def basis(size: float, *shape: int) -> Basis:
        mixing = rng.normal(0, 0.3, (arkit.COUNT, rank)).astype(np.float32)
        return Basis(rng.normal(0, size, (rank, *shape)).astype(np.float32), mixing).rounded()

    which = np.sort(rng.choice(count, active, replace=False)).astype(np.int32)
    return Corrections(which, basis(0.1, active, WIDTH), basis(0.005, head.vertex_count, 3), 0.125)


def networks(head: HeadModel, corrections: Corrections, size: float = 1.0, seed: int = 0) -> Networks:
    """Random networks behind corrections, as a file keeps them; `size`: of their weights."""
    rng, sizes = np.random.default_rng(seed), {"A": len(corrections.active), "V": head.vertex_count}

    def weights(layout: dict[str, Shape]) -> dict[str, Half]:
        shapes = {name: [s if isinstance(s, int) else sizes[s] for s in shape] for name, shape in layout.items()}
        return {name: rng.normal(0, size, shape).astype(np.float16) for name, shape in shapes.items()}

    return Networks(weights(DYNAMICS), weights(DEFORMATION))
