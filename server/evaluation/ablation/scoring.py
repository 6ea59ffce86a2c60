"""How near a fitted avatar comes to the truth in cameras and expressions of which the fit saw neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from skimage.metrics import structural_similarity

from enrollment.high.conditions import shrunk
from enrollment.reconstruction.capture import Frame
from models.avatar import Avatar, AvatarPoser
from models.heads.base import HeadModel, Pose, rotation_log, rotation_vector
from models.similarity import similarity
from models.splat.cpu import CpuRasterizer
from models.types import Array, Array64, Camera, Picture
from server.evaluation.ablation.truth import TruthFrame

OVERSAMPLED = 2
"""Pictures are drawn this many times larger, then averaged, as the truth is."""
LEAST_FACE = 0.01
"""Part of the picture that must be face for its normals to count."""


@dataclass(frozen=True)
class Scores:
    """Means over the held-out shots. psnr: decibels over the whole picture on white. psnr_head: the same where the person is in
    truth. ssim: whole picture. normals: degrees between true and drawn normals on the bare skin of the face."""

    psnr: float
    psnr_head: float
    ssim: float
    normals: float


@dataclass(frozen=True)
class World:
    """A similarity that takes the fit's avatar space to the truth's: x -> scale rotation x + translation."""

    scale: float
    rotation: Array64
    translation: Array64

    @staticmethod
    def between(fitted: Array, true: Array) -> World:
        """The one that brings `fitted` (N, 3) nearest to `true` (N, 3)."""
        return World(*similarity(fitted, true))

    def grown(self, before: Sequence[Frame], after: Sequence[Frame]) -> World:
        """The one that `after` lies in, a fit's refined frames of `before`: pictures do not tell a larger head that is further
        away from a smaller one, so a fit is free to grow, and it grew as the heads' mean distance did."""
        ratios = [_distance(a) / _distance(b) for a, b in zip(after, before, strict=True)]
        return replace(self, scale=self.scale / float(np.mean(ratios)))

    def camera(self, view: Camera) -> Camera:
        """The same camera in the fit's space: it sees there what it saw in truth."""
        m = np.eye(4)
        m[:3, :3] = view.world_to_camera[:3, :3] @ self.rotation
        m[:3, 3] = (view.world_to_camera[:3, :3] @ self.translation + view.world_to_camera[:3, 3]) / self.scale
        return replace(view, world_to_camera=m)

    def normals(self, true: Array) -> Array:
        """True normals (H, W, 3) in the fit's space."""
        return np.asarray(true @ self.rotation, np.float32)


def mean_pose(frames: Sequence[Frame]) -> Pose:
    """The pose in the middle of frames that all have the head near the origin.

    How far a head is from its camera a picture hardly says, so a frame's place counts across its line of sight only: the place
    nearest to all the lines through camera and head (least squares).
    """

    def middle(which: str) -> Array64:
        matrices = [getattr(f.pose, which) for f in frames]
        across, wanted = np.zeros((3, 3)), np.zeros(3)
        for matrix, f in zip(matrices, frames, strict=True):
            sight = matrix[:3, 3] - f.camera.position
            flat = np.eye(3) - np.outer(sight, sight) / (sight @ sight)
            across += flat
            wanted += flat @ matrix[:3, 3]
        out = np.eye(4)
        out[:3, :3] = rotation_vector(np.mean([rotation_log(m[:3, :3]) for m in matrices], axis=0))
        out[:3, 3] = np.linalg.lstsq(across, wanted, rcond=1e-6)[0]
        return out

    return Pose(middle("head"), middle("body"))


def _distance(frame: Frame) -> float:
    return float(np.linalg.norm(frame.pose.head[:3, 3] - frame.camera.position))


def drawn(avatar: Avatar, model: HeadModel, shot: TruthFrame, world: World, pose: Pose) -> Picture:
    """The avatar as the shot's camera sees it, with normals."""
    return smoothly(avatar, model, world.camera(shot.camera), shot.coefficients, pose)


def smoothly(avatar: Avatar, model: HeadModel, camera: Camera, coefficients: Array, pose: Pose) -> Picture:
    """The avatar in one expression and pose, with normals, without jagged edges."""
    posed = AvatarPoser(avatar, model).pose(coefficients, pose)
    fine = CpuRasterizer().render(posed, camera.resized(camera.width * OVERSAMPLED, camera.height * OVERSAMPLED), normal=True)
    assert fine.normal is not None
    color, alpha, normal = (shrunk(picture, OVERSAMPLED) for picture in (fine.color, fine.alpha, fine.normal))
    return Picture(color, alpha, None, normal)


def score(avatar: Avatar, model: HeadModel, shots: Sequence[TruthFrame], world: World, pose: Pose) -> Scores:
    """Against true pictures, true cameras and true expressions; `pose` is the head's in all of them."""
    rows = []
    for shot in shots:
        picture = drawn(avatar, model, shot, world, pose)
        color = np.round(255 * picture.color.clip(0, 1)) / 255
        wrong = ((color - shot.image) ** 2).mean(axis=2)
        head = shot.matte > 0.5
        ssim = structural_similarity(
            shot.image, color.astype(np.float32), channel_axis=2, data_range=1.0, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False,
        )  # fmt: skip
        rows.append((_decibels(wrong.mean()), _decibels(wrong[head].mean()), float(ssim), angle(picture, shot, world)))
    return Scores(*(float(np.nanmean([row[k] for row in rows])) for k in range(4)))


def angle(picture: Picture, shot: TruthFrame, world: World) -> float:
    """Mean degrees between drawn and true normals on the face; NaN where hardly any face shows."""
    if shot.face.mean() < LEAST_FACE or picture.normal is None:
        return float("nan")
    ours, true = picture.normal[shot.face], world.normals(shot.normals[shot.face])
    length = np.linalg.norm(ours, axis=1) * np.linalg.norm(true, axis=1)
    cosine = np.sum(ours * true, axis=1) / np.maximum(length, 1e-6)
    return float(np.degrees(np.arccos(cosine.clip(-1, 1))).mean())


def _decibels(error: float) -> float:
    return float(-10 * np.log10(max(error, 1e-10)))
