"""Brows, lashes and beards: short hairs that ride on the skin's triangles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.heads.base import PersonHead
from models.synthetic.anatomy import Anatomy
from models.synthetic.hair_growth import gather_locks, scatter
from models.synthetic.noise import coarse_fractal
from models.synthetic.skin import UPPER_LIDS, masks
from models.synthetic.strands import Strands
from models.synthetic.traits import Traits
from models.types import Array


def _surface(person: PersonHead, face: NDArray[np.int32], bary: Array) -> tuple[Array, Array]:
    corners = person.rest[person.model.faces[face]]
    root = np.einsum("nk,nkc->nc", bary, corners)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return root, normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)


def _colors(traits: Traits, count: int, darker: float, rng: np.random.Generator) -> Array:
    color = np.asarray(traits.natural_color) * darker * np.exp(rng.normal(0, 0.25, (count, 1)))
    grey = np.clip(traits.grey - 0.1 + rng.normal(0, 0.2 * (traits.grey > 0.02), count), 0, 1)[:, None]
    color = color * (1 - grey) + grey * np.array([0.36, 0.35, 0.34]) * np.exp(rng.normal(0, 0.12, (count, 1)))
    return np.asarray(color, np.float32)


def brows(a: Anatomy, person: PersonHead, traits: Traits, rng: np.random.Generator) -> Strands:
    """Two brows, each of some hundred hairs."""
    mask = np.clip(masks(a).brows * 1.6 - 0.35, 0, 1)
    # thin brows keep the middle of the band
    thin = rng.uniform(0.0, 0.65) if traits.masculine < 0.5 else rng.uniform(0.0, 0.25)
    mask = np.clip((masks(a).brows - 0.25 - 0.5 * thin) * 2.5, 0, 1) if thin > 0 else mask
    face, bary, place = scatter(person, a.skin, mask.astype(np.float32), int(rng.uniform(420, 800)), rng)
    if len(face) == 0:
        return Strands.none()
    root, normal = _surface(person, face, bary)
    side = np.sign(place[:, 0])
    inner = np.clip(1 - (np.abs(place[:, 0]) - 0.014) / 0.014, 0, 1)
    direction = np.stack(
        [side * (1 - 0.75 * inner), 0.25 + 0.9 * inner - 0.5 * (np.abs(place[:, 0]) > 0.042), np.full(len(side), 0.05)], 1
    )
    direction += rng.normal(0, 0.22, direction.shape)
    direction -= 0.8 * normal * np.sum(direction * normal, axis=1, keepdims=True)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    length = rng.uniform(0.0040, 0.0072, (len(face), 1, 1)) * (0.75 + 0.35 * traits.masculine)
    s = np.linspace(0, 1, 4)[None, :, None]
    bow = normal[:, None] * (0.0006 + 0.0018 * np.sin(s * np.pi) * 0.6)
    paths = root[:, None] + direction[:, None] * s * length + bow
    width = np.array([0.00022, 0.00024, 0.00020, 0.0001])
    return Strands.of(
        paths.astype(np.float32), width, _colors(traits, len(face), 0.55, rng), face=face,
        normals=np.repeat(normal[:, None], 4, 1).astype(np.float32),
    )  # fmt: skip


def lashes(person: PersonHead, traits: Traits, rng: np.random.Generator) -> Strands:
    """Lashes of the upper lids, bound to the triangles that carry the lid's landmarks."""
    model, paths, faces = person.model, [], []
    points = person.landmarks(person.rest)
    long = (0.0055 if traits.masculine > 0.5 else 0.0075) * (1 + 0.3 * traits.makeup)
    for lid, side in zip(UPPER_LIDS, (-1, 1), strict=True):
        line = points[list(lid)]
        for place in np.linspace(0.6, len(lid) - 1.6, 34) + rng.normal(0, 0.08, 34):
            i = int(np.clip(place, 0, len(lid) - 2))
            root = line[i] + (line[i + 1] - line[i]) * (place - i) + np.array([0, 0.0002, 0.0006])
            outward = 0.55 * side * (1 - 2 * place / (len(lid) - 1)) * 1.0
            direction = np.array([outward, 0.10, 1.0]) / 1.1
            s = np.linspace(0, 1, 4)[:, None]
            path = root + long * (direction * s + np.array([0, 0.75, -0.1]) * s**2 - np.array([0, 0.2, 0]) * s)
            paths.append(path)
            faces.append(model.landmark_face[lid[i if place - i < 0.5 else i + 1]])
    color = np.tile(np.minimum(np.asarray(traits.natural_color) * 0.4, 0.04), (len(paths), 1))
    return Strands.of(
        np.asarray(paths, np.float32), np.array([0.00022, 0.00018, 0.00014, 0.0001]), color.astype(np.float32),
        face=np.asarray(faces),
    )  # fmt: skip


def beard(a: Anatomy, person: PersonHead, traits: Traits, rng: np.random.Generator) -> Strands:
    """Moustache, goatee, short or full beard; it follows lips and jaw."""
    if traits.beard in ("none", "stubble"):
        return Strands.none()
    k = masks(a)
    at, up = np.abs(k.azimuth), k.elevation
    moustache = (at < 17) & (up > -29 - 0.2 * at) & (up < -17)
    chin = (at < 16) & (up <= -30)
    area = {"moustache": moustache, "goatee": chin | moustache, "short": up < 90, "full": up < 90}[traits.beard]
    patchy = np.clip(1.1 + 0.5 * coarse_fractal(a.positions, 0.015, 2, int(rng.integers(1 << 20))), 0, 1)
    mask = (np.clip(k.beard * 1.4 - 0.1, 0, 1) * area * patchy).astype(np.float32)
    long = {"moustache": 0.011, "goatee": 0.016, "short": 0.0065, "full": rng.uniform(0.018, 0.05)}[traits.beard]
    count = {"moustache": 1600, "goatee": 2600, "short": 8000, "full": 6500}[traits.beard]
    face, bary, place = scatter(person, a.skin, mask, count, rng)
    if len(face) == 0:
        return Strands.none()
    root, normal = _surface(person, face, bary)
    upper = place[:, 1] > -0.047
    direction = np.stack(
        [0.5 * np.sign(place[:, 0]) * upper * (np.abs(place[:, 0]) > 0.003), np.full(len(face), -1.0), 0 * upper], 1
    )
    direction = direction + normal * 0.55 + rng.normal(0, 0.25, direction.shape)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    steps = 6
    length = (
        long
        * np.exp(rng.normal(0, 0.25, len(face)))
        * np.where(upper, min(0.011 / long, 1.0), np.clip((-place[:, 1] - 0.005) / 0.07, 0.25, 1))
    )
    length = length * np.clip(1 + (place[:, 1] + 0.098) / 0.02, 0.2, 1)  # short on the neck
    s = np.linspace(0, 1, steps)[None, :, None]
    fall = np.array([0, -1.0, 0.0]) * s**2 * 0.5 - normal[:, None] * s**2 * 0.15
    paths = root[:, None] + (direction[:, None] * s + fall) * length[:, None, None]
    paths = (paths + 0.0012 * normal[:, None] * np.sin(np.pi * s)).astype(np.float32)
    paths, _ = gather_locks(paths, 0.006, 0.35 if long > 0.015 else 0.15, rng)
    width = 0.00042 * np.interp(np.linspace(0, 1, steps), (0, 0.2, 0.7, 1), (0.7, 1, 0.9, 0.3))
    return Strands.of(
        paths, width, _colors(traits, len(face), 0.8, rng), face=face,
        normals=np.repeat(normal[:, None], steps, 1).astype(np.float32),
    )  # fmt: skip
