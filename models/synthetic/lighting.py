"""Lighting: an environment in spherical harmonics and one key light, and how much of both reaches each point.

Visibility is baked once for each head: for each of 48 directions a small depth map of the head with hair and clothes says which
points are in shadow (precomputed radiance transfer, Sloan et al. 2002, in the directional basis). When the head turns, the light
is turned about it instead, so shadows hold for every pose; expressions do not change them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.jit import kernel
from models.types import Array, Array64

COUNT = 48
RESOLUTION, EXTENT = 128, 0.46
BIAS, HAIR_BIAS, HAIR_SOFTNESS = 0.0035, 0.004, 0.014
"""Metres: how far behind the depth map a surface is still lit; the depth of hair that swallows most of the light."""
f32 = np.float32


def _fibonacci(count: int) -> Array64:
    i = np.arange(count) + 0.5
    polar, azimuth = np.arccos(1 - 2 * i / count), np.pi * (1 + 5**0.5) * i
    return np.stack([np.sin(polar) * np.cos(azimuth), np.cos(polar), np.sin(polar) * np.sin(azimuth)], axis=1)


DIRECTIONS = _fibonacci(COUNT)
"""(48, 3) float64 unit, about evenly over the sphere."""


@dataclass(frozen=True)
class Lighting:
    """sh: (9, 3) float64, coefficients of the environment's radiance in the real spherical harmonics of degree 0-2 (order
    1, y, z, x, xy, yz, 3z²-1, xz, x²-y²), world frame. key_direction: (3,) unit, towards the key light. key_color: (3,) linear
    irradiance of a surface that faces it. exposure: factor on linear colour. white_balance: (3,) factors."""

    sh: Array64
    key_direction: Array64
    key_color: Array64
    exposure: float
    white_balance: Array64

    def radiance(self, directions: NDArray[np.floating]) -> Array64:
        """(N, 3) linear environment radiance from directions (N, 3), without the key, at least 0."""
        return np.maximum(harmonics(directions) @ self.sh, 0.0)


def harmonics(d: NDArray[np.floating]) -> Array64:
    """(N, 9) real spherical harmonics of unit directions (N, 3)."""
    x, y, z = np.asarray(d, np.float64).T
    one = np.full_like(x, 0.282095)
    return np.stack([
        one, 0.488603 * y, 0.488603 * z, 0.488603 * x, 1.092548 * x * y, 1.092548 * y * z,
        0.315392 * (3 * z * z - 1), 1.092548 * x * z, 0.546274 * (x * x - y * y),
    ], axis=1)  # fmt: skip


def random_lighting(rng: np.random.Generator) -> Lighting:
    """Daylight, rooms, lamps, studio: environment brighter above than below, a key light from in front or the side."""
    temperature = rng.normal(0, 1)
    warm = np.exp(np.array([0.10, 0.0, -0.14]) * temperature)
    azimuth = rng.normal(0, 0.9) if rng.random() < 0.85 else rng.uniform(-np.pi, np.pi)
    height = rng.uniform(0.05, 1.1)
    key = np.array([np.sin(azimuth) * np.cos(height), np.sin(height), np.cos(azimuth) * np.cos(height)])
    share = rng.beta(2.4, 2.0)
    sh = np.zeros((9, 3))
    sh[0] = 1 / 0.282095
    tint = np.exp(rng.normal(0, 0.06, (9, 3)))
    sh[1] = rng.uniform(0.1, 0.75) * np.exp(np.array([-0.06, 0, 0.08]) * rng.normal(0, 1))
    sh[2], sh[3] = rng.normal(0.25, 0.35), rng.normal(0, 0.4)
    sh[4:] = rng.normal(0, 0.13, (5, 1))
    sh *= tint
    total = 1.05
    sh *= total * (1.0 - 0.85 * share)
    key_color = 2.0 * total * share * warm
    # a camera exposes for the face, and takes most of the light's colour away
    face = np.array([(0, 0, 1), (0.5, 0.2, 0.84), (-0.5, 0.2, 0.84), (0, 0.6, 0.8)])
    sky = np.einsum("ij,jc->ic", np.maximum(face @ DIRECTIONS.T, 0), np.maximum(harmonics(DIRECTIONS) @ sh, 0)) * 4 / COUNT
    arriving = (sky + 0.5 * np.maximum(face @ key, 0)[:, None] * key_color).mean(axis=0)
    exposure = 1.3 * (0.9 / max(float(arriving.mean()), 0.1)) ** 0.85 * np.exp(rng.normal(0.0, 0.17))
    cast = arriving / arriving.mean()
    balance = cast ** -rng.uniform(0.55, 1.0) * np.exp(rng.normal(0, 0.025, 3))
    return Lighting(sh, key, key_color, float(exposure), balance)


@kernel(fastmath=True)
def _depth(points, faces, cut, extent, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    size = out.shape[0]
    k, c = f32(size / extent), f32(0.5 * size)
    for f in range(faces.shape[0]):
        i, j, l = faces[f, 0], faces[f, 1], faces[f, 2]  # noqa: E741
        if cut[i] < 0 or cut[j] < 0 or cut[l] < 0:
            continue
        ax, ay, bx, by = points[i, 0] * k + c, points[i, 1] * k + c, points[j, 0] * k + c, points[j, 1] * k + c
        qx, qy = points[l, 0] * k + c, points[l, 1] * k + c
        area = (bx - ax) * (qy - ay) - (by - ay) * (qx - ax)
        if area == 0.0:
            continue
        inverse = f32(1.0) / area
        for y in range(max(int(np.ceil(min(ay, by, qy) - 0.5)), 0), min(int(np.floor(max(ay, by, qy) - 0.5)), size - 1) + 1):
            for x in range(max(int(np.ceil(min(ax, bx, qx) - 0.5)), 0), min(int(np.floor(max(ax, bx, qx) - 0.5)), size - 1) + 1):
                px, py = f32(x) + f32(0.5), f32(y) + f32(0.5)
                wa = ((bx - px) * (qy - py) - (by - py) * (qx - px)) * inverse
                wb = ((qx - px) * (ay - py) - (qy - py) * (ax - px)) * inverse
                wc = f32(1.0) - wa - wb
                if wa >= 0 and wb >= 0 and wc >= 0:
                    z = wa * points[i, 2] + wb * points[j, 2] + wc * points[l, 2]
                    if z > out[y, x]:
                        out[y, x] = z


@kernel(fastmath=True)
def _splat(points, extent, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    size = out.shape[0]
    k, c = f32(size / extent), f32(0.5 * size)
    for i in range(points.shape[0]):
        x, y = int(points[i, 0] * k + c), int(points[i, 1] * k + c)
        if 0 <= x < size and 0 <= y < size and points[i, 2] > out[y, x]:
            out[y, x] = points[i, 2]


class DepthMaps(NamedTuple):
    """What stands between the head and one light direction, (RESOLUTION, RESOLUTION) float32 metres each towards the light: the
    mesh and the hair. direction: (3,) float32 unit."""

    direction: Array
    solid: Array
    hair: Array


@kernel(fastmath=True)
def _seen(points, normals, maps, out, column):  # type: ignore[no-untyped-def]  # pragma: no cover
    w, solid, hair = maps
    extent, bias, hair_bias, softness = f32(EXTENT), f32(BIAS), f32(HAIR_BIAS), f32(HAIR_SOFTNESS)
    size = solid.shape[0]
    k, c = f32(size / extent), f32(0.5 * size)
    for i in range(points.shape[0]):
        v = f32(255.0)
        x, y = points[i, 0] * k + c - f32(0.5), points[i, 1] * k + c - f32(0.5)
        x0, y0 = int(np.floor(x)), int(np.floor(y))
        if 0 <= x0 < size - 1 and 0 <= y0 < size - 1:
            z = points[i, 2]
            slope = f32(1.0) - abs(normals[i, 0] * w[0] + normals[i, 1] * w[1] + normals[i, 2] * w[2])
            limit = z + bias * (f32(1.0) + f32(1.5) * slope)
            u, t = x - f32(x0), y - f32(y0)
            free = f32(0.0)
            for b in range(2):
                for a in range(2):
                    weight = (u if a else f32(1.0) - u) * (t if b else f32(1.0) - t)
                    if solid[y0 + b, x0 + a] < limit:
                        through = hair[y0 + b, x0 + a] - z - hair_bias
                        free += weight * (np.exp(-through / softness) if through > 0.0 else f32(1.0))
            v *= free
        out[i, column] = np.uint8(v)


THIN = 2
"""Every how many strand points are looked at; light changes slowly along a hair."""


def bake_visibility(
    vertices: Array, normals: Array, faces: NDArray[np.int32], cut: Array, hair: Array, hair_normals: Array
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """How much of each direction reaches each vertex and each hair point: (V, 48) and, of every `THIN`-th
    hair point, (P / THIN, 48) uint8; 255 is all.

    vertices: (V, 3), faces: (F, 3), cut: (V,) as in `draw`; hair: (P, 3) strand points; all in the rest pose.
    """
    seen = np.empty((len(vertices), COUNT), np.uint8)
    few_normals = np.ascontiguousarray(hair_normals[::THIN])
    seen_hair = np.empty((len(few_normals), COUNT), np.uint8)
    centre = np.array([0.0, 0.0, 0.0], np.float32)
    blur = np.zeros((RESOLUTION, RESOLUTION), np.float32)
    for i, w in enumerate(DIRECTIONS):
        x = np.cross([0.0, 1.0, 0.0], w)
        x /= np.linalg.norm(x)
        turn = np.stack([x, np.cross(w, x), w], axis=1).astype(np.float32)
        v, h = (vertices - centre) @ turn, (hair - centre) @ turn
        solid = np.full(blur.shape, -1e3, np.float32)
        _depth(v, faces, cut, f32(EXTENT), solid)
        outer = np.full(blur.shape, -1e3, np.float32)
        if len(h):
            _splat(h, f32(EXTENT), outer)
        maps = DepthMaps(w.astype(np.float32), solid, outer)
        _seen(v, normals, maps, seen, i)
        if len(h):
            _seen(np.ascontiguousarray(h[::THIN]), few_normals, maps, seen_hair, i)
    return seen, seen_hair


@kernel(fastmath=True)
def _gather(seen, normals, tangents, directions, radiance, lobe, strand, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    count = directions.shape[0]
    scale = f32(4.0 / count / 255.0)
    for p in range(seen.shape[0]):
        r, g, b, k = f32(0.0), f32(0.0), f32(0.0), f32(0.0)
        nx, ny, nz = normals[p, 0], normals[p, 1], normals[p, 2]
        for i in range(count):
            v = f32(seen[p, i])
            if v == 0.0:
                continue
            cosine = nx * directions[i, 0] + ny * directions[i, 1] + nz * directions[i, 2]
            if strand:
                along = tangents[p, 0] * directions[i, 0] + tangents[p, 1] * directions[i, 1] + tangents[p, 2] * directions[i, 2]
                sine = np.sqrt(max(f32(1.0) - along * along, f32(0.0)))
                cosine = f32(0.45) * sine * (f32(0.5) + f32(0.5) * cosine) + f32(0.55) * max(cosine, f32(0.0))
            k += v * lobe[i]
            if cosine > 0.0:
                a = v * cosine
                r += a * radiance[i, 0]
                g += a * radiance[i, 1]
                b += a * radiance[i, 2]
        out[p, 0], out[p, 1], out[p, 2], out[p, 3] = r * scale, g * scale, b * scale, k * f32(1.0 / 255.0)


def gather(seen: NDArray[np.uint8], normals: Array, light: Lighting, head: Array64, tangents: Array | None = None) -> Array:
    """Environment light (linear, times albedo gives radiance) and the visible part of the key at points, (N, 4) float32.

    seen: (N, 48) of `bake_visibility`; normals (N, 3) and tangents (N, 3; for strands) in the rest frame; head: (3, 3), rest
    frame -> world.
    """
    directions = DIRECTIONS @ head.T
    radiance = light.radiance(directions).astype(np.float32)
    lobe = np.exp(14.0 * (directions @ light.key_direction - 1.0))
    lobe = (lobe / lobe.sum()).astype(np.float32)
    out = np.empty((len(seen), 4), np.float32)
    _gather(
        seen, normals, normals if tangents is None else tangents, DIRECTIONS.astype(np.float32), radiance, lobe,
        tangents is not None, out,
    )  # fmt: skip
    return out
