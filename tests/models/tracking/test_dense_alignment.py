"""An avatar is aligned to a picture of its own person, of which pose and expression are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models import arkit
from models.avatar import AvatarPoser
from models.heads.base import Pose, rotation_log, rotation_vector
from models.posture import pose_of
from models.splat.choose import best
from models.tracking.dense_alignment import Aligner, corrected
from models.types import Array, DriveFrame
from tests.server.call.actors import Actor

TURN, SHIFT = np.array([0.03, -0.04, 0.02]), np.array([0.006, -0.005, 0.0])


@pytest.fixture(scope="module")
def actor() -> Actor:
    return Actor(seed=3, spread=0.5)


def aligned(actor: Actor, truth: DriveFrame, coefficients: Array, pose: Pose) -> tuple[Array, Pose]:
    marks = actor.person.landmarks(actor.person.expressed(truth.coefficients))
    head = pose_of(truth, actor.person.joints).head
    landmarks = actor.camera.project(marks @ head[:3, :3].T + head[:3, 3]).astype(np.float32)
    matte = actor.silhouette(truth).astype(np.float32)
    aligner = Aligner(AvatarPoser(actor.avatar(), actor.model), best())
    return aligner.refine(actor.picture(truth), matte, landmarks, actor.camera, coefficients, pose)


def test_pose_and_expression_come_nearer_to_the_truth(actor: Actor) -> None:
    named = {"jawOpen": 0.5, "mouthSmileLeft": 0.6, "mouthSmileRight": 0.6}
    truth = replace(DriveFrame.expression(**named), translation=np.array([0.01, -0.01, -0.6]))
    pose = pose_of(truth, actor.person.joints)
    start = corrected(pose, np.concatenate([TURN, SHIFT, np.zeros(6)]), np.zeros(3))
    coefficients, found = aligned(actor, truth, np.zeros(arkit.COUNT, np.float32), start)
    off = rotation_log(found.head[:3, :3] @ pose.head[:3, :3].T)
    assert np.linalg.norm(off) < 0.3 * np.linalg.norm(TURN)
    assert np.linalg.norm((found.head - pose.head)[:2, 3]) < 0.3 * np.linalg.norm(SHIFT)
    assert coefficients.dtype == np.float32
    assert coefficients.min() >= 0 and coefficients.max() <= 1
    for name, value in named.items():
        assert coefficients[arkit.INDEX[name]] == pytest.approx(value, abs=0.15), name


def test_a_correction_turns_the_shoulders_about_the_neck() -> None:
    neck = np.array([0.0, -0.1, -0.02])
    body = np.eye(4)
    body[:3, :3], body[:3, 3] = rotation_vector(np.array([0.1, 0.2, 0.0])), (0.1, 0.0, -0.5)
    shift, shoulders = np.array([0.01, 0.02, 0.03]), np.array([0.004, 0.0, 0.0])
    x = np.concatenate([TURN, shift, shoulders, [0.0, 0.3, 0.0]])
    moved = corrected(Pose(head=body, body=body), x, neck)
    np.testing.assert_allclose(moved.head[:3, 3] - body[:3, 3], shift)
    np.testing.assert_allclose(moved.head[:3, :3], rotation_vector(TURN) @ body[:3, :3])
    base = [m[:3, :3] @ neck + m[:3, 3] for m in (body, moved.body)]
    np.testing.assert_allclose(base[1] - base[0], shift + shoulders)
