"""Heads whose every number is known: as landmarks, and as shaded pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enrollment.instant.depths import MARKS, mean_depth_error
from enrollment.instant.surface import VisibleSurface
from enrollment.portrait.portrait import SIZE, Portrait
from models import arkit
from models.heads.base import HeadModel, PersonHead, Pose, rotation_vector
from models.heads.embedding import paint, shade
from models.heads.raster import rasterize, vertex_normals
from models.tracking.face_geometry import face_height
from models.tracking.landmarks import Landmarks
from models.types import Array, Array64, Camera

FOCAL = 1.5 * SIZE
"""Pixels."""


@dataclass(frozen=True)
class Known:
    """The truth behind one photo: `enrollment.instant.fit.PhotoFit` without what is measured."""

    identity: Array64
    coefficients: Array64
    rotation: Array64
    translation: Array64


def known(
    model: HeadModel,
    seed: int = 0,
    *,
    identity: Array64 | None = None,
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0),
    **expression: float,
) -> Known:
    """A random person 80 cm away; turn: degrees about x (down), y (to the person's left) and z."""
    rng = np.random.default_rng(seed)
    drawn = rng.normal(scale=0.6, size=model.identity_count)
    place = np.array([0.01, -0.02, -0.8])
    return Known(
        drawn if identity is None else identity, np.array(arkit.vector(**expression)), rotation_vector(np.deg2rad(turn)), place
    )


def landmarks_of(model: HeadModel, truth: Known) -> Array:
    """The 478 landmarks in the photo camera's OpenGL axes, (478, 3) metres."""
    person = model.person(truth.identity)
    return person.landmarks(person.expressed(truth.coefficients)) @ truth.rotation.T.astype(np.float32) + truth.translation


def portrait_of(model: HeadModel, truth: Known, *, noise: float = 0.0, seed: int = 0) -> Portrait:
    """A portrait with exact landmarks, or with noise (pixels), and a picture without anything in it."""
    camera = Camera(SIZE, SIZE, FOCAL, FOCAL, SIZE / 2, SIZE / 2, np.diag([1.0, -1.0, -1.0, 1.0]))
    points = landmarks_of(model, truth)
    xy = camera.project(points)
    depth = (points[:, 2].mean() - points[:, 2]) * FOCAL / -points[:, 2].mean()
    marks = np.concatenate([xy, depth[:, None]], axis=1)
    marks[:MARKS, 2] -= mean_depth_error() * face_height(Landmarks(marks.astype(np.float32), 1.0, SIZE, SIZE))
    marks[:, :2] += np.random.default_rng(seed).normal(scale=noise, size=xy.shape)
    blank = np.full((SIZE, SIZE, 3), 255, np.uint8)
    return Portrait(
        blank, np.ones((SIZE, SIZE), bool), np.ones((SIZE, SIZE), np.float32),
        Landmarks(marks.astype(np.float32), 1.0, SIZE, SIZE), (SIZE / 2, SIZE / 2), 1.0, float(SIZE),
    )  # fmt: skip


def surface_of(model: HeadModel, truth: Known) -> VisibleSurface:
    """What a photo shows of the resting head."""
    camera = Camera(SIZE, SIZE, FOCAL, FOCAL, SIZE / 2, SIZE / 2, np.diag([1.0, -1.0, -1.0, 1.0]))
    vertices = model.person(truth.identity).rest @ truth.rotation.T + truth.translation
    return VisibleSurface.of(model, vertices.astype(np.float32), camera)


def picture_of(person: PersonHead, *, yaw: float = 0.0, side: int = 512) -> NDArray[np.uint8]:
    """A shaded picture of a neutral head, (side, side, 3) uint8, seen from `yaw` degrees around it, 90 is its left."""
    model = person.model
    vertices = person.vertices(np.zeros(arkit.COUNT), Pose())
    camera = Camera.orbit(np.deg2rad(yaw), 0.0, 1.1, width=side, height=side, fov_y=np.deg2rad(24), target=(0.0, -0.02, 0.0))
    color = paint(person.rest, model.faces, model.region, person.joints.astype(np.float32))
    light = camera.position / np.linalg.norm(camera.position)
    fragments = rasterize(vertices, model.faces, camera)
    return shade(fragments, model.faces, color, vertex_normals(vertices, model.faces), light.astype(np.float32))
