"""Hair styles: density on the scalp, length, combing, ponytails and buns."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.heads.base import PersonHead
from models.synthetic.anatomy import HEIGHT, WIDTH, Anatomy, above_hairline, angles, spherical
from models.synthetic.hair_growth import Forces, Obstacle, Roots, curl, gather_locks, grow, scatter
from models.synthetic.noise import coarse_fractal, fractal
from models.synthetic.skin import masks
from models.synthetic.strands import Strands
from models.synthetic.traits import Traits
from models.types import Array

TIED = ("bun", "ponytail", "top_knot")


@dataclass(frozen=True)
class Style:
    """top, sides: metres of length. count: strands. width: metres, half of a ribbon. lift: how far hair stands off before it
    is combed. layer: metres of thickness that it piles up to. comb, gravity, wobble, hold: see `grow`. lock: metres between
    locks, together: how much they gather. curl, wavelength: metres."""

    top: float
    sides: float
    count: int
    width: float
    steps: int
    lift: float
    layer: float
    comb: float
    gravity: float
    wobble: float
    lock: float
    together: float
    curl: float = 0.0
    wavelength: float = 0.02
    hold: float = 0.0


STYLES = {
    "buzz": Style(0.006, 0.004, 12000, 0.0005, 3, 0.6, 0.004, 0.3, 0.0, 0.05, 0.004, 0.2),
    "crop": Style(0.030, 0.013, 9000, 0.00055, 5, 0.35, 0.010, 0.35, 0.03, 0.18, 0.007, 0.6, hold=0.2),
    "side_part": Style(0.080, 0.024, 7500, 0.0006, 9, 0.45, 0.020, 0.25, 0.08, 0.05, 0.009, 0.5, hold=0.5),
    "quiff": Style(0.060, 0.012, 8000, 0.00055, 8, 0.75, 0.020, 0.22, 0.02, 0.07, 0.009, 0.6, hold=0.15),
    "slick": Style(0.11, 0.05, 7000, 0.0006, 10, 0.2, 0.010, 0.45, 0.10, 0.03, 0.007, 0.5, hold=0.6),
    "receding": Style(0.035, 0.020, 8000, 0.0005, 6, 0.25, 0.008, 0.30, 0.08, 0.12, 0.007, 0.4, hold=0.3),
    "bowl": Style(0.105, 0.055, 7500, 0.0006, 11, 0.25, 0.016, 0.20, 0.20, 0.03, 0.008, 0.5, hold=0.35),
    "bob": Style(0.19, 0.13, 6500, 0.0007, 15, 0.25, 0.020, 0.14, 0.36, 0.03, 0.010, 0.5, hold=0.22),
    "long": Style(0.34, 0.28, 6000, 0.0008, 17, 0.25, 0.018, 0.12, 0.42, 0.03, 0.012, 0.5, hold=0.15),
    "wavy": Style(0.32, 0.25, 5500, 0.0008, 22, 0.30, 0.024, 0.12, 0.38, 0.06, 0.014, 0.7, 0.0045, 0.06, hold=0.12),
    "curly": Style(0.10, 0.075, 5500, 0.0008, 20, 0.60, 0.034, 0.06, 0.10, 0.16, 0.012, 0.85, 0.0045, 0.022, hold=0.1),
    "afro": Style(0.065, 0.05, 6000, 0.0008, 18, 1.0, 0.055, 0.0, 0.0, 0.30, 0.009, 0.5, 0.0028, 0.018),
    "bun": Style(0.13, 0.10, 6500, 0.0007, 12, 0.1, 0.012, 0.0, 0.0, 0.0, 0.007, 0.4),
    "ponytail": Style(0.13, 0.10, 6500, 0.0007, 12, 0.1, 0.012, 0.0, 0.0, 0.0, 0.007, 0.4),
    "top_knot": Style(0.13, 0.10, 6500, 0.0007, 12, 0.1, 0.012, 0.0, 0.0, 0.0, 0.007, 0.4),
}


def scalp_mask(a: Anatomy, traits: Traits, rng: np.random.Generator) -> Array:
    """(HEIGHT, WIDTH) float32 in [0, 1]: how densely hair grows. A ragged, personal hairline."""
    k = masks(a)
    ragged = 1.6 * coarse_fractal(a.positions, 0.012, 2, int(rng.integers(1 << 30))) + rng.normal(0, 1.2)
    front = np.clip(1 - np.abs(k.azimuth) / 50, 0, 1)
    peak = rng.uniform(-1.5, 3.5) * np.exp(-((k.azimuth / 7) ** 2))
    temples = (0.3 + 0.7 * traits.masculine) * rng.uniform(0, 5) * np.exp(-(((np.abs(k.azimuth) - 33) / 11) ** 2))
    h = k.hairline + ragged + peak - temples - 2.0 * front * traits.masculine * rng.uniform(0, 1.5)
    if traits.masculine < 0.5:  # sideburns are a man's
        burn = (np.abs(k.azimuth) > 60) & (np.abs(k.azimuth) < 80)
        h = h - 9 * burn
    mask = np.clip(h / 3.0, 0, 1)
    if traits.hair_style == "receding":
        deep = rng.uniform(0.2, 1.0)
        y = a.positions
        top = np.clip((k.elevation - 38 + 12 * deep) / 10, 0, 1) * np.clip((y[..., 2] + 0.055 + 0.03 * deep) / 0.02, 0, 1)
        mask = mask * (1 - top * (0.75 + 0.25 * deep))
    if traits.hair_style == "bald":
        mask = mask * np.clip((20 - k.elevation) / 10, 0, 1) if rng.random() < 0.4 else mask * 0.0
    return np.asarray(mask, np.float32)


def grow_hair(
    a: Anatomy, person: PersonHead, traits: Traits, mask: Array, around: Obstacle, under_hat: bool, rng: np.random.Generator
) -> tuple[Strands, Array]:
    """The hair of the head and how much it darkens the scalp, (HEIGHT, WIDTH) float32 in [0, 1]."""
    name = traits.hair_style
    if name == "bald":
        shade = mask * 0.5 + 0.12 * np.clip(masks(a).hairline / 6, 0, 1) * rng.random()
        dots = np.clip(0.7 + 1.2 * fractal(a.positions, 0.0018, 1, 3), 0, 1.5)
        return Strands.none(), np.clip(shade * dots, 0, 0.8).astype(np.float32)
    style = STYLES[name]
    face, bary, place = scatter(person, a.scalp, mask, style.count, rng)
    if len(face) < 8:
        return Strands.none(), mask * 0.3
    corners = person.rest[person.model.faces[face]]
    root = np.einsum("nk,nkc->nc", bary, corners).astype(np.float32)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    if name in TIED:
        paths, lock = _tied(name, root, around, rng)
        tail = _tail(name, paths[:, -1].mean(axis=0), traits, around, rng)
    else:
        first, flow, length, clear = _combed(name, style, traits, root, place, normal, rng)
        gap = (0.0015 + style.layer * rng.random(len(root)) ** 1.3 * np.clip(length / style.top, 0.3, 1)).astype(np.float32)
        forces = Forces(style.comb, style.gravity, style.wobble, 45.0, style.hold)
        roots = Roots(root, first, flow, length, gap, clear)
        paths = grow(roots, forces, around, steps=style.steps, seed=int(rng.integers(1 << 20)))
        paths, lock = gather_locks(paths, style.lock, style.together, rng)
        curls = style.curl * rng.uniform(0.7, 1.3)
        paths = curl(paths, lock, curls, style.wavelength * rng.uniform(0.8, 1.3), rng)
        tail = []
    if under_hat:
        paths, lock = _under_hat(paths, place, lock)
    taper = np.interp(np.linspace(0, 1, paths.shape[1]), (0, 0.1, 0.7, 1), (0.75, 1, 0.95, 0.35))
    color = _colors(traits, lock, rng)
    parts = [Strands.of(paths, style.width * taper, color, normals=_volume_normals(paths))]
    for tail_paths, width in tail:
        parts.append(
            Strands.of(
                tail_paths, width, _colors(traits, np.arange(len(tail_paths)) // 6, rng), normals=_tail_normals(tail_paths)
            )
        )
    shade = cv2.GaussianBlur(mask, (0, 0), 2.0) * (0.62 if name == "buzz" else 0.80)
    return Strands.join(parts), shade.astype(np.float32)


def _combed(
    name: str, style: Style, traits: Traits, root: Array, place: Array, normal: Array, rng: np.random.Generator
) -> tuple[Array, Array, Array, Array]:
    """First direction, flow and length of each hair, and how much it keeps off the face."""
    azimuth, elevation = angles(place)
    top = np.clip((elevation - 22) / 28, 0, 1)
    back = np.clip((np.abs(azimuth) - 100) / 40, 0, 1)
    x, y, z = place.T
    side = np.where(rng.random() < 0.5, 1.0, -1.0)
    part = side * rng.choice([0.0, 0.022, 0.035])
    away = np.tanh((x - part) / 0.012)
    down, forward, out = np.zeros_like(place), np.zeros_like(place), np.zeros_like(place)
    down[:, 1], forward[:, 2], out[:, 0] = -1, 1, 1
    length = style.sides + (style.top - style.sides) * top
    clear = np.full(len(root), 1.0 if name in ("bob", "long", "wavy", "curly") else 0.0, np.float32)
    if name in ("side_part",):
        over = np.tanh((x - side * 0.03) / 0.01) * side  # -1 on the large side
        flow = (
            -side * np.where(over < 0, 1.0, -0.8)[:, None] * out * top[:, None] - 0.35 * forward + down * (1 - top)[:, None] * 0.9
        )
        length = np.where(over > 0, length * 0.75, length)
    elif name == "quiff":
        front = np.clip((z - 0.0) / 0.07, 0, 1)
        flow = -forward * (0.9 + 0.3 * top)[:, None] - 0.9 * down * (top * front)[:, None] + down * (1 - top)[:, None]
        length = length * (0.55 + 0.55 * front * top + 0.3 * (1 - top))
    elif name == "slick":
        flow = -forward + 0.35 * down * (1 - top)[:, None]
    elif name in ("crop", "buzz", "receding"):
        flow = 0.5 * forward * top[:, None] * np.where(rng.random() < 0.5, 1, -0.6) + down * (1 - 0.7 * top)[:, None]
        flow = flow + rng.normal(0, 0.35, flow.shape)
    elif name == "bowl":
        crown = np.array([0.0, 0.11, -0.045])
        flow = place - crown
        flow = flow - normal * np.sum(flow * normal, axis=1, keepdims=True)
        flow = flow / np.maximum(np.linalg.norm(flow, axis=1, keepdims=True), 1e-6) + 0.2 * down
        # cut along one level
        level = rng.uniform(-0.01, 0.035)
        length = np.clip(y - np.where(np.abs(azimuth) < 55, max(level, 0.050), level - 0.05 * back), 0.012, 0.2) * 1.25
    elif name in ("curly", "afro"):
        flow = normal.copy() if name == "afro" else 0.5 * normal + 0.4 * away[:, None] * out
    else:  # bob, long, wavy
        flow = away[:, None] * out * np.clip(top + 0.15, 0, 1)[:, None] - 0.30 * forward * (1 - 0.5 * back)[:, None] + 0.4 * down
        hairline = np.clip(1 - above_hairline(place) / 12, 0, 1) * np.clip((45 - np.abs(azimuth)) / 15, 0, 1)
        flow = flow + hairline[:, None] * (0.6 * away[:, None] * out - 0.9 * forward)
        if name == "bob":  # cut along one level
            level = rng.uniform(-0.115, -0.07)
            arc = np.maximum(y - level, 0.02) + 0.5 * np.maximum(0.09 - np.abs(x), 0) * top
            length = arc * 1.08
    if traits.fringe > 0 and name in ("bob", "long", "wavy", "crop", "curly"):
        near = (np.abs(azimuth) < 38) & (above_hairline(place) < 24 + 14 * traits.fringe)
        sway, brow_line = rng.normal(0, 0.25), rng.uniform(20, 28)
        flow[near] = (0.9 * forward + 0.5 * down + sway * out)[near]
        clear[near] = 0
        length = np.where(
            near, np.maximum(np.radians(elevation - brow_line), 0.1) * 0.112 * rng.uniform(0.85, 1.05, len(y)), length
        )
    length = length * traits.hair_length ** (0.4 if name in ("bob", "bowl") else 1.0)
    length = length * np.exp(rng.normal(0, 0.10 if name not in ("bob", "bowl") else 0.04, len(length)))
    flow = flow / np.maximum(np.linalg.norm(flow, axis=1, keepdims=True), 1e-6)
    tangent = flow - normal * np.sum(flow * normal, axis=1, keepdims=True)
    lift = np.clip(style.lift * np.exp(rng.normal(0, 0.25, len(root))), 0, 1.2)[:, None]
    first = normal * lift + tangent * (1 - 0.8 * np.clip(lift, 0, 1)) + rng.normal(0, 0.12, root.shape)
    first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-6)
    return first.astype(np.float32), flow.astype(np.float32), length.astype(np.float32), clear


def _tied(name: str, root: Array, around: Obstacle, rng: np.random.Generator) -> tuple[Array, np.ndarray]:
    """Hair drawn tight over the skull to where it is tied."""
    height = {"bun": rng.uniform(5, 40), "ponytail": rng.uniform(0, 45), "top_knot": rng.uniform(60, 80)}[name]
    e = np.radians(height)
    tie = np.array([0.0, np.sin(e), -np.cos(e)])
    r = np.linalg.norm(root, axis=1, keepdims=True)
    d = root / r
    cosine = np.clip(d @ tie, -1, 1)[:, None]
    angle = np.arccos(cosine)
    s = np.linspace(0, 1, 12)[None, :, None]
    sine = np.maximum(np.sin(angle), 1e-3)[:, None]
    path = (np.sin((1 - s) * angle[:, None]) * d[:, None] + np.sin(s * angle[:, None]) * tie) / sine
    path /= np.maximum(np.linalg.norm(path, axis=-1, keepdims=True), 1e-6)
    at = spherical(path)
    wide = np.concatenate([around.radius, around.radius[:, :1]], axis=1)
    surface = cv2.remap(
        cv2.GaussianBlur(wide, (0, 0), 1.2), (at[..., 0] * around.radius.shape[1] / WIDTH - 0.5).astype(np.float32),
        (at[..., 1] * around.radius.shape[0] / HEIGHT - 0.5).astype(np.float32), cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    gap = 0.002 + 0.008 * rng.random((len(root), 1)) * np.sin(np.pi * np.clip(s[..., 0], 0, 0.75))
    radius = np.maximum(surface, 0.06) + gap
    radius[:, 0] = r[:, 0]
    radius[:, -1] = np.median(surface[:, -1]) + 0.006
    paths = (path * radius[..., None]).astype(np.float32)
    paths += rng.normal(0, 0.0006, paths.shape).astype(np.float32)
    return gather_locks(paths, 0.009, 0.35, rng)


def _tail(name: str, tie: Array, traits: Traits, around: Obstacle, rng: np.random.Generator) -> list[tuple[Array, Array]]:
    """What hangs or sits where the hair is tied."""
    out = tie / np.linalg.norm(tie)
    if name == "ponytail":
        count = 700
        spread = rng.normal(0, 0.007, (count, 3))
        root = (tie + spread).astype(np.float32)
        first = out + spread * 30 + np.array([0, 0.3, 0])
        first /= np.linalg.norm(first, axis=1, keepdims=True)
        length = np.full(count, rng.uniform(0.14, 0.26) * traits.hair_length) * np.exp(rng.normal(0, 0.08, count))
        gap = np.full(count, 0.012) + 0.02 * rng.random(count)
        flow = np.repeat((out + rng.normal(0, 0.2, 3))[None], count, 0) + spread * 25
        roots = Roots(root, first, flow, length, gap, np.zeros(count, np.float32))
        paths = grow(roots, Forces(0.10, 0.30, 0.06, 30.0), around, steps=14, seed=5)
        paths, lock = gather_locks(paths, 0.006, 0.5, rng)
        if rng.random() < 0.4:
            paths = curl(paths, lock, 0.006, 0.05, rng)
        return [(paths, 0.0011 * np.interp(np.linspace(0, 1, 14), (0, 0.7, 1), (1, 0.95, 0.35)))]
    radius = rng.uniform(0.024, 0.038) if name == "bun" else rng.uniform(0.018, 0.028)
    centre = tie + out * radius * 0.7
    count, steps = 420, 14
    axis = out + rng.normal(0, 0.15, (count, 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    e1 = np.cross(axis, rng.normal(0, 1, 3))
    e1 /= np.linalg.norm(e1, axis=1, keepdims=True)
    e2 = np.cross(axis, e1)
    t = np.linspace(0, 1, steps)[None] * rng.uniform(1.6, 3.2, (count, 1)) + rng.uniform(0, 2 * np.pi, (count, 1))
    height = rng.uniform(-0.9, 0.9, (count, 1)) + 0.25 * np.sin(t * 2)
    ring = np.sqrt(np.maximum(1 - height**2, 0.05))
    size = radius * rng.uniform(0.85, 1.04, (count, 1, 1))
    paths = centre + size * (
        ring[..., None] * (np.cos(t)[..., None] * e1[:, None] + np.sin(t)[..., None] * e2[:, None])
        + 0.8 * height[..., None] * axis[:, None]
    )
    return [(paths.astype(np.float32), np.full(steps, 0.0014))]


def _under_hat(paths: Array, place: Array, lock: np.ndarray) -> tuple[Array, np.ndarray]:
    """Only what grows below the hat shows."""
    azimuth, elevation = angles(place)
    keep = elevation < np.interp(np.abs(azimuth), (0, 60, 120, 180), (-90, 12, 2, -8))
    return paths[keep], lock[keep]


def _colors(traits: Traits, lock: np.ndarray, rng: np.random.Generator) -> Array:
    """(S, 3) linear: each lock and each hair its own shade; some grey."""
    count = len(lock)
    if count == 0:
        return np.zeros((0, 3), np.float32)
    base = np.asarray(traits.hair_color)
    shade = np.exp(rng.normal(0, 0.13, int(lock.max()) + 1))[lock] * np.exp(rng.normal(0, 0.15, count))
    color = base * shade[:, None]
    grey = np.clip(traits.grey * 1.25 - 0.12 + rng.normal(0, 0.16 * (traits.grey > 0.02), count), 0, 1)[:, None]
    color = color * (1 - grey) + grey * np.array([0.40, 0.39, 0.38]) * np.exp(rng.normal(0, 0.12, (count, 1)))
    return color.astype(np.float32)


def _volume_normals(paths: Array) -> Array:
    """Outwards from the head above the ears, from its axis below."""
    p = paths.copy()
    low = np.clip((-p[..., 1] + 0.0) / 0.08, 0, 1)
    p[..., 1] *= 1 - low
    p[..., 2] += 0.02
    return np.asarray(p / np.maximum(np.linalg.norm(p, axis=-1, keepdims=True), 1e-6), np.float32)


def _tail_normals(paths: Array) -> Array:
    p = paths - paths.mean(axis=0, keepdims=True) + 1e-6
    return np.asarray(p / np.maximum(np.linalg.norm(p, axis=-1, keepdims=True), 1e-6), np.float32)
