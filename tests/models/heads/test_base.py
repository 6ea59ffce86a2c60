from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from models.heads.anny import AnnyHead
from models.heads.base import (
    HEAD,
    JAW,
    NECK,
    TORSO,
    Pose,
    halfway,
    quaternion,
    rotation_log,
    rotation_matrix,
    rotation_vector,
    skin,
    skinning_transforms,
)
from models.posture import body_under
from tests.models import makers

MODEL = makers.random_head()
PERSON = MODEL.person(np.array([0.5, -1.0, 0.2]))
COEFFICIENTS = np.random.default_rng(2).uniform(size=52)

numbers = st.floats(-3.0, 3.0)
vectors = st.tuples(numbers, numbers, numbers).map(np.array)


def affine(rotation: np.ndarray, translation: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> np.ndarray:
    m = np.eye(4)
    m[:3, :3], m[:3, 3] = rotation_vector(np.asarray(rotation, float)), translation
    return m


def moved(m: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ m[:3, :3].T + m[:3, 3]


def test_the_identity_pose_is_the_rest_pose() -> None:
    np.testing.assert_allclose(PERSON.vertices(np.zeros(52)), PERSON.rest, atol=1e-6)
    np.testing.assert_allclose(PERSON.vertices(COEFFICIENTS, Pose()), PERSON.expressed(COEFFICIENTS), atol=1e-6)


def test_identity_and_expression_are_linear() -> None:
    zero = MODEL.person(np.zeros(3))
    np.testing.assert_allclose(zero.rest, MODEL.template, atol=1e-7)
    one = MODEL.person(np.array([0, 1.0, 0]))
    np.testing.assert_allclose(one.rest - zero.rest, MODEL.identity_basis[1], atol=1e-6)
    np.testing.assert_allclose(one.joints - zero.joints, MODEL.joints_basis[1], atol=1e-6)
    np.testing.assert_allclose(
        PERSON.expressed(2 * COEFFICIENTS) - PERSON.rest, 2 * (PERSON.expressed(COEFFICIENTS) - PERSON.rest), atol=1e-5
    )


@given(vectors, vectors)
def test_head_and_body_together_move_rigidly(rotation: np.ndarray, translation: np.ndarray) -> None:
    m = affine(rotation, translation)
    posed = PERSON.vertices(COEFFICIENTS, Pose(head=m, body=m))
    np.testing.assert_allclose(posed, moved(m, PERSON.expressed(COEFFICIENTS)), atol=1e-5)


def test_the_skull_of_a_real_head_is_rigid_under_any_shoulders() -> None:
    model = AnnyHead()
    person = model.person(np.zeros(model.identity_count))
    m = affine(np.array([0.3, 0.6, -0.2]), (0.1, 0.2, -0.5))
    posed = person.vertices(np.zeros(52), Pose(head=m, body=affine(np.array([0, 0.1, 0]))))
    skull = np.flatnonzero(model.weights[:, HEAD] > 0.999999)
    assert len(skull) > 1000
    np.testing.assert_allclose(posed[skull], moved(m, person.rest)[skull], atol=1e-4)


@pytest.mark.parametrize("turn", [(0, 0.8, 0), (0.4, 0, 0), (-0.4, 0.3, 0.3), (0, -1.2, 0)])
def test_the_neck_stays_joined(turn: tuple[float, float, float]) -> None:
    """No edge of skin is torn apart, and the parts of the neck meet at its joints."""
    model = AnnyHead()
    person = model.person(np.zeros(model.identity_count))
    head = affine(np.array(turn), (0.0, 0.1, -0.6))
    pose = Pose(head=head, body=body_under(head, person.joints))
    t = skinning_transforms(person.joints, pose)
    at = person.joints
    np.testing.assert_allclose(moved(t[NECK], at[HEAD]), moved(t[HEAD], at[HEAD]), atol=1e-9)
    np.testing.assert_allclose(moved(t[NECK], at[NECK]), moved(t[TORSO], at[NECK]), atol=1e-9)
    faces = model.faces[model.region_faces("skin", "body")]
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    before, after = (
        np.linalg.norm(v[edges[:, 0]] - v[edges[:, 1]], axis=1) for v in (person.rest, person.vertices(np.zeros(52), pose))
    )
    assert (after - before).max() < 0.02


def test_the_jaw_opens_about_its_joint() -> None:
    t = skinning_transforms(PERSON.joints, Pose(jaw=0.2))
    np.testing.assert_allclose(moved(t[JAW], PERSON.joints[JAW]), PERSON.joints[JAW], atol=1e-12)
    in_front = PERSON.joints[JAW] + np.array([0, 0, 0.08])
    assert moved(t[JAW], in_front)[1] < in_front[1] - 0.01


def test_skinning_against_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    transforms = rng.normal(size=(6, 4, 4))
    fast = skin(PERSON.rest, MODEL.weights, transforms)
    for i, v in enumerate(PERSON.rest):
        slow = sum(w * (t[:3, :3] @ v + t[:3, 3]) for w, t in zip(MODEL.weights[i], transforms, strict=True))
        np.testing.assert_allclose(fast[i], slow, atol=1e-5)
    assert fast.dtype == np.float32


def test_landmarks_against_a_plain_loop() -> None:
    found = PERSON.landmarks(PERSON.rest)
    for n in (0, 100, 477):
        corners = PERSON.rest[MODEL.faces[MODEL.landmark_face[n]]]
        np.testing.assert_allclose(found[n], MODEL.landmark_barycentric[n] @ corners, atol=1e-6)


def test_regions() -> None:
    mask = MODEL.region_faces("skin", "tongue")
    assert set(MODEL.region[mask]) <= {0, 5}
    assert not set(MODEL.region[~mask]) & {0, 5}
    np.testing.assert_array_equal(MODEL.region_vertices("skin", "tongue"), np.unique(MODEL.faces[mask]))


@given(vectors)
def test_rotations_are_those_of_scipy(vector: np.ndarray) -> None:
    matrix, truth = rotation_vector(vector), Rotation.from_rotvec(vector)
    np.testing.assert_allclose(matrix, truth.as_matrix(), atol=1e-12)
    np.testing.assert_allclose(rotation_matrix(np.roll(truth.as_quat(), 1)), matrix, atol=1e-12)
    np.testing.assert_allclose(Rotation.from_rotvec(rotation_log(matrix)).as_matrix(), matrix, atol=1e-7)
    np.testing.assert_allclose(np.abs(quaternion(matrix) @ np.roll(truth.as_quat(), 1)), 1.0, atol=1e-9)


@given(vectors)
def test_rotations_there_and_back(vector: np.ndarray) -> None:
    r = rotation_vector(vector)
    np.testing.assert_allclose(r @ r.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(r) == pytest.approx(1)
    np.testing.assert_allclose(rotation_vector(rotation_log(r)), r, atol=1e-7)
    q = quaternion(r)
    assert q[0] >= 0
    np.testing.assert_allclose(rotation_matrix(3 * q), r, atol=1e-12)
    if np.linalg.norm(vector) < 3.1:
        np.testing.assert_allclose(rotation_log(r), vector, atol=1e-6)


def test_a_turn_to_the_left_is_about_up() -> None:
    """Right-handed: +y up, a positive turn takes the nose (+z) to the person's left (+x)."""
    np.testing.assert_allclose(rotation_vector(np.array([0, np.pi / 2, 0])) @ [0, 0, 1], [1, 0, 0], atol=1e-12)


@given(vectors, vectors)
def test_halfway_is_half_of_the_way(a: np.ndarray, b: np.ndarray) -> None:
    first, last = rotation_vector(a), rotation_vector(b)
    middle = halfway(first, last)
    step = first.T @ middle
    if np.linalg.norm(rotation_log(first.T @ last)) < 3.1:
        np.testing.assert_allclose(step @ step, first.T @ last, atol=1e-6)
