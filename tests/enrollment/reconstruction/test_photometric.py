"""The loss in a few passes against the same terms in torch."""

from __future__ import annotations

import pytest
import torch

from enrollment.reconstruction import losses
from enrollment.reconstruction.config import Weights
from enrollment.reconstruction.photometric import photometric
from enrollment.reconstruction.targets import Target
from models.types import Camera


def made(height: int, width: int, *, masked: bool) -> tuple[torch.Tensor, torch.Tensor, Target]:
    """A drawn picture, alpha, and a target that is like it in places."""
    random = torch.Generator().manual_seed(height * width)
    image = torch.rand(height, width, 3, generator=random)
    color = (image + 0.2 * torch.randn(height, width, 3, generator=random)).clamp(0, 1)
    alpha, matte = torch.rand(height, width, generator=random), torch.rand(height, width, generator=random)
    known = torch.ones(height, width)
    if masked:
        known[: height // 3, width // 4 :] = 0
        known[height // 2, width // 2] = 0
    return color, alpha, Target(Camera.orbit(0.0, width=width, height=height), image, matte, known, None)


@pytest.mark.parametrize("weights", [Weights(), Weights(square=4.0), Weights(ssim=0.0, gradient=0.0)])
@pytest.mark.parametrize(("height", "width", "masked"), [(40, 57, True), (33, 24, False), (9, 30, True), (1, 12, False)])
def test_loss_and_gradients_are_those_of_the_terms(height, width, masked, weights):
    color, alpha, target = made(height, width, masked=masked)
    results = []
    for loss in (photometric, losses.photometric):
        leaves = [color.clone().requires_grad_(), alpha.clone().requires_grad_()]
        value = loss(leaves[0], leaves[1], target, weights)
        (2 * value).backward()
        results.append((value.detach(), [leaf.grad for leaf in leaves]))
    assert float(results[0][0]) == pytest.approx(float(results[1][0]), rel=1e-4)
    for ours, theirs in zip(results[0][1], results[1][1], strict=True):
        assert ours is not None and theirs is not None
        assert (ours - theirs).norm() <= 1e-4 * theirs.norm()
