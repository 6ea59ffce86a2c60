"""Facts about a head model that all its persons share: a skin atlas, and where the facial features lie in the atlas.

The atlas unrolls the template onto a sphere about the origin: columns are azimuth (0 is the face's middle, positive to the
person's left), rows are elevation from the top down. A surface point is looked up by its place on the *template*, so one
atlas fits every shape and expression.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from models.heads.base import REGION, HeadModel
from models.heads.raster import vertex_normals
from models.types import Array

HEIGHT, WIDTH = 512, 1024
"""Texels of the atlas; about 0.6 mm on the face."""

HAIRLINE = np.array([
    (0, 45), (20, 44), (35, 41), (45, 37), (53, 30), (59, 20), (63, 4), (69, -7), (75, -8), (79, 10), (86, 22), (96, 24),
    (106, 16), (114, -2), (122, -20), (135, -32), (155, -38), (180, -39),
], np.float32)  # fmt: skip
"""Where the scalp ends: azimuth and elevation in degrees on the template."""


def spherical(points: NDArray[np.floating]) -> Array:
    """Places on the template (..., 3) -> atlas coordinates (..., 2) float32: column and row in texels."""
    x, y, z = np.moveaxis(np.asarray(points, np.float32), -1, 0)
    u = np.arctan2(x, z) / (2 * np.pi) + 0.5
    v = 0.5 - np.arctan2(y, np.hypot(x, z)) / np.pi
    return np.stack([u * WIDTH, v * HEIGHT], axis=-1).astype(np.float32)


def angles(points: NDArray[np.floating]) -> tuple[Array, Array]:
    """Azimuth and elevation in degrees of places on the template."""
    x, y, z = np.moveaxis(np.asarray(points, np.float32), -1, 0)
    return np.degrees(np.arctan2(x, z)), np.degrees(np.arctan2(y, np.hypot(x, z)))


def above_hairline(points: NDArray[np.floating]) -> Array:
    """Degrees by which places on the template (..., 3) lie above the usual hairline; negative on the face."""
    azimuth, elevation = angles(points)
    return np.asarray(elevation - np.interp(np.abs(azimuth), HAIRLINE[:, 0], HAIRLINE[:, 1]), np.float32)


@dataclass(frozen=True)
class Anatomy:
    """Facts about one head model, see `anatomy`.

    positions: (HEIGHT, WIDTH, 3) float32 template place of each texel, the sphere itself where the mesh has none.
    landmarks: (478, 2) float32 atlas places of the landmarks. ear: (V,) bool vertices of the ears.
    scalp: indices of skin faces that may bear head hair; skin: indices of skin faces.
    normals: (V, 3) float32 of the template.
    """

    model: HeadModel
    positions: Array
    landmarks: Array
    template_landmarks: Array
    ear: NDArray[np.bool_]
    scalp: NDArray[np.int64]
    skin: NDArray[np.int64]
    normals: Array

    def polygon(self, indices: tuple[int, ...] | list[int], blur: float, grow: float = 0.0) -> Array:
        """(HEIGHT, WIDTH) float32 in [0, 1]: inside the polygon through landmarks; its edge `blur` texels soft."""
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.fillPoly(mask, [np.round(self.landmarks[list(indices)] * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        if grow > 0:
            size = 2 * round(grow) + 1
            mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
        out: Array = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), blur) if blur > 0 else mask.astype(np.float32) / 255
        return out

    def line(self, points: NDArray[np.floating], width: float, blur: float) -> Array:
        """(HEIGHT, WIDTH) float32 in [0, 1]: a soft line through atlas places (N, 2)."""
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.polylines(
            mask, [np.round(np.asarray(points) * 16).astype(np.int32)], False, 255, max(1, round(width)), cv2.LINE_AA, 4
        )
        out: Array = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), blur)
        return out / max(float(out.max()), 1e-6)

    def spot(self, place: NDArray[np.floating], radius: float) -> Array:
        """(HEIGHT, WIDTH) float32: a Gaussian of `radius` metres around a place on the template (3,)."""
        d = np.sum((self.positions - np.asarray(place, np.float32)) ** 2, axis=-1)
        return np.asarray(np.exp(-0.5 * d / radius**2), np.float32)


@cache
def _of(model_id: int) -> Anatomy:
    return _build(_MODELS[model_id])


_MODELS: dict[int, HeadModel] = {}


def anatomy(model: HeadModel) -> Anatomy:
    """The facts about `model`, found once per process (0.2 s)."""
    _MODELS[id(model)] = model
    return _of(id(model))


def _build(model: HeadModel) -> Anatomy:
    v, faces = model.template, model.faces
    skin = np.flatnonzero(model.region == REGION["skin"])
    normals = vertex_normals(v, faces)
    positions = _unroll(v, faces[np.isin(model.region, [REGION["skin"], REGION["body"]])])
    template_landmarks = np.einsum("nk,nkc->nc", model.landmark_barycentric, v[model.landmark_corners]).astype(np.float32)
    ear = _ears(v, model.region_vertices("skin"))
    centre = v[faces[skin]].mean(axis=1)
    scalp = skin[(above_hairline(centre) > -8) & ~ear[faces[skin]].any(axis=1)]
    return Anatomy(model, positions, spherical(template_landmarks), template_landmarks, ear, scalp, skin, normals)


def _ears(v: Array, skin: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Skin vertices that stand out sideways from the skull about the ears."""
    out = np.zeros(len(v), bool)
    x, y, z = v[skin].T
    near = (y > -0.04) & (y < 0.036) & (z > -0.036) & (z < 0.024)
    out[skin] = near & (np.abs(x) > 0.0735)
    return out


def _unroll(v: Array, faces: NDArray[np.int32]) -> Array:
    """For each texel the outermost place of the mesh in its direction."""
    u = (np.arange(WIDTH) + 0.5) / WIDTH * 2 * np.pi - np.pi
    e = np.pi / 2 - (np.arange(HEIGHT) + 0.5) / HEIGHT * np.pi
    ray = np.stack([
        np.sin(u)[None] * np.cos(e)[:, None], np.repeat(np.sin(e)[:, None], WIDTH, 1), np.cos(u)[None] * np.cos(e)[:, None],
    ], axis=-1).astype(np.float32)  # fmt: skip
    radius = np.zeros((HEIGHT, WIDTH), np.float32)
    # triangles cut finely, so that their corners alone fill a grid of a quarter of the size
    corners = v[faces].astype(np.float32)
    steps = [(i / 4, j / 4) for i in range(5) for j in range(5 - i)]
    points = np.concatenate([corners[:, 0] * (1 - a - b) + corners[:, 1] * a + corners[:, 2] * b for a, b in steps])
    at = spherical(points)
    small = np.zeros((HEIGHT // 4, WIDTH // 4), np.float32)
    rows, columns = np.clip(at[:, 1] / 4, 0, HEIGHT // 4 - 1).astype(int), np.clip(at[:, 0] / 4, 0, WIDTH // 4 - 1).astype(int)
    np.maximum.at(small, (rows, columns), np.minimum(np.linalg.norm(points, axis=1), 0.17))
    filled = cv2.dilate(small, np.ones((3, 3), np.uint8), iterations=3)
    small = np.where(small > 0, small, np.where(filled > 0, filled, 0.1)).astype(np.float32)
    wide = np.concatenate([small[:, -8:], small, small[:, :8]], axis=1)
    wide = cv2.GaussianBlur(cv2.resize(wide, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR), (0, 0), 3)
    radius = wide[:, 32:-32]
    return ray * radius[..., None]
