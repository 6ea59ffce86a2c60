"""One person of several: where people touch, the matte of the one ends between them, along an edge that the photo shows there: by
geodesic distances (Bai and Sapiro 2007), along paths for which each change of colour is a way."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse import csgraph

from models.errors import PhotoError
from models.tracking.face_geometry import CHIN, CONTOUR, FOREHEAD, face_height
from models.tracking.landmarks import Landmarks
from models.types import Array

SIDE = 256
"""Side of the picture in which people are told apart, pixels."""
CHEST = ((0.0, 0.15), (0.35, 0.35), (0.6, 0.7), (2.0, 0.8))
"""How far under the chin, and how far to either side, neck and shoulders surely are, face heights."""
HAIR = 1.25
"""Height of a head, hair included, relative to its face's."""
MOST_HIDDEN = 0.03
"""Part of a face that may lie behind somebody else's head."""
SOFT = 1.0
"""Width of the edge between two people, pixels."""
FAR = 100.0
"""How many pixels of that picture as far a change from black to white is, and a step out of the people."""
STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""From a pixel to its neighbours: down, right."""


def without_others(image: NDArray[np.uint8], alpha: Array, face: Landmarks, others: Sequence[Landmarks]) -> Array:
    """The matte (H, W) of a picture (H, W, 3) without other people. face: whose matte it is. others: the faces of the other
    people in the same pixels, also beyond the border. Raises `PhotoError` when somebody's head is before the face."""
    height, width = alpha.shape
    scale = SIDE / max(height, width)
    shape = (max(8, round(height * scale)), max(8, round(width * scale)))
    own = _contour(face, scale, shape, 1.0)
    heads = np.zeros(shape, bool)
    bodies = np.zeros(shape, bool)
    for other in others:
        heads |= _contour(other, scale, shape, HAIR)
        bodies |= _under(other, CHEST, scale, shape)
    if not (heads | bodies).any():
        return alpha
    if (own & heads).sum() > MOST_HIDDEN * own.sum():
        raise PhotoError(
            "one person was expected, another one's head is before this face or touches it; use a photo of one person alone"
        )
    head = _contour(face, scale, shape, HAIR)
    mine = head | (_under(face, CHEST, scale, shape) & ~heads)
    theirs = (heads | bodies) & ~mine
    small, people = (cv2.resize(a, shape[::-1], interpolation=cv2.INTER_AREA) for a in (image, alpha))
    keep = _nearer(small.astype(np.float32) / 255, people > 0.5, mine, theirs) if theirs.any() else np.ones(shape, bool)
    soft = cv2.resize(cv2.GaussianBlur(np.asarray(keep, np.float32), (0, 0), SOFT), (width, height))
    cut = np.asarray(alpha * np.clip(2 * soft - 0.5, 0, 1), np.float32)
    label, _ = ndimage.label(cut > 0.1)
    x, y = np.clip(np.round(face.points[list(CONTOUR), :2]).astype(int), 0, [width - 1, height - 1]).T
    kept = np.bincount(label[y, x], minlength=2)
    return np.where(label == 1 + int(np.argmax(kept[1:])), cut, 0.0).astype(np.float32)


def _nearer(picture: Array, people: NDArray[np.bool_], mine: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) the pixels of a picture (H, W, 3) in [0, 1] that are no further from `mine` (H, W) than from `theirs` (H, W), by
    ways that lead through `people` (H, W) rather than around them."""
    height, width = mine.shape
    place = np.arange(height * width).reshape(height, width)
    begins, ends, lengths = [], [], []
    for down, right in STEPS:
        here = np.s_[: height - down, max(-right, 0) : width - max(right, 0)]
        there = np.s_[down:, max(right, 0) : width - max(-right, 0)]
        change = np.linalg.norm(picture[there] - picture[here], axis=2) / np.sqrt(3) + ~(people[here] & people[there])
        begins.append(place[here].ravel())
        ends.append(place[there].ravel())
        lengths.append((float(np.hypot(down, right)) + FAR * change).ravel())
    length, begin, end = (np.concatenate(a) for a in (lengths, begins, ends))
    graph = sparse.coo_matrix((length, (begin, end)), (place.size, place.size)).tocsr()
    own, other = (
        csgraph.dijkstra(graph, directed=False, indices=np.flatnonzero(seeds), min_only=True) for seeds in (mine, theirs)
    )
    return np.asarray(own <= other).reshape(height, width)


def _contour(face: Landmarks, scale: float, shape: tuple[int, int], taller: float) -> NDArray[np.bool_]:
    """(H, W) within the face's contour, stretched upwards from the chin."""
    points = face.points[list(CONTOUR), :2].copy()
    up = face.points[FOREHEAD, :2] - face.points[CHIN, :2]
    points += (taller - 1) * ((points - face.points[CHIN, :2]) @ up / max(float(up @ up), 1e-6))[:, None] * up
    return _filled(points * scale, shape)


def _under(face: Landmarks, widths: tuple[tuple[float, float], ...], scale: float, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """(H, W) a part of the body of `widths`, as `CHEST`."""
    down = face.points[CHIN, :2] - face.points[FOREHEAD, :2]
    down = down / max(float(np.linalg.norm(down)), 1e-6) * face_height(face)
    aside = np.array([-down[1], down[0]])
    left, right = ([face.points[CHIN, :2] + below * down + side * wide * aside for below, wide in widths] for side in (1, -1))
    return _filled(np.asarray([*left, *right[::-1]]) * scale, shape)


def _filled(points: NDArray[np.floating], shape: tuple[int, int]) -> NDArray[np.bool_]:
    out = np.zeros(shape, np.uint8)
    cv2.fillPoly(out, [np.round(points).astype(np.int32)], 1)
    return out > 0
