"""A person's network on a device: torch at once, TensorRT when it is built, played on the processor."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import torch
from torch import nn

from models import caches
from models.engines import choose, on_device, tensorrt
from models.engines.base import EngineError
from models.engines.on_device import OnDevice
from models.engines.tensorrt import TensorRtEngine
from tests.gpu import fake_tensorrt

X = torch.linspace(0.1, 1, 4)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh()).eval()


def on_processor(graph: bytes) -> TensorRtEngine:
    shape = (4,)
    return TensorRtEngine(tensorrt.build(graph, {on_device.INPUT: (shape, shape, shape)}), device="cpu")


@torch.no_grad()
def test_torch_runs_until_the_engine_is_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done = fake_tensorrt.install(monkeypatch)
    monkeypatch.setattr(caches, "folder", lambda: tmp_path)
    may, net = threading.Event(), network()

    def make(graph: bytes) -> TensorRtEngine:
        assert may.wait(10)
        return on_processor(graph)

    running = OnDevice(net, X, "a network", make)
    want = net(X)
    assert running.description == "torch" and torch.equal(running(X), want) and not done
    may.set()
    running.wait(30)
    assert running.description.startswith("TensorRT") and done == ["build", "run"]
    torch.testing.assert_close(running(X), want)
    assert done == ["build", "run", "run"] and not list(tmp_path.iterdir()), "nothing of a person is kept"


@torch.no_grad()
def test_an_engine_that_says_something_else_or_fails_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_tensorrt.install(monkeypatch)

    def other(graph: bytes) -> TensorRtEngine:
        engine = on_processor(graph)
        right = engine.on_device
        monkeypatch.setattr(engine, "on_device", lambda feeds: {name: 1.1 * t for name, t in right(feeds).items()})
        return engine

    def failing(graph: bytes) -> TensorRtEngine:
        raise EngineError("no memory left")

    for make in (other, failing):
        running = OnDevice(network(), X, "a network", make)
        running.wait(30)
        assert running.description == "torch" and torch.equal(running(X), network()(X))


def test_without_tensorrt_torch_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_tensorrt.install(monkeypatch)
    assert choose.on_device(network(), X, "a network").description == "torch", "on the processor nothing is built"
    assert choose.on_device(network(), X, "a network")._building is None
