"""Bound Gaussians in torch are those of the numba path, and gradients flow through them."""

from __future__ import annotations

import numpy as np
import torch

from models import binding
from models.torch_binding import to_world, triangle_frames
from tests.models import makers


def test_frames_and_gaussians_are_those_of_the_live_path() -> None:
    head, bound = makers.random_head(), makers.bound_gaussians(200, 60)
    at = binding.frames(head.template, head.faces)
    world = binding.to_world(bound, at)
    ours = triangle_frames(torch.from_numpy(head.template), torch.from_numpy(head.faces).long())
    same = (torch.from_numpy(at.rotation) * ours[1]).sum(dim=1).abs()
    torch.testing.assert_close(same, torch.ones(len(head.faces)), atol=1e-4, rtol=0)  # q and -q are one rotation
    tensors = [torch.from_numpy(a) for a in (bound.means, bound.rotations, bound.scales)]
    means, rotations, scales = to_world(torch.from_numpy(bound.face).long(), *tensors, ours)  # type: ignore[call-arg]
    np.testing.assert_allclose(means, world.means, atol=2e-4)
    np.testing.assert_allclose(np.abs((rotations.numpy() * world.rotations).sum(axis=1)), 1, atol=1e-4)
    np.testing.assert_allclose(scales, world.scales, rtol=1e-3)


def test_gradients_flow_from_gaussians_to_vertices() -> None:
    head, bound = makers.random_head(vertices=12, faces=6), makers.bound_gaussians(8, 6)
    face = torch.from_numpy(bound.face).long()
    inputs = [torch.from_numpy(a).double().requires_grad_() for a in (head.template, bound.means, bound.rotations, bound.scales)]

    def posed(vertices: torch.Tensor, *local: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return to_world(face, *local, triangle_frames(vertices, torch.from_numpy(head.faces).long()))  # type: ignore[call-arg]

    assert torch.autograd.gradcheck(posed, inputs, eps=1e-7, atol=1e-4)
