"""Small networks in ONNX."""

from __future__ import annotations

import io
import warnings

import torch
from torch import nn


def network(seed: int = 0, width: int = 8) -> tuple[nn.Module, bytes]:
    """A module that takes `x` (B, 4) and `y` (B, 4) to (B, 3), and the same in ONNX, for any batch: `z`."""
    torch.manual_seed(seed)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(8, width), nn.LayerNorm(width), nn.GELU(), nn.Linear(width, 3))

        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return torch.as_tensor(self.layers(torch.cat([x, y], dim=1)).softmax(dim=1))

    module, stream = Net().eval(), io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (torch.zeros(2, 4), torch.zeros(2, 4)), stream, input_names=["x", "y"], output_names=["z"],
            dynamic_axes={name: {0: "batch"} for name in ("x", "y", "z")}, opset_version=17, dynamo=False,
        )  # fmt: skip
    return module, stream.getvalue()


PROFILE = dict.fromkeys(("x", "y"), ((1, 4), (4, 4), (8, 4)))
