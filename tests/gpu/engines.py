"""The prior's networks on ONNX Runtime and on TensorRT, beside torch: rows of the acceptance table."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tests.gpu.table import NotRun, Row, at_least, at_most, reported

Rate = Callable[[Callable[[int], None]], float]
"""Calls a second of a task."""
EXACT, HALF = 1e-3, 2e-2
"""Largest difference from torch in float32, and with half precision relative to the largest value."""


@dataclass(frozen=True)
class Case:
    """A network: torch's, in ONNX, and what to feed it. profile: shapes for TensorRT."""

    module: Callable[..., torch.Tensor]
    network: bytes
    feeds: dict[str, np.ndarray]
    profile: dict[str, Any]


def shipped() -> Case:
    """The denoiser of the prior that ships, with eight views."""
    for needed in ("diffusers", "onnx", "onnxruntime", "safetensors"):
        if importlib.util.find_spec(needed) is None:
            raise NotRun(f"{needed} is not installed; the networks are exported with it")
    from models.diffusion import export, weights

    prior = weights.load(weights.SHIPPED).eval()
    rng = np.random.default_rng(0)
    feeds = {
        name: rng.standard_normal(tensor.shape).astype(np.float32) if tensor.is_floating_point() else tensor.numpy() + 300
        for name, tensor in export.example(prior, 8).items()
    }
    profile = {name: ((1, *a.shape[1:]), a.shape, (16, *a.shape[1:])) for name, a in feeds.items()}
    return Case(export.flat_denoiser(prior), export.denoiser_network(prior), feeds, profile)


def parity(provider: Any, rate: Rate) -> Iterator[Row]:
    """ONNX Runtime against torch in float32 on the processor."""
    from models.engines.onnx_runtime import OnnxEngine, available
    from models.errors import MissingPartError

    case = shipped()
    if provider not in available():
        raise NotRun(f"ONNX Runtime has no {provider} here")
    try:
        engine = OnnxEngine(case.network, provider=provider, threads=torch.get_num_threads())
    except MissingPartError as error:  # the provider is there, its CUDA is not
        raise NotRun(str(error)) from None
    (made,) = engine.run(case.feeds).values()
    yield at_most(f"{provider}: denoiser on ONNX Runtime, largest difference", float(np.abs(made - _truth(case)).max()), EXACT)
    yield reported(f"{provider}: denoiser on ONNX Runtime", rate(lambda _: _once(engine, case)), "/s")
    if provider == "cpu":
        tensors = [torch.from_numpy(array) for array in case.feeds.values()]
        yield reported("cpu: denoiser in torch", rate(lambda _: _torch(case, tensors)), "/s")


def tensorrt(rate: Rate, device: str = "cuda") -> Iterator[Row]:
    """TensorRT in half precision against torch in half precision on the device, and how near to float32."""
    if device == "cuda" and not torch.cuda.is_available():
        raise NotRun("torch finds no CUDA device")
    from models.engines import half
    from models.engines import tensorrt as trt
    from models.errors import MissingPartError

    try:
        trt.version()
    except MissingPartError as error:
        raise NotRun(str(error)) from None
    case = shipped()
    engine = trt.TensorRtEngine(trt.build(half.converted(case.network), case.profile), device)
    (made,) = engine.run(case.feeds).values()
    truth = _truth(case)
    off = float(np.abs(made - truth).max() / np.abs(truth).max())
    yield at_most(f"{device}: denoiser on TensorRT, half precision, relative difference", off, HALF)
    ours = rate(lambda _: _once(engine, case))
    yield reported(f"{device}: denoiser on TensorRT", ours, "/s")
    tensors = [torch.from_numpy(array).to(device) for array in case.feeds.values()]
    module: Any = case.module
    module.to(device)
    with torch.autocast(torch.device(device).type, dtype=torch.float16 if device == "cuda" else torch.bfloat16):
        theirs = rate(lambda _: _torch(case, tensors))
    yield at_least(f"{device}: denoiser, TensorRT against torch in half precision", ours / theirs, 1.0, "times")


def _truth(case: Case) -> np.ndarray:
    with torch.no_grad():
        return np.asarray(case.module(*(torch.from_numpy(array) for array in case.feeds.values())).numpy())


def _once(engine: Any, case: Case) -> None:
    engine.run(case.feeds)


@torch.no_grad()
def _torch(case: Case, tensors: list[torch.Tensor]) -> None:
    case.module(*tensors).float().cpu()
