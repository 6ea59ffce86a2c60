from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.heads.anny import AnnyHead
from models.heads.base import HEAD, NECK, TORSO, quaternion, rotation_log, rotation_vector, skinning_transforms
from models.posture import SHOULDERS_FOLLOW, body_under, pose_of
from models.types import DriveFrame

JOINTS = AnnyHead().person(np.zeros(AnnyHead().identity_count)).joints
angle = st.floats(-1.2, 1.2)
turns = st.tuples(angle, angle, angle).map(np.array)


def pose(vector: np.ndarray, translation: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> np.ndarray:
    m = np.eye(4)
    m[:3, :3], m[:3, 3] = rotation_vector(vector), translation
    return m


def at(m: np.ndarray, point: np.ndarray) -> np.ndarray:
    return m[:3, :3] @ point + m[:3, 3]


def test_a_head_at_rest_sits_on_shoulders_at_rest() -> None:
    np.testing.assert_allclose(body_under(np.eye(4), JOINTS), np.eye(4), atol=1e-12)


def test_shoulders_go_where_the_head_goes() -> None:
    moved = pose(np.zeros(3), (0.1, -0.2, -0.7))
    np.testing.assert_allclose(body_under(moved, JOINTS), moved, atol=1e-12)


@given(turns)
def test_shoulders_follow_by_a_part_and_the_neck_joins_them(vector: np.ndarray) -> None:
    head = pose(vector, (0.1, 0.2, -0.5))
    body = body_under(head, JOINTS)
    turn = rotation_log(head[:3, :3])
    np.testing.assert_allclose(rotation_log(body[:3, :3]), SHOULDERS_FOLLOW * turn, atol=1e-6)
    drive = DriveFrame(rotation=quaternion(head[:3, :3]), translation=head[:3, 3])
    t = skinning_transforms(JOINTS, pose_of(drive, JOINTS))
    np.testing.assert_allclose(t[TORSO], body, atol=1e-7)
    np.testing.assert_allclose(at(t[NECK], JOINTS[NECK]), at(t[TORSO], JOINTS[NECK]), atol=1e-7)
    np.testing.assert_allclose(at(t[NECK], JOINTS[HEAD]), at(t[HEAD], JOINTS[HEAD]), atol=1e-7)


@given(turns, st.tuples(*[st.floats(-1e-3, 1e-3)] * 3).map(np.array))
def test_a_small_change_of_the_head_is_a_small_change_of_the_body(vector: np.ndarray, step: np.ndarray) -> None:
    a, b = (body_under(pose(v), JOINTS) for v in (vector, vector + step))
    assert np.abs(a - b).max() < 3e-3


def test_the_pose_of_a_drive_frame() -> None:
    gaze = np.array([[0.1, 0.2], [0.3, 0.4]], np.float32)
    r = rotation_vector(np.array([0.1, 0.5, -0.2]))
    p = pose_of(DriveFrame(rotation=2 * quaternion(r), translation=np.array([0, 0.1, -0.6]), gaze=gaze), JOINTS)
    np.testing.assert_allclose(p.head[:3, :3], r, atol=1e-12)
    np.testing.assert_allclose(p.head[:3, 3], [0, 0.1, -0.6])
    np.testing.assert_array_equal(p.gaze, gaze)
    assert p.jaw == 0
