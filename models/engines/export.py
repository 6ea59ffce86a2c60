"""Networks of torch as ONNX. The graph is what our own code runs; nothing of a file but numbers gets into it."""

from __future__ import annotations

import importlib.util
import io
import warnings
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from models.errors import MissingPartError

OPSET = 17


def exported(network: nn.Module, inputs: Mapping[str, Tensor], output: str, *, batched: bool = True) -> bytes:
    """An ONNX file's bytes. batched: the first axis of all inputs and of the output is the batch, of any size; else all shapes
    are those of `inputs`. Raises `MissingPartError` without the onnx package."""
    if importlib.util.find_spec("onnx") is None:
        raise MissingPartError("exporting to ONNX needs the package onnx, which is not installed; install visavis[engines]")
    stream = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the TorchScript exporter announces its end; the other one needs a package more
        torch.onnx.export(
            network,
            tuple(inputs.values()),
            cast(Any, stream),
            input_names=list(inputs),
            output_names=[output],
            dynamic_axes={name: {0: "batch"} for name in (*inputs, output)} if batched else {},
            opset_version=OPSET,
            dynamo=False,
        )
    return stream.getvalue()
