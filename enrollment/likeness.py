"""How like an avatar is where the photo can tell: drawn again in the photo's pose, its outline and its sharpness beside the
photo's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from enrollment.portrait.portrait import Portrait
from models.avatar import AvatarPoser
from models.heads.base import Pose
from models.heads.registry import by_name
from models.splat.cpu import CpuRasterizer
from models.tracking.face_geometry import CHIN, FOREHEAD, well_within
from models.types import Array, Picture

if TYPE_CHECKING:
    from enrollment.workflow import EnrollmentResult

SIDE = 512
"""Side of the pictures in which an outline is compared, pixels."""
FACE = 192
"""Height of the face at which its fine detail is compared, pixels."""


@dataclass(frozen=True)
class Likeness:
    """outline: pixels at 512x512, `outline_error`. detail: contrast of the drawn face's fine detail (root of `fine_detail`) in
    parts of that of the photo's. colors: root mean square difference of the colours within the face, [0, 1]."""

    outline: float
    detail: float
    colors: float


def likeness(made: EnrollmentResult) -> Likeness:
    """Of the avatar to its leading photo."""
    portrait, drawn = made.instant.portraits[0], as_photographed(made)
    inside = well_within(portrait.landmarks, portrait.matte.shape) > 0
    photo = portrait.image.astype(np.float32) / 255
    apart = float(np.sqrt(np.mean(np.square(photo - drawn.color)[inside]))) if inside.any() else 1.0
    sharp = fine_detail(portrait, portrait.image)
    again = fine_detail(portrait, np.round(drawn.color.clip(0, 1) * 255).astype(np.uint8))
    return Likeness(outline_error(portrait, drawn.alpha), float(np.sqrt(again / max(sharp, 1e-9))), apart)


def as_photographed(made: EnrollmentResult) -> Picture:
    """The avatar over white in pose, expression and camera of its leading photo, at the portrait's size."""
    avatar, fit, portrait = made.avatar, made.instant.fit.photos[0], made.instant.portraits[0]
    poser = AvatarPoser(avatar, by_name(avatar.head))
    gaussians = poser.pose(fit.coefficients, Pose(fit.head_pose(), fit.body_pose(poser.person.joints), fit.gaze))
    return CpuRasterizer().render(gaussians, fit.camera(portrait))


def outline_error(portrait: Portrait, alpha: Array) -> float:
    """Area between the mattes of photo and drawing for each pixel of the outline, pixels at 512x512: how far the outlines are
    apart. alpha: (S, S) of the drawing."""
    known = portrait.inside.astype(np.float32)
    truth, drawn = (
        np.asarray(cv2.resize(a * known, (SIDE, SIDE), interpolation=cv2.INTER_AREA)) for a in (portrait.matte, alpha)
    )
    person = np.uint8(truth > 0.5)
    length = int((person - cv2.erode(person, np.ones((3, 3), np.uint8))).sum())
    return float(np.abs(truth - drawn).sum() / max(length, 1))


def fine_detail(portrait: Portrait, image: NDArray[np.uint8]) -> float:
    """Mean square of the Laplacian within the portrait's face in parts of the variance there, at a fixed size; 0 for an even
    picture. image: (S, S, 3) uint8, the portrait's own or a drawing in its place. A photo that had to be enlarged has less."""
    gray, inside = face_of(portrait, image)
    variance = float(gray[inside].var())
    return float(np.mean(cv2.Laplacian(gray, cv2.CV_32F)[inside] ** 2)) / variance if variance > 1e-5 else 0.0


def face_of(portrait: Portrait, image: NDArray[np.uint8]) -> tuple[Array, NDArray[np.bool_]]:
    """The face in a picture of the portrait's size, `FACE` pixels high, (H, W) float32 grey in [0, 1], and what of it lies within
    the contour, (H, W) bool."""
    p = portrait.landmarks.points[:, :2]
    factor = FACE / max(float(np.linalg.norm(p[FOREHEAD] - p[CHIN])), 1.0)
    size = (max(8, round(image.shape[1] * factor)), max(8, round(image.shape[0] * factor)))
    gray = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    within = cv2.resize(well_within(portrait.landmarks, image.shape[:2]), size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(gray, np.float32) / 255, within > 0
