"""A TFLite file is read as operators, shapes and constants."""

from __future__ import annotations

import numpy as np
import pytest

from models import tflite
from models.tracking import parsing

CONVOLUTION, DEPTHWISE, ADD = 3, 4, 0
STRIDE, DEPTHWISE_ACTIVATION = 1, 4
"""Options of a convolution."""


@pytest.fixture(scope="module")
def network() -> tflite.Network:
    return tflite.read(parsing.network())


def test_operators_are_chained_from_the_picture_to_the_classes(network: tflite.Network) -> None:
    first, last = network.operators[0], network.operators[-1]
    assert first.code == last.code == CONVOLUTION and len(network.operators) == 175
    assert network.shapes[first.inputs[0]] == (1, 256, 256, 3) and network.shapes[last.outputs[0]] == (1, 256, 256, 6)
    made = {first.inputs[0]}
    for operator in network.operators:
        assert all(tensor in made or tensor in network.spans for tensor in operator.inputs)
        made.update(operator.outputs)


def test_constants_and_options(network: tflite.Network) -> None:
    first = network.operators[0]
    weight = network.constant(first.inputs[1])
    assert weight.shape == (16, 3, 3, 3) and weight.dtype == np.float32 and 0.01 < np.abs(weight).mean() < 1
    assert first.options is not None and first.options.number(STRIDE, "i") == 2
    halving = next(op for op in network.operators if op.code == DEPTHWISE and op.options and op.options.number(STRIDE, "i") == 2)
    assert network.shapes[halving.inputs[0]][1] == 2 * network.shapes[halving.outputs[0]][1]
    assert halving.options is not None and halving.options.number(99, default=7) == 7
    with pytest.raises(KeyError):
        network.constant(first.outputs[0])
