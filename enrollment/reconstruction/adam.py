"""Adam (Kingma & Ba 2015) that leaves alone what a step has no say about, as 3D Gaussian Splatting trains best.

Rows whose gradient is exactly zero, Gaussians that the picture does not show and poses of other frames, keep their place and
their moments (gsplat's SelectiveAdam). Rows can be taken away and added while it runs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from models import jit

BETAS = (0.9, 0.999)
EPSILON = 1e-15
BIAS = (1 - np.power(np.array(BETAS)[None], np.arange(20_000)[:, None])).astype(np.float32)
"""Part of both means that is there after so many steps; all of it in the last row."""


class Adam:
    """Moments for named tensors. All state is in `state`: name -> first moment, second moment, count of steps a row."""

    def __init__(self) -> None:
        self.state: dict[str, tuple[Tensor, Tensor, Tensor]] = {}

    @torch.no_grad()
    def step(self, parameters: dict[str, Tensor], rates: dict[str, float]) -> None:
        """Move each parameter that has a gradient by its rate, row by row; a tensor's first axis counts rows. All are contiguous
        float32 on the CPU."""
        for name, p in parameters.items():
            if p.grad is None or rates[name] == 0.0:
                continue
            if name not in self.state:
                self.state[name] = (torch.zeros_like(p), torch.zeros_like(p), torch.zeros(len(p), dtype=p.dtype))
            first, second, count = self.state[name]
            wide = [tensor.detach().view(len(p), -1).numpy() for tensor in (p, p.grad.contiguous(), first, second)]
            _step(*wide, count.numpy(), BIAS, np.float32(rates[name]))

    def rows(self, names: tuple[str, ...], source: Tensor, fresh: Tensor) -> None:
        """Row i of the named tensors is from now on what row source[i] was; where `fresh` is, its moments begin anew."""
        for name in names:
            if name in self.state:
                kept = tuple(tensor[source] for tensor in self.state[name])
                for tensor in kept:
                    tensor[fresh] = 0.0
                self.state[name] = (kept[0], kept[1], kept[2])


@jit.kernel(fastmath={"contract", "arcp", "nsz"}, error_model="numpy")
def _step(values: Any, grad: Any, first: Any, second: Any, count: Any, bias: Any, rate: Any) -> None:
    """One step, in place: values, grad, first, second (N, K) float32; count (N,) float32; bias: `BIAS`. One pass over memory: in
    torch's operations the same takes several times as long."""
    a, b, epsilon = np.float32(BETAS[0]), np.float32(BETAS[1]), np.float32(EPSILON)
    rest_a, rest_b = np.float32(1 - BETAS[0]), np.float32(1 - BETAS[1])
    for i in range(len(values)):
        moved = False
        for k in range(values.shape[1]):
            moved |= grad[i, k] != 0
        if not moved:
            continue
        count[i] += np.float32(1)
        row = min(int(count[i]), len(bias) - 1)
        for k in range(values.shape[1]):
            g = grad[i, k]
            first[i, k] = a * first[i, k] + rest_a * g
            second[i, k] = b * second[i, k] + rest_b * g * g
            values[i, k] -= rate * (first[i, k] / bias[row, 0]) / (np.sqrt(second[i, k] / bias[row, 1]) + epsilon)
