"""Expression and gaze are found under which the avatar's picture shows what the clip's picture shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.avatar import AvatarPoser
from models.heads.base import Pose
from models.posture import pose_of
from models.splat.choose import best
from models.tracking.dense_alignment import Aligner
from models.tracking.landmarks import FaceMesh, Landmarks
from models.tracking.synthesis import MOST_TURN, Synthesis
from models.types import Array, DriveFrame
from tests.server.call.actors import SIDE, Actor


@pytest.fixture(scope="module")
def actor() -> Actor:
    return Actor(seed=3, spread=0.5)


def drawn(aligner: Aligner, actor: Actor, coefficients: Array, pose: Pose) -> np.ndarray:
    color = aligner.rasterizer.render(aligner.poser.pose(coefficients, pose), actor.camera).color
    return np.round(255 * color.clip(0, 1)).astype(np.uint8)


def test_the_avatars_picture_gets_the_landmarks_of_the_clips(actor: Actor) -> None:
    moment = replace(
        DriveFrame.expression(jawOpen=0.4, mouthSmileLeft=0.7, mouthSmileRight=0.7), translation=np.array([0.01, 0.0, -0.6])
    )
    truth = replace(pose_of(moment, actor.person.joints), gaze=np.full((2, 2), (0.25, 0.0), np.float32))
    start, nothing = replace(truth, gaze=np.zeros((2, 2), np.float32)), np.zeros_like(moment.coefficients)
    aligner = Aligner(AvatarPoser(actor.avatar(), actor.model), best())
    frame = drawn(aligner, actor, moment.coefficients, truth)
    with FaceMesh(static=True) as mesh, Synthesis(aligner) as synthesis:
        points = mesh(frame)[0]
        face = Landmarks(points, 1.0, SIDE, SIDE)
        found, pose = synthesis.refine(frame, face, actor.camera, nothing, start)
        before, after = (mesh(drawn(aligner, actor, c, p))[0] for c, p in ((nothing, start), (found, pose)))
        blank = np.full_like(frame, 128)
        assert synthesis.refine(blank, face, actor.camera, nothing, start)[0] is nothing, "without a face nothing changes"
    apart = [float(np.linalg.norm((p - points)[:, :2], axis=1).mean()) for p in (before, after)]
    assert apart[1] < 0.6 * apart[0]
    assert found.min() >= 0 and found.max() <= 1
    assert np.abs(pose.gaze[:, 0] - 0.25).max() < 0.2
    assert np.abs(pose.gaze - start.gaze).max() <= MOST_TURN + 1e-6
    assert np.abs(pose.head - start.head).max() < 0.05, "the head stays where it was aligned"
