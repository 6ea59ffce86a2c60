from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.avatar import AvatarPoser
from models.posture import pose_of
from models.tracking.landmarks import Landmarks
from models.tracking.same_person import SolvedPicture, same_person
from models.types import DriveFrame
from tests.server.call.actors import FOCAL, SIDE, Actor


@pytest.mark.parametrize("green", [False, True])
def test_a_face_of_other_colours_is_another_person(green: bool) -> None:
    actor = Actor(seed=3, spread=0.5)
    drive = replace(DriveFrame.expression(jawOpen=0.2), translation=np.array([0.0, 0.0, -0.6]))
    poser = AvatarPoser(actor.avatar(), actor.model)
    marks = actor.person.landmarks(actor.person.vertices(drive.coefficients, pose_of(drive, actor.person.joints)))
    face = Landmarks(np.c_[actor.camera.project(marks), np.zeros(len(marks))].astype(np.float32), 1.0, SIDE, SIDE)
    if green:
        actor.color = np.roll(actor.color, 1, axis=1) * 0.5
    pictures = [SolvedPicture(actor.picture(drive), face, drive)]
    assert same_person(poser, pictures, FOCAL) is not green
    assert not same_person(poser, [], FOCAL)
