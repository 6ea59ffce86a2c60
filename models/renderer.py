"""The avatar as a drive frame says, from any camera.

Live viewers see the head relative to where it rests (`AvatarRenderer.neutral`): at rest it stands upright at the origin and
faces +z, however the webcam was placed. With `tracked=True` it stands where the webcam saw it instead; `tracked_camera`
then draws it over the webcam's own picture.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.avatar import Avatar, AvatarPoser
from models.heads.base import HeadModel, PersonHead, Pose, rotation_matrix
from models.posture import body_under
from models.splat.base import WHITE, LiveRasterizer
from models.types import Array64, Camera, DriveFrame, Gaussians

DISTANCE = 0.9
"""Metres from the camera of `view_camera` to the middle of the view."""
TARGET = (0.0, -0.01, 0.0)
"""Middle of the view in avatar space: a little under the ears, so that crown and shoulders are both in."""
FOV_Y = np.deg2rad(24.0)
ROAM = np.array([0.12, 0.10, 0.20])
"""Metres that the head may wander from its place on each axis before it is held back (softly, so that it never leaves the
view); half of that is still followed almost one to one."""


def view_camera(
    yaw: float = 0.0, pitch: float = 0.0, distance: float = DISTANCE, *, width: int = 512, height: int = 512
) -> Camera:
    """A camera around the head's resting place: yaw 0 faces it, positive towards its left; radians, metres."""
    return Camera.orbit(yaw, pitch, distance, width=width, height=height, fov_y=FOV_Y, target=TARGET)


def tracked_camera(width: int, height: int, focal: float) -> Camera:
    """The webcam itself: at the origin of a world in its OpenGL axes. focal: pixels."""
    world_to_camera = np.diag([1.0, -1.0, -1.0, 1.0])
    return Camera(width, height, focal, focal, 0.5 * width, 0.5 * height, world_to_camera)


def head_matrix(drive: DriveFrame) -> Array64:
    """(4, 4) rigid, avatar space -> webcam (OpenGL axes)."""
    m = np.eye(4)
    m[:3, :3], m[:3, 3] = rotation_matrix(drive.rotation), drive.translation
    return m


class AvatarRenderer:
    """Poses one avatar and draws it, width x height.

    Not for several threads at once: the Gaussians of the last call are written over by the next.
    """

    def __init__(
        self,
        avatar: Avatar,
        model: HeadModel,
        rasterizer: LiveRasterizer,
        width: int = 512,
        height: int = 512,
        background: tuple[float, float, float] = WHITE,
        *,
        tracked: bool = False,
    ) -> None:
        self.width, self.height, self.background, self.tracked = width, height, background, tracked
        self._poser = AvatarPoser(avatar, model)
        self._rasterizer = rasterizer
        self._from_neutral = np.eye(4)

    @property
    def person(self) -> PersonHead:
        """The head that is drawn, for which the solver has to be made."""
        return self._poser.person

    @property
    def neutral(self) -> Array64:
        """(4, 4) rigid: the pose of the resting head, avatar space -> webcam (OpenGL axes). The identity at first."""
        return np.asarray(np.linalg.inv(self._from_neutral))

    @neutral.setter
    def neutral(self, pose: Array64) -> None:
        self._from_neutral = np.linalg.inv(np.asarray(pose, np.float64))

    def view_camera(self, yaw: float = 0.0, pitch: float = 0.0, distance: float = DISTANCE) -> Camera:
        """`view_camera` of this module in the renderer's size."""
        return view_camera(yaw, pitch, distance, width=self.width, height=self.height)

    def gaussians(self, drive: DriveFrame) -> Gaussians:
        """The posed avatar. It is overwritten by the next call."""
        head = head_matrix(drive)
        if not self.tracked:
            head = self._from_neutral @ head
            head[:3, 3] = ROAM * np.tanh(head[:3, 3] / ROAM)
        pose = Pose(head=head, body=body_under(head, self.person.joints), gaze=drive.gaze)
        return self._poser.pose(drive.coefficients, pose)

    def render_into(self, drive: DriveFrame, camera: Camera, out: NDArray[np.uint8]) -> None:
        """Draw over `background` into `out`, (camera.height, camera.width, 3) uint8 RGB, contiguous."""
        self._rasterizer.render_into(self.gaussians(drive), camera, out, self.background)

    def render(self, drive: DriveFrame, camera: Camera | None = None) -> NDArray[np.uint8]:
        """A new picture (H, W, 3) uint8 RGB from `camera`, or from the front."""
        camera = camera or self.view_camera()
        out = np.empty((camera.height, camera.width, 3), np.uint8)
        self.render_into(drive, camera, out)
        return out
