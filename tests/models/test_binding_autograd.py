"""Bound Gaussians into the world in one pass, against the same in torch."""

from __future__ import annotations

import torch

from models import binding_autograd, torch_binding


def test_places_and_gradients_are_those_of_torch():
    random = torch.Generator().manual_seed(3)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random)

    face = torch.randint(0, 7, (50,), generator=random)
    tensors = [
        normal(50, 3),
        normal(50, 4),
        normal(50, 3).exp(),
        normal(7, 3),
        torch.nn.functional.normalize(normal(7, 4), dim=1),
    ]
    tensors.append(normal(7).exp())
    above = [normal(50, 3), normal(50, 4), normal(50, 3)]
    results = []
    for to_world in (binding_autograd.to_world, torch_binding.to_world):
        leaves = [tensor.clone().requires_grad_() for tensor in tensors]
        out = to_world(face, leaves[0], leaves[1], leaves[2], (leaves[3], leaves[4], leaves[5]))
        sum((a * b).sum() for a, b in zip(out, above, strict=True)).backward()  # type: ignore[union-attr]
        results.append([*out, *(leaf.grad for leaf in leaves)])
    for ours, theirs in zip(*results, strict=True):
        assert ours is not None and theirs is not None
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    still = [tensor.clone().requires_grad_(index < 3) for index, tensor in enumerate(tensors)]
    out = binding_autograd.to_world(face, still[0], still[1], still[2], (still[3], still[4], still[5]))
    sum((a * b).sum() for a, b in zip(out, above, strict=True)).backward()  # type: ignore[union-attr]
    assert torch.allclose(still[0].grad, results[0][3]) and still[3].grad is None  # type: ignore[arg-type]
