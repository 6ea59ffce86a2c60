"""The expression encoder as ONNX, for the live tracker: `crop` (B, 3, 128, 128), the parts of a face (`models.diffusion.parts`),
sRGB in [0, 1] -> `latent` (B, 128)."""

from __future__ import annotations

import importlib.util
import io
import warnings
from pathlib import Path
from typing import Any, cast

import torch

from models.atomic import atomic_write
from models.diffusion.expression import ExpressionEncoder
from models.errors import MissingPartError

INPUT, OUTPUT, OPSET = "crop", "latent", 17


def export_onnx(encoder: ExpressionEncoder, path: Path) -> None:
    """Writes one file. Raises `MissingPartError` without the onnx package, `StorageError` when the disk refuses."""
    if importlib.util.find_spec("onnx") is None:
        raise MissingPartError("exporting to ONNX needs the package onnx, which is not installed; install visavis[train]")
    side = encoder.config.crop
    device = next(encoder.parameters()).device
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the TorchScript exporter announces its end; the other one needs a package more
        torch.onnx.export(
            encoder.eval(),
            (torch.zeros(1, 3, side, side, device=device),),
            cast(Any, stream),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
    with atomic_write(path) as out:
        out.write(stream.getvalue())
