from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from enrollment.instant.pipeline import Enrollment
from enrollment.reconstruction.capture import COARSE, Capture
from enrollment.reconstruction.config import ReconstructConfig
from enrollment.reconstruction.losses import psnr
from enrollment.reconstruction.reconstruct import Reconstruction
from enrollment.reconstruction.standard import joined, refine
from enrollment.reconstruction.targets import Targets
from models import binding
from models.avatar import Avatar, AvatarPoser
from models.heads.base import HeadModel
from models.splat.cpu import CpuRasterizer
from tests.enrollment import scenes


@pytest.fixture(scope="module")
def refined(enrolled: Enrollment, model: HeadModel) -> Reconstruction:
    return refine(enrolled, model, config=ReconstructConfig(steps=36, size=128, crops=0.0, pull_seen=0.01))


def _photo_psnr(avatar: Avatar, enrolled: Enrollment, model: HeadModel) -> float:
    person = enrolled.avatar.person(model)
    frame = Capture.of_portraits(enrolled, person).frames[0]
    target = Targets([frame], person, 128, normals=False, rng_seed=0).whole[0]
    drawn = CpuRasterizer(1).render(AvatarPoser(avatar, model).pose(frame.coefficients, frame.pose), target.camera)
    return psnr(torch.from_numpy(drawn.color), target.image, target.known)


def test_one_photo_is_matched_better(refined: Reconstruction, enrolled: Enrollment, model: HeadModel) -> None:
    assert _photo_psnr(refined.avatar, enrolled, model) > _photo_psnr(enrolled.avatar, enrolled, model) + 1.5
    assert refined.avatar.provenance == {**enrolled.avatar.provenance, "quality": "standard"}
    assert len(refined.frames) == 1 + len(COARSE)


def test_the_sides_and_the_back_stay_as_they_were(refined: Reconstruction, enrolled: Enrollment, model: HeadModel) -> None:
    for yaw in (1.2, np.pi):
        world = [
            binding.to_world(a.gaussians, binding.frames(a.person(model).rest, model.faces))
            for a in (enrolled.avatar, refined.avatar)
        ]
        before, after = (CpuRasterizer(1).render(g, scenes.camera(yaw, 128)).color for g in world)
        assert scenes.psnr(before, after) > 28


def test_photos_and_clip_share_the_looks(model: HeadModel) -> None:
    frame = scenes.frame(scenes.colourful(model), model, scenes.camera())
    both = joined(Capture((frame,), ("a",)), Capture((frame, replace(frame, weight=2.0)), ("b",)))
    weights = np.array([f.weight for f in both.frames])
    np.testing.assert_allclose(weights / weights.sum(), [0.25, 0.25, 0.5])
    assert both.warnings == ("a", "b")
