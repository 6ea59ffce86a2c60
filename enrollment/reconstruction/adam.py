"""Adam (Kingma & Ba 2015) that leaves alone what a step has no say about, as 3D Gaussian Splatting trains best.

Rows whose gradient is exactly zero, Gaussians that the picture does not show and poses of other frames, keep their place and
their moments (gsplat's SelectiveAdam). Rows can be taken away and added while it runs.
"""

from __future__ import annotations

import torch
from torch import Tensor

BETAS = (0.9, 0.999)
EPSILON = 1e-15


class Adam:
    """Moments for named tensors. All state is in `state`: name -> first moment, second moment, count of steps a row."""

    def __init__(self) -> None:
        self.state: dict[str, tuple[Tensor, Tensor, Tensor]] = {}

    @torch.no_grad()
    def step(self, parameters: dict[str, Tensor], rates: dict[str, float]) -> None:
        """Move each parameter that has a gradient by its rate, row by row; a tensor's first axis counts rows."""
        for name, p in parameters.items():
            if p.grad is None or rates[name] == 0.0:
                continue
            grad = p.grad
            if name not in self.state:
                self.state[name] = (torch.zeros_like(p), torch.zeros_like(p), torch.zeros(len(p), dtype=p.dtype))
            first, second, count = self.state[name]
            moved = (grad.reshape(len(p), -1) != 0).any(dim=1)
            count += moved
            wide = (-1, *[1] * (p.dim() - 1))
            mask, n = moved.reshape(wide), count.clamp(min=1).reshape(wide)
            first.copy_(torch.where(mask, BETAS[0] * first + (1 - BETAS[0]) * grad, first))
            second.copy_(torch.where(mask, BETAS[1] * second + (1 - BETAS[1]) * grad * grad, second))
            size = (second / (1 - BETAS[1] ** n)).sqrt_().add_(EPSILON)
            p -= torch.where(mask, rates[name] * (first / (1 - BETAS[0] ** n)) / size, 0.0)

    def rows(self, names: tuple[str, ...], source: Tensor, fresh: Tensor) -> None:
        """Row i of the named tensors is from now on what row source[i] was; where `fresh` is, its moments begin anew."""
        for name in names:
            if name in self.state:
                kept = tuple(tensor[source] for tensor in self.state[name])
                for tensor in kept:
                    tensor[fresh] = 0.0
                self.state[name] = (kept[0], kept[1], kept[2])
