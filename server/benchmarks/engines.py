"""The prior's networks on an engine beside torch: how fast on this machine, and how far apart their results are."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import torch

from models.diffusion import export
from models.diffusion.prior import Prior
from models.engines.onnx_runtime import OnnxEngine

REPEATS, WARM, SEED = 40, 3, 0
VIEWS = 6
"""Views in one call of the denoiser, as `--quality high` draws them."""


@dataclass(frozen=True)
class EngineRow:
    """torch_ms, engine_ms: median of a call, in turns. p95_ms: of the engine. difference: largest, of outputs of noise. threads:
    of both."""

    network: str
    engine: str
    threads: int
    torch_ms: float
    engine_ms: float
    p95_ms: float
    difference: float


def bench(prior: Prior, repeats: int | None = None) -> list[EngineRow]:
    """A row for each network. Raises `MissingPartError` without the packages onnx and onnxruntime; the extra `engines` brings
    them."""
    repeats = REPEATS if repeats is None else repeats
    rng, config = np.random.default_rng(SEED), prior.eval().config
    side = config.expression.crop
    crop = {export.INPUT: rng.random((1, 3, side, side), np.float32)}
    cores = os.cpu_count() or 1
    out = [_row("expression encoder", export.encoder_network(prior.expression), prior.expression, crop, 1, repeats)]
    network = export.flat_denoiser(prior)
    noise = {
        name: rng.standard_normal(tensor.shape).astype(np.float32) if tensor.is_floating_point() else tensor.numpy() + 300
        for name, tensor in export.example(prior, VIEWS).items()
    }
    out.append(_row(f"denoiser, {VIEWS} views", export.denoiser_network(prior), network, noise, cores, max(5, repeats // 4)))
    return out


def _row(
    name: str, network: bytes, module: Callable[..., torch.Tensor], feeds: dict[str, np.ndarray], threads: int, repeats: int
) -> EngineRow:
    engine = OnnxEngine(network, threads=threads)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        tensors = [torch.from_numpy(array) for array in feeds.values()]
        slow, fast = [], []
        for _ in range(WARM + repeats):  # in turns, so that a busy moment meets both
            with torch.no_grad():
                began = time.perf_counter()
                expected = module(*tensors).numpy()
            between = time.perf_counter()
            (made,) = engine.run(feeds).values()
            slow.append(1e3 * (between - began))
            fast.append(1e3 * (time.perf_counter() - between))
    finally:
        torch.set_num_threads(before)
        engine.close()
    p95 = float(np.percentile(fast[WARM:], 95))
    torch_ms, engine_ms = statistics.median(slow[WARM:]), statistics.median(fast[WARM:])
    return EngineRow(name, engine.description, threads, torch_ms, engine_ms, p95, float(np.abs(made - expected).max()))


def records(rows: list[EngineRow]) -> list[dict[str, str | int | float]]:
    """For tables and JSON."""
    return [asdict(row) for row in rows]
