from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import arkit
from models.types import Camera, DriveFrame

number = st.floats(-2.0, 2.0)
points = st.tuples(number, number, number)


def camera_space(camera: Camera, point: np.ndarray) -> np.ndarray:
    return camera.world_to_camera[:3, :3] @ point + camera.world_to_camera[:3, 3]


def test_a_camera_at_the_origin_looks_along_z_with_y_down() -> None:
    camera = Camera(640, 480, 500.0, 400.0, 320.0, 240.0)
    np.testing.assert_allclose(camera.project(np.array([0, 0, 2.0])), [320, 240])
    np.testing.assert_allclose(camera.project(np.array([[0.1, 0.2, 1.0]])), [[370, 320]])
    assert camera.project(np.ones((2, 3, 3))).shape == (2, 3, 2)
    np.testing.assert_allclose(camera.position, 0)


def test_looking_at_a_face_from_the_front() -> None:
    """+x, the person's left, is right in the picture; up is up."""
    camera = Camera.look_at((0, 0, 1.0), (0, 0, 0), width=200, height=100, fov_y=np.deg2rad(30))
    np.testing.assert_allclose(camera.project(np.zeros(3)), [100, 50], atol=1e-9)
    assert camera.project(np.array([0.1, 0, 0]))[0] > 100
    assert camera.project(np.array([0, 0.1, 0]))[1] < 50
    top = camera.project(np.array([0, np.tan(np.deg2rad(15)), 0]))
    np.testing.assert_allclose(top, [100, 0], atol=1e-9)
    np.testing.assert_allclose(camera_space(camera, np.zeros(3)), [0, 0, 1], atol=1e-12)


@given(points, points)
def test_look_at_is_rigid_and_hits_its_target(eye: tuple, target: tuple) -> None:
    distance = float(np.linalg.norm(np.subtract(eye, target)))
    if distance < 1e-3:
        return
    camera = Camera.look_at(eye, target, width=64, height=48, fov_y=0.8)
    r = camera.world_to_camera[:3, :3]
    np.testing.assert_allclose(r @ r.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(r) == pytest.approx(1)
    np.testing.assert_allclose(camera.position, eye, atol=1e-9)
    np.testing.assert_allclose(camera.project(np.asarray(target)), [32, 24], atol=1e-5)


@pytest.mark.parametrize("height", [2.0, -2.0])
def test_looking_straight_down_and_up(height: float) -> None:
    camera = Camera.look_at((0, height, 0), (0, 0, 0), width=64, height=64, fov_y=0.5)
    r = camera.world_to_camera[:3, :3]
    np.testing.assert_allclose(r @ r.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(r) == pytest.approx(1)


@pytest.mark.parametrize(
    ("yaw", "pitch", "where"),
    [(0, 0, (0, 0, 1)), (np.pi / 2, 0, (1, 0, 0)), (-np.pi / 2, 0, (-1, 0, 0)), (0, np.pi / 4, (0, 0.5**0.5, 0.5**0.5))],
)
def test_orbit(yaw: float, pitch: float, where: tuple) -> None:
    """Yaw 0 faces the avatar, positive goes to its left, positive pitch above it."""
    target = (0.01, 0.02, 0.03)
    camera = Camera.orbit(yaw, pitch, 2.0, target=target)
    np.testing.assert_allclose(camera.position, np.add(target, 2 * np.asarray(where)), atol=1e-12)
    np.testing.assert_allclose(camera.project(np.asarray(target)), [256, 256], atol=1e-9)


def test_resized_shows_the_same() -> None:
    camera = Camera.orbit(0.3, width=400, height=300)
    small = camera.resized(200, 75)
    p = np.array([[0.05, 0.03, 0.02], [-0.1, 0.2, 0.1]])
    np.testing.assert_allclose(small.project(p), camera.project(p) * [0.5, 0.25])
    assert (small.width, small.height) == (200, 75)


def test_a_drive_frame_at_rest() -> None:
    frame = DriveFrame()
    assert (frame.coefficients.shape, frame.coefficients.dtype) == ((52,), np.float32)
    assert frame.gaze.shape == (2, 2)
    np.testing.assert_array_equal(frame.rotation, [1, 0, 0, 0])
    smile = DriveFrame.expression(mouthSmileLeft=0.25)
    assert smile.coefficients[arkit.INDEX["mouthSmileLeft"]] == np.float32(0.25)
    assert smile.coefficients.sum() == np.float32(0.25)
