"""Which engine runs a network: decided here and nowhere else, and said in one line of the log."""

from __future__ import annotations

import logging

from models.engines import half as half_precision
from models.engines import onnx_runtime, plans, tensorrt
from models.engines.base import Engine
from models.engines.onnx_runtime import OnnxEngine, Provider
from models.engines.switching import SwitchingEngine
from models.engines.tensorrt import Profile, TensorRtEngine
from models.errors import MissingPartError

log = logging.getLogger(__name__)


def choose(network: bytes, name: str, profile: Profile, *, threads: int = 1, half: bool = True, device: str = "auto") -> Engine:
    """The best engine of this machine. network: an ONNX file's bytes. name: for the log. profile: shapes that TensorRT builds
    for. half: whether a GPU may compute in half precision. device: auto, cpu or cuda.

    With TensorRT the engine runs at once on ONNX Runtime, and hands over when TensorRT's is built. Raises `MissingPartError`
    without ONNX Runtime, `EngineError` for what is no network.
    """
    there = onnx_runtime.available()
    if not there:
        raise MissingPartError("ONNX Runtime was expected, it is not installed; install visavis[engines], or leave it to torch")
    on_gpu = device != "cpu" and _has_gpu()
    provider: Provider = "cuda" if on_gpu and "cuda" in there else "cpu"
    first = OnnxEngine(network, provider=provider, threads=threads)
    reason = "there is no NVIDIA GPU" if not on_gpu else "TensorRT is not installed"
    engine: Engine = first
    if on_gpu and _has_tensorrt():
        engine = SwitchingEngine(first, lambda: _tensorrt(network, profile, half))
        reason = "until TensorRT's engine is built"
    elif on_gpu and "tensorrt" in there:
        engine = SwitchingEngine(first, lambda: OnnxEngine(network, provider="tensorrt", half=half))
        reason = "until the engine of ONNX Runtime's TensorRT is built"
    log.info("%s runs on %s (%s)", name, first.description, reason)
    return engine


def _tensorrt(network: bytes, profile: Profile, half: bool) -> Engine:
    return TensorRtEngine(plans.plan_for(half_precision.converted(network) if half else network, profile))


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _has_tensorrt() -> bool:
    try:
        tensorrt.module()
    except MissingPartError:
        return False
    return True
