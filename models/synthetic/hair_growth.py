"""Paths of hairs: roots on the skin, growth under forces around head and shoulders, locks and curls."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from models.heads.base import REGION, PersonHead
from models.jit import kernel
from models.synthetic.anatomy import HEIGHT, WIDTH, spherical
from models.synthetic.noise import value_noise
from models.types import Array

f32 = np.float32
ROWS, COLUMNS = 64, 128
GRID, REACH = 48, 0.32


class Obstacle(NamedTuple):
    """The space that hair cannot enter. radius: (64, 128) metres from the origin to the skin per direction (elevation, azimuth);
    shoulders: (48, 48) height of the body over x and z in [-0.32, 0.32] metres; neck: (4,) x, z, radius, height of its top."""

    radius: Array
    shoulders: Array
    neck: Array


def obstacle(person: PersonHead, body: Array) -> Obstacle:
    """The person's head and shoulders as obstacle. body: (V, 3) the vertices with clothes."""
    model = person.model
    skin = person.rest[model.faces[model.region == REGION["skin"]]]
    steps = [(i / 3, j / 3) for i in range(4) for j in range(4 - i)]
    points = np.concatenate([skin[:, 0] * (1 - a - b) + skin[:, 1] * a + skin[:, 2] * b for a, b in steps])
    at = spherical(points)
    r = np.linalg.norm(points, axis=1)
    small = np.zeros((ROWS, COLUMNS), np.float32)
    rows = np.clip(at[:, 1] * ROWS / HEIGHT, 0, ROWS - 1).astype(int)
    columns = np.clip(at[:, 0] * COLUMNS / WIDTH, 0, COLUMNS - 1).astype(int)
    np.maximum.at(small, (rows, columns), r)
    filled = cv2.dilate(small, np.ones((3, 5), np.uint8), iterations=2)
    small = np.where(small > 0, small, filled)
    grid = np.full((GRID, GRID), -0.6, np.float32)
    low = body[body[:, 1] < -0.10]
    ix = np.clip((low[:, 0] + REACH) / (2 * REACH) * GRID, 0, GRID - 1).astype(int)
    iz = np.clip((low[:, 2] + REACH) / (2 * REACH) * GRID, 0, GRID - 1).astype(int)
    np.maximum.at(grid, (iz, ix), low[:, 1])
    grid = cv2.GaussianBlur(cv2.dilate(grid, np.ones((3, 3), np.uint8)), (0, 0), 1.0)
    ring = body[(body[:, 1] < -0.11) & (body[:, 1] > -0.14) & (np.abs(body[:, 0]) < 0.075)]
    middle = ring.mean(axis=0) if len(ring) else np.array([0, -0.12, -0.03])
    radius = float(np.percentile(np.hypot(ring[:, 0], ring[:, 2] - middle[2]), 80)) if len(ring) else 0.06
    return Obstacle(small, grid.astype(np.float32), np.array([middle[0], middle[2], radius, -0.075], np.float32))


class Roots(NamedTuple):
    """Where S hairs start. root: (S, 3) metres. direction: (S, 3) unit, in which they set out. flow: (S, 3), along which they are
    combed. length, gap (to the obstacle): (S,) metres. clear: (S,), how much a hair keeps off the face."""

    root: Array
    direction: Array
    flow: Array
    length: Array
    gap: Array
    clear: Array


class Forces(NamedTuple):
    """comb, gravity, wobble, hold (to the head): how much a hair's direction changes per centimetre. wave: of the wobble, 1/m."""

    comb: float
    gravity: float
    wobble: float
    wave: float
    hold: float = 0.0


@kernel(fastmath=True)
def _push(p, d, gap, pull, hold, around):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Moves p (3,) out of the obstacle and takes the inward part from d (3,)."""
    radius, shoulders, neck = around
    r = np.sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2]) + f32(1e-9)
    if p[1] > neck[3] - f32(0.02):
        u = (np.arctan2(p[0], p[2]) * f32(0.15915494) + f32(0.5)) * COLUMNS - f32(0.5)
        v = min(
            max((f32(0.5) - np.arctan2(p[1], np.sqrt(p[0] * p[0] + p[2] * p[2])) * f32(0.31830989)) * ROWS - f32(0.5), f32(0.0)),
            f32(ROWS - 1.01),
        )
        iu, iv = int(np.floor(u)), int(v)
        a, b = u - iu, v - iv
        x0, x1 = iu % COLUMNS, (iu + 1) % COLUMNS
        surface = (radius[iv, x0] * (1 - a) + radius[iv, x1] * a) * (1 - b) + (
            radius[iv + 1, x0] * (1 - a) + radius[iv + 1, x1] * a
        ) * b
        if r < surface + gap:
            inward = min((d[0] * p[0] + d[1] * p[1] + d[2] * p[2]) / r, f32(0.0))
            scale = (surface + gap) / r
            for c in range(3):
                d[c] -= inward * p[c] / r
                p[c] *= scale
        elif hold > 0.0:
            # combed hair lies on the head: what stands off is drawn back
            back = pull * hold * min((r - surface - gap) * f32(100.0), f32(1.0)) / r
            for c in range(3):
                d[c] -= back * p[c]
    if p[1] < neck[3]:
        x, z = p[0] - neck[0], p[2] - neck[1]
        away = np.sqrt(x * x + z * z) + f32(1e-9)
        if away < neck[2] + gap:
            inward = min((d[0] * x + d[2] * z) / away, f32(0.0))
            scale = (neck[2] + gap) / away
            d[0] -= inward * x / away
            d[2] -= inward * z / away
            p[0], p[2] = neck[0] + x * scale, neck[1] + z * scale
        ix = min(max(int((p[0] + f32(REACH)) / f32(2 * REACH) * GRID), 0), GRID - 1)
        iz = min(max(int((p[2] + f32(REACH)) / f32(2 * REACH) * GRID), 0), GRID - 1)
        top = shoulders[iz, ix] + gap * f32(0.7)
        if p[1] < top:
            # slide off to the front or to the back
            p[1] = min(top, p[1] + f32(0.02))
            d[1] = max(d[1], f32(-0.25))
            d[2] += f32(0.5) if p[2] > neck[1] + f32(0.005) else f32(-0.5)


@kernel(fastmath=True)
def _grow(roots, forces, around, seed, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    root, first, flow, length, gap, clear = roots
    comb, gravity, wobble, wave, hold = forces
    steps = out.shape[1]
    p, d = np.empty(3, np.float32), np.empty(3, np.float32)
    for s in range(root.shape[0]):
        step = length[s] / (steps - 1)
        for c in range(3):
            p[c], d[c] = root[s, c], first[s, c]
            out[s, 0, c] = p[c]
        for k in range(1, steps):
            pull = step * f32(100.0)  # per centimetre
            for c in range(3):
                d[c] += pull * (comb * flow[s, c]) + pull * wobble * value_noise(p[0] * wave, p[1] * wave, p[2] * wave, seed + c)
            d[1] -= pull * gravity
            if clear[s] > 0.0 and p[2] > 0.02 and p[1] < 0.085 and abs(p[0]) < 0.085:
                # off the face, to the sides and back
                d[0] += pull * clear[s] * (f32(0.5) if p[0] > 0.0 else f32(-0.5))
                d[2] -= pull * clear[s] * f32(0.28)
            norm = f32(1.0) / np.sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2] + f32(1e-12))
            for c in range(3):
                d[c] *= norm
                p[c] += step * d[c]
            _push(p, d, gap[s] * min(f32(k) / (f32(0.35) * steps), f32(1.0)), pull, hold, around)
            for c in range(3):
                out[s, k, c] = p[c]


def grow(roots: Roots, forces: Forces, around: Obstacle, *, steps: int, seed: int) -> Array:
    """Paths (S, steps, 3) float32 metres of hairs that are combed, wobble, fall, and stay out of the obstacle."""
    out = np.empty((len(roots.root), steps, 3), np.float32)
    if len(out):
        arrays = Roots(*(np.ascontiguousarray(x, np.float32) for x in roots))
        _grow(arrays, Forces(*(f32(x) for x in forces)), around, seed, out)  # type: ignore[arg-type]
    return out


def scatter(
    person: PersonHead, faces: NDArray[np.int64], mask: Array, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.int32], Array, Array]:
    """About `count` roots spread over `faces`, thinned by an atlas mask (HEIGHT, WIDTH): face (S,), barycentric (S, 3), and the
    place on the template (S, 3)."""
    model = person.model
    corners = model.template[model.faces[faces]]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    at = spherical(corners.mean(axis=1)).astype(int)
    soft = cv2.blur(mask, (15, 15))[np.clip(at[:, 1], 0, HEIGHT - 1), np.clip(at[:, 0], 0, WIDTH - 1)]
    weight = area * (soft > 1e-3)
    if weight.sum() <= 0:
        return np.zeros(0, np.int32), np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32)
    expected = float((area * np.clip(soft, 0, 1)).sum() / weight.sum())
    tries = int(min(count / max(expected, 0.05), 60000))
    # stratified over the area, so that no bald spots are left
    cumulative = np.cumsum(weight) / weight.sum()
    chosen = np.searchsorted(cumulative, (np.arange(tries) + rng.random(tries)) / tries).clip(0, len(faces) - 1)
    u = np.sqrt(rng.random(tries))
    v = rng.random(tries)
    bary = np.stack([1 - u, u * (1 - v), u * v], axis=1).astype(np.float32)
    place = np.einsum("nk,nkc->nc", bary, corners[chosen])
    at = spherical(place).astype(int)
    keep = rng.random(tries) < mask[np.clip(at[:, 1], 0, HEIGHT - 1), np.clip(at[:, 0], 0, WIDTH - 1)]
    return faces[chosen[keep]].astype(np.int32), bary[keep], place[keep].astype(np.float32)


def gather_locks(paths: Array, size: float, amount: float, rng: np.random.Generator) -> tuple[Array, NDArray[np.int64]]:
    """Draws hairs (S, N, 3) together in locks about `size` metres apart at the roots; returns them and their lock (S,)."""
    count, steps = paths.shape[:2]
    if count == 0:
        return paths, np.zeros(0, np.int64)
    guides = rng.permutation(count)[: max(4, int(count * min(1.0, (0.0035 / size) ** 2)))]
    lock = cKDTree(paths[guides, 0]).query(paths[:, 0])[1]
    s = np.linspace(0, 1, steps, dtype=np.float32)[None, :, None]
    guide = paths[guides][lock]
    own = paths[:, :1] - guide[:, :1]
    target = guide + own * (1 - 0.75 * s)
    part = amount * np.clip(s * 1.6, 0, 1)
    return (paths * (1 - part) + target * part).astype(np.float32), lock.astype(np.int64)


def curl(paths: Array, lock: NDArray[np.int64], radius: float, wavelength: float, rng: np.random.Generator) -> Array:
    """Winds hairs (S, N, 3) into helices of `radius` metres; hairs of a lock turn together."""
    if len(paths) == 0 or radius <= 0:
        return paths
    tangent = np.gradient(paths, axis=1)
    step = np.linalg.norm(tangent, axis=-1)
    tangent /= np.maximum(step[..., None], 1e-9)
    distance = np.cumsum(step, axis=1)
    out = paths / np.maximum(np.linalg.norm(paths, axis=-1, keepdims=True), 1e-9)
    e1 = np.cross(tangent, out)
    e1 /= np.maximum(np.linalg.norm(e1, axis=-1, keepdims=True), 1e-6)
    e2 = np.cross(tangent, e1)
    locks = int(lock.max()) + 1
    phase, pace = rng.uniform(0, 2 * np.pi, locks)[lock], np.exp(rng.normal(0, 0.15, locks))[lock]
    turn = phase[:, None] + 2 * np.pi * distance / wavelength * pace[:, None] + rng.normal(0, 0.25, (len(paths), 1))
    size = radius * np.clip(distance / (0.5 * wavelength), 0, 1)
    return np.asarray(paths + size[..., None] * (np.cos(turn)[..., None] * e1 + np.sin(turn)[..., None] * e2), np.float32)
