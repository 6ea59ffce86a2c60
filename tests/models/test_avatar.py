from __future__ import annotations

import numpy as np

from models import binding
from models.avatar import AvatarPoser
from models.heads.base import Pose, rotation_vector
from tests.models import makers

HEAD = makers.random_head()
AVATAR = makers.avatar(HEAD)
COEFFICIENTS = np.random.default_rng(5).uniform(size=52)


def test_the_person_has_identity_and_offset() -> None:
    person = AVATAR.person(HEAD)
    np.testing.assert_allclose(person.rest, HEAD.person(AVATAR.identity).rest + AVATAR.offset, atol=1e-6)
    assert person.model is HEAD


def test_posing_is_skinning_and_then_binding() -> None:
    m = np.eye(4)
    m[:3, :3], m[:3, 3] = rotation_vector(np.array([0.1, 0.4, 0.2])), (0.1, 0.2, 0.3)
    pose = Pose(head=m, gaze=np.array([[0.1, 0.0], [0.1, 0.2]], np.float32))
    got = AvatarPoser(AVATAR, HEAD).pose(COEFFICIENTS, pose)
    vertices = AVATAR.person(HEAD).vertices(COEFFICIENTS, pose)
    want = binding.to_world(AVATAR.gaussians, binding.frames(vertices, HEAD.faces))
    for name in ("means", "rotations", "scales", "opacities", "colors"):
        np.testing.assert_allclose(getattr(got, name), getattr(want, name), atol=1e-6)


def test_without_a_pose_the_head_is_at_the_origin() -> None:
    poser = AvatarPoser(AVATAR, HEAD)
    a = poser.pose(np.zeros(52)).means.copy()
    np.testing.assert_allclose(a, poser.pose(np.zeros(52), Pose()).means)


def test_the_result_is_written_over() -> None:
    poser = AvatarPoser(AVATAR, HEAD)
    first = poser.pose(np.zeros(52))
    before = first.means.copy()
    assert poser.pose(COEFFICIENTS) is first
    assert np.abs(first.means - before).max() > 1e-4
    np.testing.assert_allclose(poser.pose(np.zeros(52)).means, before)
