"""Tears of the surface that no photo shows: where it is drawn within the photo's outline (`outline`) at a notch, between neck and
shoulder, neighbours go to different sides of it, and one would look between them into the head. Each tear is closed by
copies of its edges' samples, which are drawn onto the outline in their turn.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from models.types import Array

NEIGHBOURS, NEAR = 8, 1.6
"""How many of the nearest samples may be neighbours of one, and how far off they may lie, in spacings."""
GAP, WIDER = 1.8, 1.5
"""Distance of neighbours after they were drawn in, in spacings, and relative to that before, from which there is a tear."""
ROUNDS = 3
"""How often what was put into a tear may be torn again."""
CLOSE = 0.6
"""Distance between the copies that are left, in spacings."""


def mended(
    points: Array, moved: Array, spacing: Array, draw_in: Callable[[Array, Array], Array]
) -> tuple[NDArray[np.int64], Array]:
    """Samples that close tears: which sample each is a copy of (M,), and its place (M, 3).

    points, moved: (N, 3) metres, the samples on the surface and where they were drawn to. spacing: (N,) metres. draw_in: takes
    places (K, 3) and spacings (K,) to places within the outline (K, 3).
    """
    first, second = _torn(points, moved, spacing)
    begin, end = moved[first], moved[second]
    index, places = [np.zeros(0, np.int64)], [np.zeros((0, 3), np.float32)]
    for _ in range(ROUNDS):
        if not len(first):
            break
        pair, along = _steps(np.linalg.norm(end - begin, axis=1) / spacing[first])
        of = np.where(along < 0.5, first[pair], second[pair])
        between = draw_in(begin[pair] + along[:, None] * (end - begin)[pair], spacing[of])
        index.append(of)
        places.append(between)
        begin, end, first, second = _still_torn(begin, end, first, second, pair, between, spacing)
    of, at = np.concatenate(index), np.concatenate(places).astype(np.float32)
    if not len(of):
        return of, at
    _, one = np.unique(np.floor(at / (CLOSE * spacing[of, None])).astype(np.int64), axis=0, return_index=True)
    return of[one], at[one]


def _torn(points: Array, moved: Array, spacing: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs of neighbours (P,), (P,) that were drawn apart."""
    some = np.flatnonzero(np.linalg.norm(moved - points, axis=1) > 0.5 * spacing)
    if len(some) < 2:
        return some[:0], some[:0]
    before, near = cKDTree(points).query(points[some], k=min(NEIGHBOURS, len(points)))
    first, second = np.repeat(some, near.shape[1]), near.ravel()
    before, after = before.ravel(), np.linalg.norm(moved[first] - moved[second], axis=1)
    torn = (before < NEAR * spacing[first]) & (after > GAP * spacing[first]) & (after > WIDER * before)
    pairs = np.unique(np.sort(np.stack([first[torn], second[torn]], axis=1), axis=1), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _steps(lengths: Array) -> tuple[NDArray[np.int64], Array]:
    """Places in P gaps of these lengths, in spacings, about a spacing apart: which gap (K,), and which part of the way (K,)."""
    count = np.maximum(np.ceil(lengths).astype(int) - 1, 1)
    pair = np.repeat(np.arange(len(count)), count)
    number = np.arange(len(pair)) - np.repeat(np.cumsum(count) - count, count)
    return pair, ((number + 1) / (count[pair] + 1)).astype(np.float32)


def _still_torn(
    begin: Array, end: Array, first: NDArray[np.int64], second: NDArray[np.int64], pair: NDArray[np.int64], between: Array,
    spacing: Array,
) -> tuple[Array, Array, NDArray[np.int64], NDArray[np.int64]]:  # fmt: skip
    """What is still open of the gaps after places (K, 3) were put into them: ends (Q, 3), (Q, 3), and their samples."""
    starts = np.flatnonzero(np.diff(pair, prepend=-1))
    left = between.copy()
    left[1:] = between[:-1]
    left[starts] = begin[pair[starts]]
    ends = np.flatnonzero(np.diff(pair, append=len(begin)))
    begins, others = np.concatenate([left, between[ends]]), np.concatenate([between, end[pair[ends]]])
    of = np.concatenate([pair, pair[ends]])
    open_ = np.linalg.norm(others - begins, axis=1) > GAP * spacing[first[of]]
    return begins[open_], others[open_], first[of[open_]], second[of[open_]]
