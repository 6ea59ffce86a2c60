"""Colours of the eyeballs: the photo where it shows them, and around the pupil where lids hide them. An eyeball turns behind its
lids, so pixels of the photo are not lifted onto it: their edge would turn along."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from enrollment.instant.gaze import blinks
from enrollment.instant.lift import OPENINGS, polygon_of
from enrollment.instant.surface import Samples, VisibleSurface
from enrollment.portrait.portrait import Portrait
from models.heads.base import LEFT_EYE, REGION, RIGHT_EYE, PersonHead
from models.heads.embedding import IRIS_ANGLE
from models.types import Array

EYES = {"left_eye": (LEFT_EYE, 473, (474, 475, 476, 477)), "right_eye": (RIGHT_EYE, 468, (469, 470, 471, 472))}
"""Joint, and landmarks of the middle and of the rim of the iris, by region of the head model."""
SPACING, SPACING_WHITE = 0.00055, 0.0009
"""Metres between Gaussians on the iris and around it, and on the rest of what comes to light."""
NEAR, FRONT = 0.62, 1.1
"""Radians from the pupil within which that is."""
RECESS = 0.0012
"""Metres by which the Gaussians lie under an eyeball's surface, which touches the lids in a blink."""
SPREAD = 0.6
"""Standard deviation of a Gaussian relative to its spacing."""
SHARPER = 0.8
"""Part of the photo's detail, finer than a pixel's standard deviation, that is added: Gaussians blur by about as much."""
LASHES = 0.06
"""Part of the width of an eye's opening along its edge that lashes and shadow may cover: not read where there is more."""
RINGS, SECTORS = 22, 24
"""Of the chart of an eyeball: by angle from the pupil, and around it."""
KNOWN, NARROW = 0.25, 0.65
"""Part of an iris that a photo must show, and least width of an eye's opening relative to the other eye's; with less, an eye is
painted as the other one is."""
WHITE = (0.80, 0.77, 0.74)
"""sRGB of an eye's white that no photo shows."""
PUPIL, IRIS, UNSEEN_PUPIL = (0.06, 0.05, 0.05), (0.27, 0.18, 0.13), 0.35
"""sRGB of a pupil and of an iris that no photo shows, and the pupil's radius there, relative to the iris."""
MOST_TINT = 0.22
"""Largest difference between the channels of an eye's white, relative to the largest: more than that is skin."""
MOST_APART = 0.25
"""Radians between the head model's own iris and the photo's, at most: more is an error of the landmarks."""
WHITE_PERCENTILE = 45
"""Of the brightness of the visible white, which hidden white gets: some of what is visible lies in the lid's shadow."""


@dataclass(frozen=True)
class Eyeball:
    """An eyeball at rest. middle: (3,) metres. pupil: (3,) unit, from there to the middle of the iris."""

    middle: Array
    pupil: Array

    def polar(self, points: Array) -> tuple[Array, Array]:
        """(N,) angle of points (N, 3) from the pupil, and (N,) direction around it, 0 to the person's left, radians."""
        d = points - self.middle
        d = d / np.maximum(np.linalg.norm(d, axis=1, keepdims=True), 1e-9)
        left = np.cross((0.0, 1.0, 0.0), self.pupil)
        left /= np.linalg.norm(left)
        return np.arccos(np.clip(d @ self.pupil, -1, 1)), np.arctan2(d @ np.cross(self.pupil, left), d @ left)


def eyeballs(
    person: PersonHead, surface: VisibleSurface, portrait: Portrait, mirrored: tuple[str, ...] = ()
) -> dict[str, Eyeball]:
    """Both eyeballs, by region: with the surface posed as in the photo, each iris lies where the photo's landmarks have it
    (unless the lids hide it). An eyeball's own pole would not do: it may lie higher between the lids than anybody's iris.
    mirrored: regions of eyes that are as the other one is."""
    own, out = person.landmarks(person.rest), {}
    for name, (_, centre, _) in EYES.items():
        of, middle = person.model.region_vertices(name), _middle(person, name)
        rotation, shift = _rigid(person.rest[of], surface.vertices[of])
        reach = np.linalg.norm(person.rest[of] - middle, axis=1)
        radius = float(reach[person.rest[of, 2] > middle[2]].mean())
        seen = rotation.T @ (_hit(surface, portrait.landmarks.points[centre, :2], rotation @ middle + shift, radius) - shift)
        expected, there = _unit(own[centre] - middle), _unit(seen - middle)
        if _is_shut(portrait, name):
            there = expected
        apart = float(np.arccos(np.clip(expected @ there, -1, 1)))
        out[name] = Eyeball(middle, _unit(expected + min(1.0, MOST_APART / max(apart, 1e-6)) * (there - expected)))
    for name in mirrored:
        other = next(ball for n, ball in out.items() if n != name)
        out[name] = Eyeball(out[name].middle, other.pupil * np.array([-1, 1, 1], np.float32))
    return out


def spacings(person: PersonHead, balls: dict[str, Eyeball]) -> Array:
    """(F,) metres between Gaussians on the eyeballs; 0 on their backs and elsewhere."""
    model, out = person.model, np.zeros(len(person.model.faces), np.float32)
    centre = person.rest[model.faces].mean(axis=1)
    for name, eyeball in balls.items():
        ball = model.region_faces(name)
        angle, _ = eyeball.polar(centre[ball])
        out[ball] = np.select([angle < NEAR, angle < FRONT], [SPACING, SPACING_WHITE], 0.0)
    return out


def eye_colors(
    person: PersonHead, balls: dict[str, Eyeball], samples: Samples, surface: VisibleSurface, portrait: Portrait, colors: Array,
    mirrored: tuple[str, ...] = (),
) -> Array:  # fmt: skip
    """Colours (N, 3) of samples on the eyeballs; 0 elsewhere. surface: posed as in the photo. colors: (S, S, 3) of the photo.
    mirrored: as in `eyeballs`."""
    model = person.model
    rest, posed = samples.at(model.faces, person.rest), samples.at(model.faces, surface.vertices)
    normals = samples.at(model.faces, surface.normals)
    region = model.region[samples.face]
    out = np.zeros((len(rest), 3), np.float32)
    colors = np.clip(colors + SHARPER * (colors - ndimage.gaussian_filter(colors, (1, 1, 0))), 0, 1)
    eyes = {}
    for name in EYES:
        of = region == REGION[name]
        angle, around = balls[name].polar(rest[of])
        xy, iris = _aligned(surface, portrait, name, angle, posed[of])
        seen = _readable(portrait, name, xy) & surface.visible(posed[of], normals[of])[0]
        shown = np.stack(
            [ndimage.map_coordinates(colors[..., c], xy.T[::-1] - 0.5, order=1, mode="nearest") for c in range(3)], axis=1
        )
        eyes[name] = _Eye(of, angle, around, shown, seen, iris, _width(portrait, name))
    for name, eye in eyes.items():
        other = next(e for n, e in eyes.items() if n != name)
        less = eye.known < KNOWN <= other.known and (eye.width < other.width or not eye.known)
        if less or eye.width < NARROW * other.width or name in mirrored:
            out[eye.of] = other.chart().at(eye.angle, np.pi - eye.around)
        else:
            out[eye.of] = np.where(eye.seen[:, None], eye.shown, eye.chart().at(eye.angle, eye.around))
    return out


@dataclass(frozen=True)
class _Eye:
    """Samples of an eyeball. of: (N,) which of all. angle, around: polar. shown: (M, 3) colours in the photo, where `seen`. iris:
    angle of its rim. width: of the opening, pixels."""

    of: NDArray[np.bool_]
    angle: Array
    around: Array
    shown: Array
    seen: NDArray[np.bool_]
    iris: float
    width: float

    @property
    def known(self) -> float:
        """Part of the iris that the photo shows."""
        of_iris = self.angle < self.iris
        return float(self.seen[of_iris].mean()) if of_iris.any() else 0.0

    def chart(self) -> _Chart:
        """The whole eyeball: what is hidden as on the other side of the pupil, else as its ring is."""
        ring = np.clip((self.angle / FRONT * RINGS).astype(int), 0, RINGS - 1)
        sector = ((self.around + np.pi) / (2 * np.pi) * SECTORS).astype(int) % SECTORS
        of_iris = (np.arange(RINGS) + 0.5) / RINGS * FRONT < self.iris
        colors, known = np.zeros((RINGS, SECTORS, 3), np.float32), np.zeros((RINGS, SECTORS), bool)
        for r, s in np.unique(np.stack([ring[self.seen], sector[self.seen]], axis=1), axis=0):
            colors[r, s] = np.median(self.shown[self.seen & (ring == r) & (sector == s)], axis=0)
            known[r, s] = True
        base = np.tile(_white(self.shown[self.seen & (self.angle > 1.15 * self.iris)]), (RINGS, 1))
        base[of_iris] = np.where((np.arange(RINGS) < UNSEEN_PUPIL * of_iris.sum())[of_iris, None], PUPIL, IRIS)
        for r in np.flatnonzero(of_iris) if known.any() else ():
            base[r] = np.median(colors[r, known[r]], axis=0) if known[r].any() else base[max(r - 1, 0)]
        mirror = (SECTORS // 2 - 1 - np.arange(SECTORS)) % SECTORS
        mirrored = (known[:, mirror] & of_iris[:, None])[..., None]
        filled = np.where(known[..., None], colors, np.where(mirrored, colors[:, mirror], base[:, None]))
        soft = ndimage.gaussian_filter(filled, (0.5, 1.0, 0), mode=("nearest", "wrap", "nearest"))
        return _Chart(np.where(known[..., None], filled, soft))


@dataclass(frozen=True)
class _Chart:
    """colors: (RINGS, SECTORS, 3), by angle from the pupil up to `FRONT`, and around it."""

    colors: Array

    def at(self, angle: Array, around: Array) -> Array:
        """(N, 3)."""
        wrapped = np.concatenate([self.colors[:, -1:], self.colors, self.colors[:, :1]], axis=1)
        around = np.mod(around + np.pi, 2 * np.pi) / (2 * np.pi) * SECTORS
        at = np.stack([np.clip(angle / FRONT * RINGS - 0.5, 0, RINGS - 1), around + 0.5])
        return np.stack([ndimage.map_coordinates(wrapped[..., c], at, order=1, mode="nearest") for c in range(3)], axis=1)


def _middle(person: PersonHead, name: str) -> Array:
    """(3,) the middle of an eyeball."""
    ball = person.rest[person.model.region_vertices(name)]
    middle = ball.mean(axis=0)
    joint = person.joints[EYES[name][0]]
    return np.array([middle[0], middle[1], min(middle[2], joint[2] + 0.002)], np.float32)


def _rigid(before: Array, after: Array) -> tuple[Array, Array]:
    """The rotation (3, 3) and the shift (3,) that take points (N, 3) to (N, 3)."""
    centre, there = before.mean(axis=0), after.mean(axis=0)
    u, _, vt = np.linalg.svd((after - there).T.astype(np.float64) @ (before - centre))
    rotation = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    return rotation, there - rotation @ centre


def _hit(surface: VisibleSurface, pixel: Array, middle: Array, radius: float) -> Array:
    """(3,) where the ray through a pixel (2,) meets a ball, or comes nearest to it, in the camera's OpenGL axes."""
    c = surface.camera
    ray = _unit(np.array([(pixel[0] - c.cx) / c.fx, -(pixel[1] - c.cy) / c.fy, -1.0]))
    along = float(ray @ middle)
    return np.asarray(ray * (along - np.sqrt(max(radius**2 - float(middle @ middle) + along**2, 0.0))))


def _unit(v: Array) -> Array:
    return np.asarray(v / np.linalg.norm(v))


def _aligned(surface: VisibleSurface, portrait: Portrait, name: str, angle: Array, posed: Array) -> tuple[Array, float]:
    """Pixels (N, 2) of points of an eyeball, moved so that the pupil lies where the landmarks have it; and the angle of the rim
    of the iris, by the landmarks."""
    xy = surface.camera.project(posed)
    near, rim = angle < 0.25 * IRIS_ANGLE, np.abs(angle - IRIS_ANGLE) < 0.2 * IRIS_ANGLE
    if not near.any() or not rim.any():
        return np.asarray(xy, np.float32), IRIS_ANGLE
    _, centre, edge = EYES[name]
    there = portrait.landmarks.points[:, :2]
    middle = xy[near].mean(axis=0)
    wide = float(np.linalg.norm(there[list(edge)] - there[centre], axis=1).max())
    drawn = float(np.percentile(np.linalg.norm(xy[rim] - middle, axis=1), 75))
    share = np.clip(2.0 - angle / IRIS_ANGLE, 0, 1)[:, None]  # the white keeps its place
    moved = xy + share * (there[centre] - middle)
    return np.asarray(moved, np.float32), IRIS_ANGLE * float(np.clip(wide / max(drawn, 1e-6), 0.6, 1.3))


def _is_shut(portrait: Portrait, name: str) -> bool:
    return bool(blinks(portrait)[list(EYES).index(name)])


def _readable(portrait: Portrait, name: str, xy: Array) -> NDArray[np.bool_]:
    """(N,) whether each pixel lies between the lids, apart from lashes; none does where the lids are shut."""
    if _is_shut(portrait, name):
        return np.zeros(len(xy), bool)
    outline = _outline(name)
    within = polygon_of(outline, portrait.landmarks.points[:, :2], portrait.matte.shape) & portrait.inside
    deep = ndimage.distance_transform_edt(within) > LASHES * _width(portrait, name)
    side = portrait.matte.shape[0]
    column, row = np.clip(np.floor(xy).astype(int), 0, side - 1).T
    return np.asarray(deep[row, column])


def _outline(name: str) -> tuple[int, ...]:
    return next(marks for marks, names in OPENINGS if names == (name,))


def _width(portrait: Portrait, name: str) -> float:
    return float(np.ptp(portrait.landmarks.points[list(_outline(name)), 0]))


def _white(pixels: Array) -> Array:
    """(3,) the white of an eye."""
    if len(pixels) < 12:
        return np.array(WHITE, np.float32)
    pale = pixels[np.argsort(np.ptp(pixels, axis=1))[: max(12, len(pixels) // 2)]]  # lids are redder
    order = np.argsort(pale.mean(axis=1))
    place, reach = len(order) * WHITE_PERCENTILE // 100, max(3, len(order) // 8)
    tone = np.median(pale[order[place - reach : place + reach]], axis=0)
    excess = MOST_TINT * tone.max() / max(float(np.ptp(tone)), 1e-6)
    return np.asarray(tone.mean() + min(1.0, excess) * (tone - tone.mean()), np.float32)
