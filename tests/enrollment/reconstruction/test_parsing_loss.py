"""The parsing loss tells hair from skin; it is asked now and then, of whole frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from enrollment.reconstruction import reconstruct as module
from enrollment.reconstruction.capture import Capture
from enrollment.reconstruction.config import ReconstructConfig
from enrollment.reconstruction.parsing_loss import ParsingLoss
from enrollment.reconstruction.reconstruct import reconstruct
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
    plain = ReconstructConfig(steps=5, size=scenes.SIDE // 2, crops=1.0, normals=False, parsing_every=2)
    colors = []
    for config in (plain, replace(plain, parsing=True)):
        colors.append(reconstruct(scenes.spoiled(truth), model, capture, config).avatar.gaussians.colors)
        assert len(asked) == (3 if config.parsing else 0)
    assert set(asked) == {(scenes.SIDE // 2, scenes.SIDE // 2, 3, 0)} and np.abs(colors[1] - colors[0]).max() > 1e-3
