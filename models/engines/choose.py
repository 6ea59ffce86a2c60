"""Which engine runs a network: decided here and nowhere else, and said in one line of the log."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import Literal

from torch import Tensor, nn

from models.engines import half as half_precision
from models.engines import onnx_runtime, plans, tensorrt
from models.engines.base import Engine, EngineError, Profile
from models.engines.on_device import OnDevice, for_person
from models.engines.onnx_runtime import OnnxEngine, Provider
from models.engines.switching import SwitchingEngine
from models.engines.tensorrt import TensorRtEngine
from models.errors import MissingPartError

log = logging.getLogger(__name__)


def choose(network: bytes, name: str, profile: Profile, *, threads: int = 1, half: bool = True, device: str = "auto") -> Engine:
    """The best engine of this machine. network: an ONNX file's bytes. name: for the log. profile: shapes that TensorRT builds
    for. half: whether a GPU may compute in half precision. device: auto, cpu or cuda.

    With TensorRT the engine runs at once on ONNX Runtime, and hands over when TensorRT's is built. Raises `MissingPartError`
    without ONNX Runtime, `EngineError` for what is no network.
    """
    choice = what_runs(device)
    if choice.first is None:
        raise MissingPartError("ONNX Runtime was expected, it is not installed; install visavis[engines], or leave it to torch")
    engine, reason = _first(network, choice, threads, half)
    first = engine.description
    if choice.then == "TensorRT":
        engine = SwitchingEngine(engine, lambda: _tensorrt(network, profile, half))
    elif choice.then:
        engine = SwitchingEngine(engine, lambda: OnnxEngine(network, provider="tensorrt", half=half, profile=profile))
    log.info("%s runs on %s (%s)", name, first, reason)
    return engine


def on_device(network: nn.Module, trial: Tensor, name: str) -> OnDevice:
    """What runs a person's own network where its input and output lie. trial: an input, on the network's device.

    torch, not ONNX Runtime: that would wait for the device, and such a network is a few dozen small kernels either way.
    """
    built = trial.device.type == "cuda" and _has_tensorrt()
    log.info("%s runs in torch on %s%s", name, trial.device.type, " until TensorRT's engine is built" if built else "")
    return OnDevice(network, trial, name, partial(for_person, shape=tuple(trial.shape)) if built else None)


def _first(network: bytes, choice: Choice, threads: int, half: bool) -> tuple[Engine, str]:
    """What runs a network at once, and why: the processor too where ONNX Runtime has CUDA and cannot load it."""
    assert choice.first is not None
    try:
        return OnnxEngine(network, provider=choice.first, threads=threads, half=half), choice.reason
    except MissingPartError as error:
        if choice.first == "cpu":
            raise
        return OnnxEngine(network, threads=threads), str(error)


@dataclass(frozen=True)
class Choice:
    """first: what of ONNX Runtime runs a network at once; `None` where that is not installed. then: what takes over when it is
    built, or nothing. reason: why, in words that fit into a sentence."""

    first: Provider | None
    then: Literal["", "TensorRT", "ONNX Runtime's TensorRT"]
    reason: str


def what_runs(device: str = "auto") -> Choice:
    """What this machine's networks run on. device: auto, cpu or cuda."""
    there = onnx_runtime.available()
    if not there:
        return Choice(None, "", "ONNX Runtime is not installed")
    if device == "cpu" or not _has_gpu():
        return Choice("cpu", "", "there is no NVIDIA GPU" if device != "cpu" else "the processor was asked for")
    first: Provider = "cuda" if "cuda" in there else "cpu"
    if _has_tensorrt():
        return Choice(first, "TensorRT", "until TensorRT's engine is built")
    if "tensorrt" in there:
        return Choice(first, "ONNX Runtime's TensorRT", "until the engine of ONNX Runtime's TensorRT is built")
    return Choice(first, "", "TensorRT is not installed")


def _tensorrt(network: bytes, profile: Profile, half: bool) -> Engine:
    network = half_precision.converted(network) if half else network
    plan = plans.plan_for(network, profile)
    try:
        return TensorRtEngine(plan)
    except EngineError:  # whole, and for this machine, but not to be had: another driver, perhaps
        return TensorRtEngine(plans.plan_for(network, profile, renew=True))


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _has_tensorrt() -> bool:
    try:
        tensorrt.module()
    except MissingPartError:
        return False
    return True
