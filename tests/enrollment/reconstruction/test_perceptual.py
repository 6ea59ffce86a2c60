"""The perceptual loss forgives what is a little aside rather than what is smeared; it looks at the person, in windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from enrollment.reconstruction.capture import Capture
from enrollment.reconstruction.config import ReconstructConfig
from enrollment.reconstruction.perceptual import SIDE, perceptual
from enrollment.reconstruction.reconstruct import reconstruct
from enrollment.reconstruction.targets import Target
from models.heads.base import HeadModel
from models.types import Camera
from tests.enrollment import scenes


def target_of(image: NDArray[np.float32]) -> Target:
    """A picture all of which shows the person."""
    height, width = image.shape[:2]
    ones = torch.ones(height, width)
    return Target(Camera.orbit(0.0, width=width, height=height), torch.from_numpy(image), ones, ones, None)


@pytest.fixture(scope="module")
def target(astronaut: NDArray[np.uint8]) -> Target:
    return target_of(np.ascontiguousarray(astronaut[20:220, 120:320].astype(np.float32) / 255))


def loss(color: torch.Tensor, target: Target, seed: int = 0) -> float:
    return float(perceptual(color, target, np.random.default_rng(seed)))


def test_a_smeared_picture_is_worse_than_one_that_lies_aside(target: Target) -> None:
    smeared = torch.from_numpy(gaussian_filter(target.image.numpy(), (2.0, 2.0, 0)))
    aside = target.image.roll((1, 1), dims=(0, 1))
    assert (smeared - target.image).abs().mean() < (aside - target.image).abs().mean()
    assert loss(target.image, target) == 0
    assert 0 < loss(aside, target) < 0.7 * loss(smeared, target) < 4


def test_a_step_against_the_gradient_comes_nearer(target: Target) -> None:
    color = (target.image + 0.1 * torch.randn(target.image.shape, generator=torch.Generator().manual_seed(0))).requires_grad_()
    before = perceptual(color, target, np.random.default_rng(3))
    before.backward()
    assert color.grad is not None
    seen = color.grad.abs().sum(dim=2) > 0
    assert 0.9 * SIDE**2 < seen.sum() <= SIDE**2, "a window"
    assert loss(color.detach() - 0.5 * color.grad / color.grad.abs().max(), target, 3) < before


def test_windows_lie_on_the_person_and_only_there(target: Target) -> None:
    matte = torch.zeros_like(target.matte)
    matte[150:, 150:] = 1
    corner = replace(target, matte=matte)
    wrong = target.image.clone()
    wrong[: 200 - SIDE, : 200 - SIDE] = 0
    assert {loss(wrong, corner, seed) for seed in range(3)} == {0.0}
    nobody = replace(target, matte=torch.zeros_like(matte))
    assert loss(wrong, nobody) > 0, "the middle"


def test_what_is_not_known_is_right(target: Target) -> None:
    known = torch.ones_like(target.matte)
    known[:100] = 0
    wrong = target.image.clone()
    wrong[:100] = 0
    assert loss(wrong, replace(target, known=known)) == 0 < loss(wrong, target)


def test_small_pictures_are_seen_whole() -> None:
    image = np.random.default_rng(0).random((24, 41, 3), np.float32)
    assert loss(torch.zeros(24, 41, 3), target_of(image)) > 0.1


def test_the_optimiser_asks_it_where_it_is_on(model: HeadModel) -> None:
    truth = scenes.colourful(model)
    capture, start = Capture((scenes.frame(truth, model, scenes.camera()),)), scenes.spoiled(truth)
    plain = ReconstructConfig(steps=2, size=scenes.SIDE, normals=False)
    colors = [reconstruct(start, model, capture, replace(plain, perceptual=on)).avatar.gaussians.colors for on in (False, True)]
    assert np.abs(colors[1] - colors[0]).max() > 1e-3
