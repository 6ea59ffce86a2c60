"""How fast the expression encoder is as ONNX on one core, and how near to torch."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from models.diffusion.export import INPUT, export_onnx
from models.diffusion.expression import ExpressionEncoder

REPEATS, WARM, SEED = 100, 5, 0


def bench(encoder: ExpressionEncoder) -> dict[str, float]:
    """median_ms, p95_ms: of onnxruntime on one thread, one crop (four parts of a face) at a time. difference: the largest
    between its latents and torch's, of crops of noise. Raises `MissingPartError` without the package onnx,
    `ModuleNotFoundError` without onnxruntime; the extra `train` brings both."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "expression.onnx"
        export_onnx(encoder, path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    side = encoder.config.crop
    crops = np.random.default_rng(SEED).random((WARM + REPEATS, 1, 3, side, side), np.float32)
    taken, apart = [], []
    for crop in crops:
        began = time.perf_counter()
        (latent,) = session.run(None, {INPUT: crop})
        taken.append(1e3 * (time.perf_counter() - began))
        with torch.no_grad():
            apart.append(float(np.abs(latent - encoder(torch.from_numpy(crop)).numpy()).max()))
    median, p95 = np.percentile(taken[WARM:], [50, 95])
    return {"median_ms": float(median), "p95_ms": float(p95), "difference": max(apart)}
