"""The parsing network (`models.tracking.parsing`) in torch, for gradients by the picture: its operators one by one, from the
asset that MediaPipe runs too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models import tflite
from models.tracking.parsing import network

SIDE = 256
"""Of the pictures that it sees, pixels."""
SAME = 0
"""Padding that keeps the size."""
ACTIVATIONS: dict[int, Callable[[Tensor], Tensor]] = {0: lambda x: x, 1: functional.relu}


class TorchParsing:
    """The network on a device. Tensors in between are (1, H, W, C), as in the file, which is what channels-last
    convolutions want."""

    def __init__(self, device: str = "cpu") -> None:
        """Raises `HeadModelError` when the asset is missing or damaged."""
        self.device = device
        self.graph = tflite.read(network())
        self.constants = {index: torch.from_numpy(np.array(self.graph.constant(index))).to(device) for index in self.graph.spans}
        self.steps = [(op, OPERATORS[op.code]) for op in self.graph.operators]
        for op in self.graph.operators:
            if op.code in WEIGHTS:
                self.constants[op.inputs[1]] = self.constants[op.inputs[1]].permute(WEIGHTS[op.code]).contiguous()

    def __call__(self, picture: Tensor) -> Tensor:
        """Logits (6, SIDE, SIDE) of `models.tracking.parsing.CLASSES` for a picture (SIDE, SIDE, 3) in [0, 1], sRGB."""
        first, last = self.graph.operators[0].inputs[0], self.graph.operators[-1].outputs[0]
        values = {**self.constants, first: 2 * picture[None] - 1}
        for op, run in self.steps:
            values[op.outputs[0]] = run(op, [values[tensor] for tensor in op.inputs])
        return values[last][0].permute(2, 0, 1)


@lru_cache(maxsize=2)
def torch_parsing(device: str = "cpu") -> TorchParsing:
    """The network, loaded once a device. Raises `HeadModelError` when the asset is missing or damaged."""
    return TorchParsing(device)


def scaled(picture: Tensor) -> Tensor:
    """A picture (H, W, 3) as the network wants it, (SIDE, SIDE, 3), whatever its sides are, as MediaPipe gives it pictures."""
    return functional.interpolate(picture.permute(2, 0, 1)[None], (SIDE, SIDE), mode="bilinear")[0].permute(1, 2, 0)


def _option(op: tflite.Operator, field: int, kind: str = "b") -> int:
    return 0 if op.options is None else op.options.number(field, kind)


def _convolution(op: tflite.Operator, inputs: list[Tensor]) -> Tensor:
    x, weight, bias = inputs
    x, stride = x.permute(0, 3, 1, 2), _option(op, 1, "i")
    side = weight.shape[-1]
    if side > 1 and _option(op, 0) == SAME:
        missing = [max((-(-length // stride) - 1) * stride + side - length, 0) for length in (x.shape[3], x.shape[2])]
        x = functional.pad(x, [part for n in missing for part in (n // 2, n - n // 2)])
    x = functional.conv2d(x, weight, bias, stride, groups=x.shape[1] // weight.shape[1])
    return ACTIVATIONS[_option(op, 4 if op.code == DEPTHWISE else 3)](x).permute(0, 2, 3, 1)


def _transposed(op: tflite.Operator, inputs: list[Tensor]) -> Tensor:
    _, weight, x, bias = inputs
    x = functional.conv_transpose2d(x.permute(0, 3, 1, 2), weight, bias, _option(op, 1, "i"))
    return ACTIVATIONS[_option(op, 3)](x).permute(0, 2, 3, 1)


def _resized(mode: str) -> Callable[[tflite.Operator, list[Tensor]], Tensor]:
    def run(op: tflite.Operator, inputs: list[Tensor]) -> Tensor:
        x, size = inputs
        x = functional.interpolate(x.permute(0, 3, 1, 2), size.tolist(), mode=mode)
        return x.permute(0, 2, 3, 1)

    return run


def _sum(_: tflite.Operator, inputs: list[Tensor]) -> Tensor:
    x, axis = inputs
    return x.sum(dim=int(axis), keepdim=True)


CONVOLUTION, DEPTHWISE, TRANSPOSED = 3, 4, 67
"""Of the schema's BuiltinOperator."""
WEIGHTS = {CONVOLUTION: (0, 3, 1, 2), DEPTHWISE: (3, 0, 1, 2), TRANSPOSED: (3, 0, 1, 2)}
"""The order of a weight's axes that torch wants."""
OPERATORS: dict[int, Callable[[tflite.Operator, list[Tensor]], Tensor]] = {
    0: lambda _, x: x[0] + x[1],
    CONVOLUTION: _convolution,
    DEPTHWISE: _convolution,
    18: lambda _, x: x[0] * x[1],
    22: lambda _, x: x[0].reshape(x[1].tolist()),
    23: _resized("bilinear"),
    25: lambda _, x: x[0].softmax(dim=-1),
    39: lambda _, x: x[0].permute(x[1].tolist()),
    TRANSPOSED: _transposed,
    74: _sum,
    97: _resized("nearest-exact"),
}
"""Addition, multiplication, reshaping, bilinear scaling, softmax, transposing, sums and repeating neighbours besides."""
