from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.avatar import Avatar
from models.binding import BoundGaussians
from models.heads.anny import AnnyHead
from models.heads.base import quaternion
from models.renderer import ROAM, AvatarRenderer, head_matrix, tracked_camera, view_camera
from models.splat.cpu import CpuRasterizer
from models.tracking.synthetic_landmarks import head_pose
from models.types import Camera, DriveFrame, Gaussians
from server.benchmarks.avatar import bench_avatar


class Recorder:
    """A rasterizer that remembers what it was asked for and paints the picture grey."""

    name = "recorder"

    def render_into(
        self, gaussians: Gaussians, camera: Camera, out: NDArray[np.uint8], background: tuple[float, float, float] = (1, 1, 1)
    ) -> None:
        self.means, self.camera, self.background = gaussians.means.copy(), camera, background
        out[...] = 128

    def render(self, *_: object, **__: object) -> None:
        raise AssertionError("live pictures are rendered in place")


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    model = AnnyHead()
    n = len(model.faces)
    gaussians = BoundGaussians(
        np.arange(n, dtype=np.int32), np.zeros((n, 3), np.float32), np.tile(np.float32([1, 0, 0, 0]), (n, 1)),
        np.full((n, 3), 0.4, np.float32), np.full(n, 0.9, np.float32), np.full((n, 3), 0.3, np.float32),
    )  # fmt: skip
    return Avatar("anny", np.zeros(model.identity_count, np.float32), np.zeros_like(model.template), gaussians)


def drive_at(head: NDArray[np.float64]) -> DriveFrame:
    return DriveFrame(rotation=quaternion(head[:3, :3]), translation=head[:3, 3])


@pytest.fixture
def renderer(avatar: Avatar) -> AvatarRenderer:
    return AvatarRenderer(avatar, AnnyHead(), Recorder(), 64, 48, (0.0, 0.5, 1.0))  # type: ignore[arg-type]


def test_the_resting_head_stands_at_the_origin(renderer: AvatarRenderer) -> None:
    rest = renderer.gaussians(DriveFrame()).means.copy()
    where = head_pose(0.3, -0.2, 0.1, (0.1, -0.05, -0.7))
    renderer.neutral = where
    np.testing.assert_allclose(renderer.neutral, where, atol=1e-12)
    np.testing.assert_allclose(renderer.gaussians(drive_at(where)).means, rest, atol=1e-5)


def test_the_head_turns_and_moves_from_its_rest(renderer: AvatarRenderer) -> None:
    where, move = head_pose(0.3, 0.0, 0.0, (0.1, 0.0, -0.7)), head_pose(0.0, 0.2, 0.0, (0.02, 0.0, 0.01))
    expected = renderer.gaussians(drive_at(move)).means.copy()
    renderer.neutral = where
    np.testing.assert_allclose(renderer.gaussians(drive_at(where @ move)).means, expected, atol=1e-5)


def test_it_never_wanders_off(renderer: AvatarRenderer) -> None:
    rest = renderer.gaussians(DriveFrame()).means.mean(axis=0)
    far = renderer.gaussians(DriveFrame(translation=np.array([5.0, -5.0, 5.0]))).means.mean(axis=0)
    assert (np.abs(far - rest) < ROAM * 1.05).all()


def test_tracked_stands_where_the_webcam_saw_it(avatar: Avatar) -> None:
    recorder = Recorder()
    tracked = AvatarRenderer(avatar, AnnyHead(), recorder, 64, 48, tracked=True)  # type: ignore[arg-type]
    head = head_pose(0.2, 0.1, 0.0, (0.3, -0.1, -0.9))
    camera = tracked_camera(64, 48, 70.0)
    tracked.render(drive_at(head), camera)
    assert recorder.camera is camera
    np.testing.assert_allclose(head_matrix(drive_at(head)), head, atol=1e-9)
    crown = head[:3, :3] @ np.array([0, 0.1, 0]) + head[:3, 3]
    assert np.linalg.norm(recorder.means - crown, axis=1).min() < 0.05
    u, v = camera.project(head[:3, 3])
    assert u == pytest.approx(32 + 70 * 0.3 / 0.9) and v == pytest.approx(24 + 70 * 0.1 / 0.9)


def test_head_and_shoulders_are_in_the_view() -> None:
    model = AnnyHead()
    camera = view_camera()
    head = model.template[model.template[:, 1] > -0.13]
    pixels = camera.project(head)
    assert (pixels > 0).all() and (pixels < 512).all()
    assert pixels[:, 1].min() > 20  # some air above the crown
    shoulders = camera.project(model.template)[:, 1]
    assert shoulders.max() > 500  # they reach the lower border


def test_a_positive_yaw_looks_from_the_persons_left() -> None:
    assert view_camera(yaw=0.5).position[0] > 0.2
    assert view_camera(pitch=0.5).position[1] > 0.2
    assert view_camera(distance=2.0).position[2] == pytest.approx(2.0)


def test_pictures_are_rendered_in_place_over_the_background(renderer: AvatarRenderer) -> None:
    out = np.zeros((48, 64, 3), np.uint8)
    renderer.render_into(DriveFrame(), renderer.view_camera(), out)
    assert (out == 128).all()
    assert renderer.view_camera().width == 64 and renderer.view_camera().height == 48


def test_a_real_picture(avatar: Avatar) -> None:
    renderer = AvatarRenderer(avatar, AnnyHead(), CpuRasterizer(1), 96, 96)
    closed, opened = renderer.render(DriveFrame()), renderer.render(DriveFrame.expression(jawOpen=1.0))
    assert closed.shape == (96, 96, 3) and closed.dtype == np.uint8
    assert (closed[2, 2] == 255).all() and closed[48, 48].max() < 200
    assert np.abs(closed.astype(int) - opened).max() > 30


def test_what_the_view_sees_is_the_whole_picture(avatar: Avatar) -> None:
    """From the front, the sides, with an open mouth and a turned head, by one renderer one after the other."""
    whole, seen = bench_avatar(avatar, repeats=1)
    assert whole["gaussians"] == seen["gaussians"] == len(avatar.gaussians)
    assert seen["front_db"] > 60 and seen["least_db"] > 60 and seen["median_ms"] > 0
