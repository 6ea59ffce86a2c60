"""Avatars whose every number is known, and pictures of them: what reconstruction is tried on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from enrollment.reconstruction.capture import Frame
from models import arkit
from models.avatar import Avatar, AvatarPoser
from models.binding import BoundGaussians
from models.heads.base import HeadModel, Pose, rotation_vector
from models.posture import body_under
from models.splat.cpu import CpuRasterizer
from models.types import Camera

SIDE = 72
"""Pixels."""


def colourful(model: HeadModel, every: int = 2) -> Avatar:
    """A disc with stripes of colour on every second face of the skin."""
    face = np.flatnonzero(model.region_faces("skin", "left_eye", "right_eye"))[::every].astype(np.int32)
    place = model.template[model.faces[face]].mean(axis=1)
    count = len(face)
    gaussians = BoundGaussians(
        face, np.zeros((count, 3), np.float32), np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
        np.tile(np.array([0.6, 0.08, 0.6], np.float32), (count, 1)), np.full(count, 0.95, np.float32),
        (0.5 + 0.4 * np.sin(45 * place + [0, 1, 2])).astype(np.float32),
    )  # fmt: skip
    nobody, nothing = np.zeros(model.identity_count, np.float32), np.zeros((model.vertex_count, 3), np.float32)
    return Avatar(model.name, nobody, nothing, gaussians, {"quality": "instant"})


def camera(yaw: float = 0.0, side: int = SIDE) -> Camera:
    """Around the head; yaw in radians."""
    return Camera.orbit(yaw, distance=1.0, width=side, height=side, fov_y=np.deg2rad(20))


def turned(model: HeadModel, *vector: float, at: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Pose:
    """The head turned by a rotation vector and moved."""
    head = np.eye(4)
    head[:3, :3], head[:3, 3] = rotation_vector(np.array(vector)), at
    return Pose(head=head, body=body_under(head, model.joints.astype(np.float64)))


def frame(avatar: Avatar, model: HeadModel, view: Camera, pose: Pose | None = None, **expression: float) -> Frame:
    """What `avatar` looks like from `view`."""
    coefficients = np.array(arkit.vector(**expression), np.float32)
    pose = pose or Pose()
    picture = CpuRasterizer(1).render(AvatarPoser(avatar, model).pose(coefficients, pose), view)
    matte = np.maximum(picture.alpha, 1e-3)[..., None]
    image = (picture.color - (1 - matte)) / matte
    return Frame((image.clip(0, 1) * 255).round().astype(np.uint8), picture.alpha, view, pose, coefficients)


def spoiled(avatar: Avatar, seed: int = 0, amount: float = 0.15) -> Avatar:
    """The avatar with noise on its colours."""
    g = avatar.gaussians
    noise = np.random.default_rng(seed).normal(0, amount, g.colors.shape)
    return replace(avatar, gaussians=replace(g, colors=(g.colors + noise).clip(0, 1).astype(np.float32)))


def psnr(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Decibels between pictures in [0, 1]."""
    return float(-10 * np.log10(max(np.mean((a - b) ** 2), 1e-10)))


def drawn(avatar: Avatar, model: HeadModel, like: Frame) -> NDArray[np.floating]:
    """The avatar in the camera, pose and expression of a frame."""
    return CpuRasterizer(1).render(AvatarPoser(avatar, model).pose(like.coefficients, like.pose), like.camera).color


def likeness(avatar: Avatar, truth: Avatar, model: HeadModel, like: Frame) -> float:
    """Decibels between two avatars in the view of a frame."""
    return psnr(drawn(avatar, model, like), drawn(truth, model, like))
