"""A person's own networks in the acceptance: the two that an avatar carries, of random weights, at their largest."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from tests.gpu.table import NotRun, Row, at_most, reported

Rate = Callable[[Callable[[int], None]], float]
"""Calls a second of a task."""
ACTIVE = 24_000
"""Gaussians that an avatar's dynamics change at most."""
EXACT, TAKEN = 1e-3, 0.02
"""Largest difference from torch on the processor, relative to the largest value; and with which TensorRT takes over."""


def networks(active: int) -> dict[str, Any]:
    """Both as modules on the processor, by name."""
    from models.heads.anny import AnnyHead
    from models.nets import avatar_networks
    from models.nets.deformation import Deformation
    from models.nets.dynamics import Dynamics

    torch.manual_seed(0)
    model, rng = AnnyHead(), np.random.default_rng(0)
    person = model.person(np.zeros(model.identity_count))
    dynamics, deformation = Dynamics(), Deformation(person)
    torch.nn.init.normal_(dynamics.last.weight, std=0.2)
    torch.nn.init.normal_(deformation.out.weight, std=0.2)
    points = rng.uniform(0.5, 1, (active, 7)).astype(np.float32)
    made: dict[str, Any] = {
        "deformation": avatar_networks.AvatarDeformation(avatar_networks.of_deformation(deformation), person),
        "dynamics": avatar_networks.AvatarDynamics(avatar_networks.of_dynamics(dynamics, points)),
    }
    return {name: net.eval().requires_grad_(False) for name, net in made.items()}


def on_processor(rate: Rate, active: int = ACTIVE) -> Iterator[Row]:
    """ONNX Runtime against torch, one thread."""
    for needed in ("numba", "onnx", "onnxruntime"):
        if importlib.util.find_spec(needed) is None:
            raise NotRun(f"{needed} is not installed; the networks are exported and run with it")
    from models.engines.export import exported
    from models.engines.onnx_runtime import OnnxEngine

    for name, net in networks(active).items():
        x = _expression()
        engine = OnnxEngine(exported(net, {"input": x}, "output", batched=False))
        feeds = {"input": x.numpy()}
        yield at_most(f"cpu: a person's {name} on ONNX Runtime, difference", _apart(engine.run(feeds)["output"], net(x)), EXACT)
        yield reported(f"cpu: a person's {name} on ONNX Runtime", 1e3 / rate(lambda _, e=engine, f=feeds: e.run(f)), "ms")  # type: ignore[misc]


def on_device(rate: Rate, device: str = "cuda", active: int = ACTIVE, choose: Callable[..., Any] | None = None) -> Iterator[Row]:
    """In torch on the device, as a room poses with them, and on TensorRT when its engine is built, held against the processor.

    choose: `models.engines.choose.on_device` unless that is played.
    """
    if importlib.util.find_spec("numba") is None:
        raise NotRun("numba is not installed; the head's layout is drawn with it")
    if device == "cuda" and not torch.cuda.is_available():
        raise NotRun("torch finds no CUDA device")
    from models.engines import choose as engines

    for name, net in networks(active).items():
        x = _expression()
        truth, there = net(x), x.to(device)
        net.to(device)
        title = f"{device}: a person's {name}"
        with torch.inference_mode():
            yield at_most(f"{title} in torch, difference", _apart(net(there).cpu().numpy(), truth), TAKEN)
            yield reported(f"{title} in torch", 1e3 / rate(lambda _, n=net, t=there: n(t)), "ms")  # type: ignore[misc]
            running = (choose or engines.on_device)(net, there, f"a person's {name}")
            running.wait(240)
            if running.description == "torch":
                yield Row(f"{title} on TensorRT", None, "", "", "not run", "TensorRT is not installed, or was not taken")
                continue
            yield at_most(f"{title} on TensorRT, difference", _apart(running(there).cpu().numpy(), truth), TAKEN)
            yield reported(f"{title} on TensorRT", 1e3 / rate(lambda _, r=running, t=there: r(t)), "ms")  # type: ignore[misc]


def _expression() -> torch.Tensor:
    return torch.linspace(0, 0.6, 52)


def _apart(made: np.ndarray, truth: torch.Tensor) -> float:
    """The largest difference, relative to the largest value."""
    return float(np.abs(made - truth.numpy()).max() / truth.abs().max())
