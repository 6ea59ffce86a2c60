"""Locks: the hair that no photo shows lies in layers like shingles, each lock lifted at its tip and darker where it lies under
the one above it. Without them the back of a head is a helmet: its outline is the highest of many strands, which is everywhere
the same. How far the tips stand off is measured: as rough as the outline of the hair that the photo shows.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from enrollment.portrait.portrait import Portrait
from models.types import Array

EVEN = 0.008
"""Standard deviation of the blur under which an outline is even, metres."""
MARGIN, LEAST = 8, 80
"""Distance to the photo's edge, pixels, within which an outline is not the hair's; pixels of outline that tell its roughness."""
NEAT, WILD = 0.0005, 0.0015
"""Least and largest standard deviation of an outline from the even one, metres; the first where a photo shows too little."""
STANDS_OFF = 2.2
"""Mean height of a lock's tip, in those standard deviations: what shows of it at an outline is the part over its neighbours."""
WIDE, LONG, CURL = 0.009, 0.034, 0.012
"""Width and length of a lock of straight hair, and length of one in curls, metres."""
APART = 0.55
"""Distance between the middles of neighbouring locks, in the root of their width times their length."""
RAGGED = 0.35
"""How unevenly strands belong to one lock or to the next, in the lock's own size."""
CANDIDATES = 8
"""Middles of locks that are looked at for each strand."""
SHADE, TONES = 0.22, 0.10
"""Darkening of a lock at its root in the roughest hair, and standard deviation of the brightness of whole locks."""
LYING = 3
"""Every such strand lies flat under its lock: between tips and roots one would see through the head."""
MOST_TILT = 0.5
"""Most slope of a lock."""
SEED = 13


@dataclass(frozen=True)
class Locks:
    """Locks at N points. height: (N,) metres along the normal, 0 on average. slope: (N,) of the strand against the surface, along
    its direction. shade: (N,) brightness, 1 on average."""

    height: Array
    slope: Array
    shade: Array

    @staticmethod
    def none(count: int) -> Locks:
        """Hair that lies flat."""
        return Locks(np.zeros(count, np.float32), np.zeros(count, np.float32), np.ones(count, np.float32))

    @staticmethod
    def of(points: Array, along: Array, order: float, rough: float) -> Locks:
        """For strands at points (N, 3) metres, with directions (N, 3) unit. order: how alike they lie, in [0, 1]. rough: metres,
        `outline_roughness`."""
        if len(points) < CANDIDATES:
            return Locks.none(len(points))
        rng = np.random.default_rng(SEED)
        long = CURL + (LONG - CURL) * order
        middle = _spread(points, APART * float(np.sqrt(WIDE * long)), rng)
        count = min(CANDIDATES, len(middle))
        _, near = cKDTree(points[middle]).query(points, k=count)
        near = near.reshape(len(points), count)
        between = points[:, None] - points[middle][near]
        s = np.einsum("nkc,nkc->nk", between, along[middle][near])
        t = np.maximum(np.sum(between**2, axis=2) - s**2, 0)
        away = np.sqrt((s / long) ** 2 + t / WIDE**2) + RAGGED * rng.random((len(points), 1)) * rng.random((1, count))
        chosen = (np.arange(len(points)), np.argmin(away, axis=1))
        lock, along_it = near[chosen], np.clip(s[chosen] / long + 0.5, 0, 1)
        tip = STANDS_OFF * rough * rng.gamma(4.0, 0.25, len(middle))
        lifted = (np.arange(len(points)) % LYING != 0).astype(np.float32)
        height = tip[lock] * along_it * lifted
        tone = 1 + TONES * np.clip(rng.normal(size=len(middle)), -2, 2)
        shade = tone[lock] * (1 + SHADE * min(rough / WILD, 1.0) * (along_it - 0.5) * 2)
        return Locks(
            (height - height.mean()).astype(np.float32),
            (lifted * np.minimum(tip[lock] / long, MOST_TILT)).astype(np.float32),
            (shade / shade.mean()).astype(np.float32),
        )


def tilted(along: Array, normals: Array, slope: Array) -> tuple[Array, Array]:
    """Directions and normals (N, 3) of strands that rise from the surface by slopes (N,) along their directions (N, 3); normals:
    (N, 3) the surface's."""
    rise = slope[:, None]
    length = np.sqrt(1 + rise**2)
    return (along + rise * normals) / length, (normals - rise * along) / length


def outline_roughness(portrait: Portrait, scale: float) -> float:
    """Standard deviation of the outline of a photo's hair against the background from an even one, metres. scale: pixels in a
    metre."""
    person = portrait.matte > 0.5
    edge = person & ndimage.binary_dilation(~person) & portrait.hairy
    edge &= ndimage.binary_erosion(portrait.inside, iterations=MARGIN)
    if edge.sum() < LEAST:
        return NEAT
    distance = ndimage.distance_transform_edt(person) - ndimage.distance_transform_edt(~person)
    even = cv2.GaussianBlur(distance.astype(np.float32), (0, 0), EVEN * scale)[edge]
    low, high = np.quantile(even, (0.16, 0.84))
    return float(np.clip((high - low) / 2 / scale, NEAT, WILD))


def _spread(points: Array, apart: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Indices of points of which each is at least about `apart` metres from the others: one in each voxel, scattered."""
    order = rng.permutation(len(points))
    _, first = np.unique(np.floor(points[order] / apart).astype(np.int64), axis=0, return_index=True)
    return np.asarray(order[first])
