"""The parsing network in torch answers as MediaPipe's does, and says how a picture should change."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from models.tracking.parsing import CLASSES, parse
from models.tracking.parsing_torch import SIDE, scaled, torch_parsing


def test_it_answers_as_mediapipe_and_has_a_gradient(astronaut: NDArray[np.uint8]) -> None:
    image = np.asarray(Image.fromarray(astronaut).resize((SIDE, SIDE), Image.Resampling.BOX))
    picture = (torch.from_numpy(image.copy()).float() / 255).requires_grad_()
    assert torch.allclose(scaled(picture), picture, atol=1e-6)
    logits = torch_parsing()(scaled(picture))
    np.testing.assert_allclose(logits.softmax(dim=0).permute(1, 2, 0).detach().numpy(), parse(image).shares, atol=1e-3)
    hair = logits.argmax(dim=0) == CLASSES.index("hair")
    sure = logits[CLASSES.index("hair")][hair].mean()
    sure.backward()
    assert picture.grad is not None
    size = picture.grad.abs().sum(dim=2)
    assert size[hair].mean() > 3 * size[~hair].mean() > 0


def test_pictures_of_any_shape_are_scaled() -> None:
    assert scaled(torch.rand(40, 57, 3)).shape == (SIDE, SIDE, 3)
