"""Clothes over the body mesh, collars, hats, headscarves and glasses."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.heads.base import HEAD, JOINTS, NECK, TORSO, PersonHead
from models.synthetic import materials
from models.synthetic.hair_growth import COLUMNS, ROWS, Obstacle
from models.synthetic.strands import Strands, weights_of
from models.synthetic.traits import PATTERNS, Traits
from models.types import Array

THICKNESS = {"tee": 0.004, "crew": 0.006, "v_neck": 0.006, "turtleneck": 0.006, "shirt": 0.005, "jacket": 0.011, "strappy": 0.003}


@dataclass(frozen=True)
class Garment:
    """A piece of mesh beside the head's own. vertices: (N, 3) rest; faces: (F, 3) int32; weights: (N, 6) skinning; canonical:
    (N, 3) where the pattern is looked up; cut: (N,), see `Triangles`; material: of `materials`."""

    vertices: Array
    faces: NDArray[np.int32]
    weights: Array
    canonical: Array
    cut: Array
    material: int


def clothes(person: PersonHead, normals: Array, traits: Traits, rng: np.random.Generator) -> Garment:
    """A top over the body's faces; normals: (V, 3) of the person at rest."""
    model = person.model
    faces = model.faces[model.region_faces("body")]
    used, local = np.unique(faces, return_inverse=True)
    place = model.template[used]
    thick = THICKNESS[traits.clothes] * rng.uniform(0.7, 1.5)
    cut = neckline(place, traits, rng)
    # the edge lies on the skin, the cloth below it stands off
    lift = 0.0015 + thick * np.clip(cut / 0.02, 0, 1)
    vertices = person.rest[used] + normals[used] * lift[:, None]
    return Garment(
        vertices.astype(np.float32), local.reshape(-1, 3).astype(np.int32), model.weights[used], place, cut.astype(np.float32),
        materials.CLOTH,
    )  # fmt: skip


def neckline(place: Array, traits: Traits, rng: np.random.Generator) -> Array:
    """Metres by which places on the template (N, 3) lie below the upper edge of the clothes."""
    x, y, z = place.T
    kind, wide = traits.clothes, rng.uniform(-0.004, 0.012)
    if kind == "turtleneck":
        return np.asarray(-0.108 - 0.30 * (z + 0.04) - wide - y, np.float32)
    if kind == "strappy":
        return np.maximum(-0.24 - y, 0.012 - np.abs(np.abs(x) - 0.095)).astype(np.float32)
    radius = {"tee": 0.084, "crew": 0.074, "v_neck": 0.078, "shirt": 0.066, "jacket": 0.068}[kind] + wide
    deep = {"v_neck": 0.07, "shirt": 0.05, "jacket": 0.06}.get(kind, 0.0)
    front = np.clip((z + 0.02) / 0.03, 0, 1)
    radius = radius + deep * np.clip(1 - np.abs(x) / 0.055, 0, 1) * front
    return np.maximum(np.hypot(x, z + 0.035) - radius, -0.26 - y).astype(np.float32)


def patterns(traits: Traits, rng: np.random.Generator) -> tuple[Array, Array]:
    """Colours (3, 2, 3) and parameters (3, 4) for cloth, hat and hat's trimming, as `materials` takes them."""
    colors = np.asarray([traits.cloth_colors, rng.permutation(np.asarray(traits.cloth_colors)), traits.cloth_colors], np.float32)
    if rng.random() < 0.6:
        colors[1, 0] = colors[2, 0] = np.clip(rng.choice([0.01, 0.05, 0.2, 0.6]) * np.exp(rng.normal(0, 0.4, 3)), 0.005, 0.8)
    kind = PATTERNS.index(traits.pattern)
    scale = {"stripes": rng.uniform(30, 120), "checks": rng.uniform(25, 60), "dots": rng.uniform(50, 90)}.get(traits.pattern, 1.0)
    hat = materials.KNIT if traits.hat == "beanie" else materials.PLAIN
    seed = int(rng.integers(1 << 16))
    return colors, np.array([(kind, scale, seed, 0.35), (hat, 1, seed + 1, 0.2), (materials.PLAIN, 1, seed + 2, 0.1)], np.float32)


def collar(person: PersonHead, around: Obstacle, traits: Traits, rng: np.random.Generator) -> Garment | None:
    """The turned-down collar of a shirt, or a jacket's standing one."""
    if traits.clothes not in ("shirt", "jacket"):
        return None
    gap = rng.uniform(0.25, 0.6) if traits.clothes == "shirt" else rng.uniform(0.5, 0.9)
    angle = np.linspace(gap, 2 * np.pi - gap, 40)
    x0, z0, radius, _ = around.neck
    front = np.cos(angle) * 0.5 + 0.5
    rows = [(-0.150, 0.004), (-0.118, 0.007), (-0.114, 0.012), (-0.143, 0.021)] if traits.clothes == "shirt" else [
        (-0.165, 0.012), (-0.125, 0.016), (-0.121, 0.022), (-0.17, 0.030),
    ]  # fmt: skip
    ring = []
    for i, (y, out) in enumerate(rows):
        r = radius + out
        drop = 0.035 * front + (0.022 * front**6 if i == 3 else 0.0)
        ring.append(np.stack([x0 + r * np.sin(angle), y - drop + 0 * angle, z0 + 0.012 * front + r * np.cos(angle)], axis=1))
    return _grid(np.stack(ring), materials.CLOTH, joint=None, person=person)


def hat(person: PersonHead, around: Obstacle, traits: Traits, rng: np.random.Generator) -> list[Garment]:
    """Cap, knitted hat, turban, headscarf or a hat with a brim."""
    kind = traits.hat
    if kind == "none":
        return []
    azimuth = np.linspace(-np.pi, np.pi, 73)
    a = np.abs(np.degrees(azimuth))
    line = {
        "cap": np.interp(a, (0, 60, 100, 180), (34, 26, 16, 2)), "brim": np.interp(a, (0, 60, 100, 180), (30, 24, 14, 4)),
        "beanie": np.interp(a, (0, 60, 90, 180), (30, 22, 12, -14)) + rng.uniform(-2, 8),
        "turban": np.interp(a, (0, 55, 90, 180), (34, 24, 14, -16)),
        "headscarf": np.interp(a, (0, 30, 55, 66, 74, 180), (38, 34, 10, -30, -64, -70)),
    }[kind]  # fmt: skip
    thick = {"cap": 0.010, "brim": 0.012, "beanie": 0.010, "turban": 0.016, "headscarf": 0.010}[kind]
    t = np.linspace(0, 1, 26)[:, None]
    elevation = np.radians(90 - (90 - line)[None] * t)
    direction = np.stack([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)], axis=-1)
    radius = _surface(around, azimuth, elevation, 3.0 if kind in ("turban", "headscarf") else 2.0)
    swell = thick * (0.6 + 0.4 * np.sin(np.pi * np.clip(t, 0, 0.8)))
    if kind == "turban":
        folds = np.sin(t * 30 + 3.0 * np.cos(azimuth)[None] * t) * 0.0035
        swell = swell + 0.018 * np.sin(np.pi * np.clip(t * 0.9, 0, 1)) + folds
    if kind == "headscarf":
        folds = 0.0025 * np.sin(azimuth[None] * 9 + 6 * t) * t
        swell = swell + folds + 0.006 * np.exp(-(((a - 100) / 30) ** 2))[None] * t
    if kind == "brim":
        swell = swell + 0.012 * np.clip(np.sin(elevation), 0, 1)
    garments = [_grid(direction * (radius + swell)[..., None], materials.HAT, joint=HEAD, person=person)]
    bottom = garments[0].vertices.reshape(26, 73, 3)[-1]
    if kind in ("beanie",):
        fold = np.stack([bottom * 1.0 + np.array([0, y, 0]) for y in (-0.002, 0.0, 0.03, 0.032)])
        fold *= np.array([1.0, 1.03, 1.035, 1.0])[:, None, None] * np.array([1, 0, 1]) + np.array([0, 1, 0])
        garments.append(_grid(fold, materials.HAT, joint=HEAD, person=person))
    if kind in ("cap", "brim"):
        s = np.linspace(0, 1, 8)[:, None]
        peak = 0.075 * np.sqrt(np.clip((np.cos(azimuth) - 0.42) / 0.58, 0, 1))
        reach = peak if kind == "cap" else np.full_like(azimuth, 0.06)
        out = np.stack([np.sin(azimuth), 0 * azimuth, np.cos(azimuth) * 1.1], axis=-1)
        brim = bottom[None] + out[None] * (reach[None] * s)[..., None]
        brim[..., 1] -= (0.014 if kind == "cap" else 0.004) * s**2 + (
            0.15 * np.abs(brim[..., 0]) ** 1.5 if kind == "cap" else 0
        ) * s
        garments.append(_grid(brim, materials.RIM, joint=HEAD, person=person, up=True))
    if kind == "headscarf":
        garments.append(_drape(around, person))
    return garments


def _drape(around: Obstacle, person: PersonHead) -> Garment:
    """From under the chin down over neck and shoulders."""
    x0, z0, radius, _ = around.neck
    azimuth = np.linspace(-np.pi, np.pi, 73)
    rows = []
    for k, y in enumerate((-0.084, -0.102, -0.13, -0.16, -0.19, -0.215)):
        r = radius + (0.003, 0.014, 0.034, 0.05, 0.062, 0.074)[k] + 0.009 * k * np.abs(np.sin(azimuth))
        r = r + 0.004 * np.sin(azimuth * 7 + k) * min(k, 2) / 2
        height = y - 0.024 * np.cos(azimuth)
        rows.append(np.stack([x0 + r * np.sin(azimuth), height, z0 + 0.015 + r * np.cos(azimuth)], axis=1))
    return _grid(np.stack(rows), materials.HAT, joint=None, person=person)


def glasses(person: PersonHead, traits: Traits, rng: np.random.Generator) -> tuple[Strands, Array, NDArray[np.int32], Array]:
    """Frame as strands; lenses as vertices (N, 3) and faces; lens colour (4,) sRGB and opacity."""
    none = (Strands.none(), np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32), np.zeros(4, np.float32))
    if traits.glasses == "none":
        return none
    p = person.landmarks(person.rest)
    # landmark 6 is the bridge of the nose; 468 and 473 the irises
    half = 0.5 * (p[473, 0] - p[468, 0])
    front = max(p[6, 2], p[105, 2] - 0.004, p[334, 2] - 0.004) + 0.006
    wide, tall = rng.uniform(0.78, 0.95) * (half - 0.004), rng.uniform(0.0155, 0.024)
    power = rng.choice([2.0, 2.6, 4.0])
    color, kind = np.array([0.012, 0.011, 0.011]), materials.WIRE
    if rng.random() < 0.4:
        color, kind = (np.array([0.45, 0.36, 0.2]) if rng.random() < 0.4 else np.array([0.35, 0.36, 0.38])), materials.METAL
    if rng.random() < 0.25:
        color = np.array([0.10, 0.035, 0.012])
    thick = {"thin": 0.0009, "thick": 0.0022, "rimless": 0.0004, "sun": 0.0018}[traits.glasses]
    t = np.linspace(0, 2 * np.pi, 41)
    oval = np.stack(
        [np.sign(np.cos(t)) * np.abs(np.cos(t)) ** (2 / power), np.sign(np.sin(t)) * np.abs(np.sin(t)) ** (2 / power)], 1
    )
    y0 = 0.5 * (p[468, 1] + p[473, 1]) - 0.003
    paths: list[Array] = []
    lens_v: list[Array] = []
    lens_f: list[tuple[int, int, int]] = []
    for side in (-1, 1):
        centre = np.array([side * half * 1.03, y0, front])
        ring = centre + np.stack([oval[:, 0] * wide, oval[:, 1] * tall, 0 * t], 1)
        ring[:, 2] -= 0.22 * np.maximum(np.abs(ring[:, 0]) - 0.02, 0) ** 1.0 * 0.9
        paths.append(ring)
        start = len(lens_v)
        lens_v += [ring.mean(axis=0), *ring[:-1]]
        lens_f += [(start, start + 1 + i, start + 1 + (i + 1) % 40) for i in range(40)]
        outer = ring[np.argmax(side * ring[:, 0])] + np.array([0, 0.004, 0])
        ear = np.array([side * (np.abs(p[127 if side < 0 else 356, 0]) + 0.009), y0 + 0.008, 0.004])
        s = np.linspace(0, 1, 41)[:, None]
        temple = outer * (1 - s) + ear * s
        temple[:, 0] += side * 0.004 * np.sin(np.pi * s[:, 0])
        paths.append(temple)
    s = np.linspace(-1, 1, 41)
    inner = half * 1.03 - wide
    paths.append(np.stack([s * inner, y0 + 0.004 + 0.004 * (1 - s**2), front + 0.002 + 0.0 * s + 0.003 * (1 - s**2)], 1))
    toward = np.zeros((len(paths), 41, 3), np.float32)
    toward[..., 2], toward[..., 1] = 0.8, 0.6
    frame = Strands.of(np.asarray(paths, np.float32), thick, color, kind, normals=toward)
    tint = (
        np.array([0.05, 0.05, 0.055, 0.86]) if traits.glasses == "sun" else np.array([0.93, 0.95, 0.98, rng.uniform(0.02, 0.10)])
    )
    return frame, np.asarray(lens_v, np.float32), np.asarray(lens_f, np.int32), tint.astype(np.float32)


def _surface(around: Obstacle, azimuth: Array, elevation: Array, blur: float) -> Array:
    smooth = np.concatenate([around.radius, around.radius, around.radius], axis=1)
    smooth = cv2.GaussianBlur(cv2.dilate(smooth, np.ones((3, 3), np.uint8)), (0, 0), blur)[:, COLUMNS : 2 * COLUMNS + 1]
    u = np.broadcast_to((azimuth / (2 * np.pi) + 0.5) * COLUMNS - 0.5, elevation.shape)
    v = (0.5 - elevation / np.pi) * ROWS - 0.5
    return np.asarray(
        cv2.remap(smooth, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )


def _grid(points: Array, material: int, *, joint: int | None, person: PersonHead, up: bool = False) -> Garment:
    """A sheet of (R, C, 3) points that shows its outside, or its upper side (`up`), to the front. joint: that carries it all;
    None: by height, as hair is."""
    rows, columns = points.shape[:2]
    i = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    a, b, c, d = i[:-1, :-1], i[:-1, 1:], i[1:, :-1], i[1:, 1:]
    faces = np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])
    flat = points.reshape(-1, 3).astype(np.float32)
    corners = flat[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outside = normal[:, 1] if up else np.sum(normal * (corners.mean(axis=1) * [1, 0.3, 1] + [0, 0, 0.03]), axis=1)
    if outside.sum() < 0:
        faces = faces[:, ::-1]
    weights = np.zeros((len(flat), len(JOINTS)), np.float32)
    if joint is None:
        weights[:, [HEAD, NECK, TORSO]] = weights_of(flat, person.joints)
    else:
        weights[:, joint] = 1
    return Garment(flat, np.ascontiguousarray(faces, np.int32), weights, flat, np.ones(len(flat), np.float32), material)
