"""A capture: everything that is known about a person's look, as frames with camera, pose and expression. All that the
optimiser (`enrollment.reconstruction.reconstruct`) sees.

It comes from the portraits of an instant enrollment, from a clip that was tracked (`enrollment.clip_capture`), from a folder in
the nerfstudio / VHAP layout (`enrollment.reconstruction.capture_folder`), or from anything that yields frames.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from enrollment.instant.pipeline import Enrollment
from models import arkit
from models.avatar import Avatar, AvatarPoser
from models.errors import CaptureError
from models.heads.base import HeadModel, PersonHead, Pose
from models.splat.cpu import CpuRasterizer
from models.types import Array, Camera

Pixels = NDArray[np.uint8]

LEAST_SHOWN = 0.01
"""Part of a picture that the matte must take for the person."""
LEAST_COVERED = 0.5
"""Part of the posed head that must lie on the matte, or camera and picture disagree."""
AROUND = 0.45
"""How much is kept around the posed head's box, part of its larger side: hair and shoulders."""


COARSE: tuple[tuple[float, float, dict[str, float]], ...] = (
    (-20, 0, {}), (40, 5, {}), (-75, 0, {}), (75, 0, {}), (180, 10, {}),
    (20, 0, arkit.both(eyeBlink=1.0)), (0, 5, {**arkit.both(eyeBlink=0.6), "browInnerUp": 0.8}),
    (15, 0, arkit.both(browDown=1.0, noseSneer=0.5)), (-20, 5, {**arkit.both(browOuterUp=0.8, eyeWide=0.7), "jawOpen": 0.4}),
    (0, 0, arkit.both(mouthSmile=1.0)),
    (25, 0, {**arkit.both(mouthSmile=1.0, mouthUpperUp=0.3, cheekSquint=0.5), "jawOpen": 0.4}),
    (-40, 0, arkit.both(mouthSmile=0.7, mouthStretch=0.4)), (-10, 0, arkit.both(mouthFrown=0.9, mouthLowerDown=0.4)),
    (0, 5, {"mouthPucker": 0.9, "jawOpen": 0.6, "browInnerUp": 1.0}), (-30, 0, {"mouthPucker": 1.0}),
    (20, 0, {"mouthFunnel": 0.8, "jawOpen": 0.3}), (0, -5, {"jawOpen": 0.8}), (-40, 5, {"jawOpen": 0.5}),
    (0, -10, {**arkit.both(mouthPress=0.6), "mouthRollLower": 0.5}), (0, 0, {"mouthLeft": 0.7, "jawLeft": 0.3}),
    (0, 0, {"mouthRight": 0.7, "jawRight": 0.3}), (0, 0, {**arkit.both(mouthUpperUp=0.8, mouthLowerDown=0.7), "jawOpen": 0.2}),
)  # fmt: skip
"""Views of the instant avatar, degrees around and above, and the expression in each."""
COARSE_SIDE, COARSE_SHARE = 320, 0.5
"""Pixels, and which part of all looks they get."""
OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
"""World-to-camera of a camera whose OpenGL axes are the world's, as for the poses of photos and drive frames."""


@dataclass(frozen=True)
class Frame:
    """One picture of the person. H, W: the camera's height and width.

    image: (H, W, 3) uint8 sRGB. matte: (H, W) float32 in [0, 1], how much of a pixel is the person.
    camera and pose: in one world, metres; worlds of different frames need not agree.
    coefficients: (52,) float32 in [0, 1], ARKit order. normals: (H, W, 3) float32 in the frame's world, unit length, zero
    where unknown; None where there are none. known: (H, W) bool, what the picture shows (beyond a photo's edge it shows
    nothing); None: all. weight: how often it is looked at, relative to the others. name: for messages.
    """

    image: Pixels
    matte: Array
    camera: Camera
    pose: Pose
    coefficients: Array
    normals: Array | None = None
    known: NDArray[np.bool_] | None = None
    weight: float = 1.0
    name: str = ""

    def resized(self, width: int, height: int) -> Frame:
        """The same frame in another picture size."""

        def scaled(picture: NDArray[Any]) -> NDArray[Any]:
            return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))

        normals = None
        if self.normals is not None:
            mean = scaled(self.normals)
            length = np.linalg.norm(mean, axis=2, keepdims=True)
            normals = np.divide(mean, length, out=np.zeros_like(mean), where=length > 0.5)
        known = None if self.known is None else scaled(self.known.astype(np.float32)) > 0.999
        return replace(
            self, image=scaled(self.image), matte=scaled(self.matte), camera=self.camera.resized(width, height), normals=normals,
            known=known,
        )  # fmt: skip

    def cropped(self, left: int, top: int, right: int, bottom: int) -> Frame:
        """Columns left to right and rows top to bottom of the picture, which they must not overhang."""
        window = np.s_[top:bottom, left:right]
        c = self.camera
        return replace(
            self, image=self.image[window].copy(), matte=self.matte[window].copy(),
            camera=replace(c, width=right - left, height=bottom - top, cx=c.cx - left, cy=c.cy - top),
            normals=None if self.normals is None else self.normals[window].copy(),
            known=None if self.known is None else self.known[window].copy(),
        )  # fmt: skip

    def around(self, person: PersonHead) -> Frame:
        """The part of the picture around the posed head; all of it when the head is nowhere in it."""
        vertices = person.vertices(self.coefficients, self.pose)[person.model.region_vertices("skin")]
        xy, size = self.camera.project(vertices), np.array([self.camera.width, self.camera.height])
        margin = AROUND * (xy.max(axis=0) - xy.min(axis=0)).max()
        left, top = np.clip(np.floor(xy.min(axis=0) - margin), 0, size).astype(int)
        right, bottom = np.clip(np.ceil(xy.max(axis=0) + margin), 0, size).astype(int)
        return self.cropped(left, top, right, bottom) if right - left > 8 and bottom - top > 8 else self

    def problem(self) -> str | None:
        """Why the frame cannot be used, as a clause with the frame as its subject; None when it can."""
        c, size = self.camera, (self.camera.height, self.camera.width)
        if self.image.shape != (*size, 3) or self.image.dtype != np.uint8:
            height, width = self.image.shape[:2]
            return f"is {width}x{height} pixels where its camera says {c.width}x{c.height}"
        shapes = [(self.matte, size), (self.normals, (*size, 3)), (self.known, size)]
        if any(a is not None and a.shape != shape for a, shape in shapes):
            return "has a matte, normals or mask of another size than its picture"
        numbers = (self.matte, c.world_to_camera, self.pose.head, self.pose.body, self.pose.gaze, self.coefficients)
        intrinsics = np.array([c.fx, c.fy, c.cx, c.cy, self.weight])
        if not all(np.isfinite(a).all() for a in (*numbers, intrinsics)):
            return "has numbers that are not finite"
        if self.coefficients.shape != (arkit.COUNT,):
            return f"has {self.coefficients.size} expression coefficients where {arkit.COUNT} were expected"
        if min(c.fx, c.fy) <= 0 or not _rigid(c.world_to_camera):
            return "has a camera that is no pinhole camera (focal length above 0, a rotation and a translation)"
        if not (_rigid(self.pose.head) and _rigid(self.pose.body)):
            return "has a head pose that is not a rotation and a translation"
        if self.weight <= 0:
            return "has no weight"
        if self.matte.mean() < LEAST_SHOWN:
            return "shows nobody (its matte is empty)"
        return None

    def covered(self, person: PersonHead) -> float:
        """Which part of the posed head's skin before the camera and in its picture lies on the matte, [0, 1]."""
        vertices = person.vertices(self.coefficients, self.pose)[person.model.region_vertices("skin")]
        m = self.camera.world_to_camera
        if ((vertices @ m[2, :3] + m[2, 3]) < 0.05).any():
            return 0.0
        column, row = np.floor(self.camera.project(vertices)).astype(int).T
        inside = (column >= 0) & (row >= 0) & (column < self.camera.width) & (row < self.camera.height)
        if inside.mean() < LEAST_COVERED:
            return 0.0
        return float(self.matte[row[inside], column[inside]].mean())


def _rigid(m: NDArray[np.floating]) -> bool:
    r = m[:3, :3]
    return m.shape == (4, 4) and bool(np.abs(r @ r.T - np.eye(3)).max() < 1e-3 and np.linalg.det(r) > 0)


@dataclass(frozen=True)
class Capture:
    """Usable frames, at least one. warnings: one sentence for each frame that was left out."""

    frames: tuple[Frame, ...]
    warnings: tuple[str, ...] = ()

    @staticmethod
    def of_frames(frames: Iterable[Frame], person: PersonHead | None = None) -> Capture:
        """The usable ones of `frames`. With `person`, also frames in which that head does not lie on the matte are left out.

        Raises `CaptureError` when none is left.
        """
        good: list[Frame] = []
        warnings: list[str] = []
        for index, frame in enumerate(frames):
            problem = frame.problem()
            if problem is None and person is not None and frame.covered(person) < LEAST_COVERED:
                problem = "does not show the head where its camera and pose put it"
            if problem is None:
                good.append(frame)
            else:
                warnings.append(f"{frame.name or f'frame {index + 1}'} was left out because it {problem}")
        if not good:
            why = f" ({warnings[0]})" if warnings else ""
            raise CaptureError(f"at least one usable frame was expected, none came{why}; check pictures, mattes and cameras")
        return Capture(tuple(good), tuple(warnings))

    @staticmethod
    def of_portraits(enrollment: Enrollment, person: PersonHead) -> Capture:
        """The photos of an instant enrollment, in the poses it found. The leading one is looked at as often as all others.

        person: the enrolled one, with the avatar's offset. The background's colour is taken out of the mattes' soft edges.
        """
        frames = []
        for index, (portrait, photo) in enumerate(zip(enrollment.portraits, enrollment.fit.photos, strict=True)):
            pose = Pose(head=photo.head_pose(), body=photo.body_pose(person.joints), gaze=photo.gaze)
            image = np.round(portrait.colors * 255).astype(np.uint8)
            weight = max(1.0, len(enrollment.portraits) - 1.0) if index == 0 else 1.0
            frames.append(
                Frame(
                    image, portrait.matte, photo.camera(portrait), pose, photo.coefficients, None, portrait.inside, weight,
                    f"photo {index + 1}",
                )
            )  # fmt: skip
        return Capture.of_frames(frames)

    def beside(self, avatar: Avatar, model: HeadModel, share: float = COARSE_SHARE) -> Capture:
        """With pictures of `avatar` from the sides and in other expressions, together `share` of all looks.

        They hold an avatar together that one photo would pull apart where it does not look; a diffusion prior's views take
        their place.
        """
        poser, rasterizer = AvatarPoser(avatar, model), CpuRasterizer()
        weight = sum(f.weight for f in self.frames) * share / (1 - share) / len(COARSE)
        frames = list(self.frames)
        for yaw, pitch, expression in COARSE:
            view = Camera.orbit(np.deg2rad(yaw), np.deg2rad(pitch), width=COARSE_SIDE, height=COARSE_SIDE)
            coefficients = np.asarray(arkit.vector(**expression), np.float32)
            drawn = rasterizer.render(poser.pose(coefficients), view)
            alpha = drawn.alpha[..., None]
            color = np.where(alpha > 0.02, (drawn.color - 1 + alpha) / np.maximum(alpha, 0.02), 1.0)
            image = np.round(255 * color.clip(0, 1)).astype(np.uint8)
            frames.append(Frame(image, drawn.alpha, view, Pose(), coefficients, weight=weight, name=f"coarse view at {yaw}"))
        return Capture(tuple(frames), self.warnings)

    @property
    def nbytes(self) -> int:
        """Bytes that the frames take."""
        arrays = ((f.image, f.matte, f.normals, f.known) for f in self.frames)
        return sum(a.nbytes for four in arrays for a in four if a is not None)
