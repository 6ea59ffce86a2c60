"""The parsing loss tells hair from skin; it is asked now and then, of whole frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from enrollment.reconstruction import reconstruct as module
from enrollment.reconstruction.capture import Capture
from enrollment.reconstruction.config import Rates, ReconstructConfig, Weights
from enrollment.reconstruction.parsing_loss import ParsingLoss
from enrollment.reconstruction.reconstruct import needed_bytes, reconstruct
from enrollment.reconstruction.targets import Target
from models.heads.base import HeadModel
from models.types import Camera
from tests.enrollment import scenes


def test_skin_where_hair_was_is_worse_than_other_hair(astronaut: NDArray[np.uint8]) -> None:
    image = torch.from_numpy(astronaut[:256, 96:352].astype(np.float32) / 255)
    ones = torch.ones(256, 256)
    target, loss = Target(Camera.orbit(0.0, width=256, height=256), image, ones, ones, None), ParsingLoss()
    assert float(loss(image, target, 0)) == pytest.approx(0, abs=1e-6)
    above = slice(30, 75), slice(90, 160)
    skin = image.clone()
    skin[above] = image[120:165, 90:160]
    skin.requires_grad_()
    wrong = loss(skin, target, 0)
    wrong.backward()
    lighter = image.clone()
    lighter[above] = image[above] + (skin.detach()[above] - image[above]).abs().mean()
    assert float(wrong.detach()) > 2 * float(loss(lighter, target, 0)) and skin.grad is not None and skin.grad.abs().max() > 0
    known = ones.clone()
    known[above] = 0
    assert float(loss(skin.detach(), replace(target, known=known), 0)) == pytest.approx(0, abs=1e-6)
    assert list(loss.truths) == [0], "parsed once"


def test_the_optimiser_asks_it_now_and_then_of_whole_frames(model: HeadModel, monkeypatch: pytest.MonkeyPatch) -> None:
    truth, asked = scenes.colourful(model), list[tuple[int, ...]]()

    class Asked(ParsingLoss):
        def __call__(self, color: torch.Tensor, target: Target, frame: int) -> torch.Tensor:
            asked.append((*color.shape, frame))
            return color.mean()

    monkeypatch.setattr(module, "ParsingLoss", Asked)
    capture = Capture((scenes.frame(truth, model, scenes.camera()),))
    still, none = Rates(means=0, rotations=0, log_scales=0, logits=0), Weights(ssim=1, gradient=0, alpha=0, parsing=1e3)
    config = ReconstructConfig(
        steps=5, size=scenes.SIDE // 2, crops=1.0, normals=False, parsing=True, parsing_every=2, rates=still, weights=none
    )
    start = scenes.spoiled(truth)
    made = reconstruct(start, model, capture, config).avatar
    assert asked == 3 * [(scenes.SIDE // 2, scenes.SIDE // 2, 3, 0)]
    needed = [needed_bytes(7, capture, replace(config, parsing=on)) for on in (False, True)]
    assert needed[1] - needed[0] == module.PARSING_BYTES
    assert (made.gaussians.colors - start.gaussians.colors).mean() < -1e-3, "darker, as this loss wants it"
