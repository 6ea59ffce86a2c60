"""Which engine runs a network, and how another takes over while it runs."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.engines import choose, onnx_runtime
from models.engines.base import Arrays, Engine, EngineError
from models.engines.onnx_runtime import OnnxEngine
from models.engines.switching import SwitchingEngine, difference
from models.engines.tensorrt import TensorRtEngine
from models.errors import MissingPartError
from tests.gpu import fake_tensorrt
from tests.models.engines.networks import PROFILE, network
from tests.models.engines.test_onnx_runtime import NETWORK, feeds


class Other(OnnxEngine):
    """An engine whose results are off by `apart`."""

    def __init__(self, apart: float) -> None:
        super().__init__(NETWORK)
        self.apart, self.description = apart, "the other engine"

    def run(self, feeds: Arrays) -> dict[str, Any]:
        return {name: array + np.float32(self.apart) for name, array in super().run(feeds).items()}


def test_without_a_gpu_the_processor_runs_it_and_the_log_says_why(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        engine = choose.choose(NETWORK, "a network", PROFILE, threads=1)
    assert engine.run(feeds())["z"].shape == (3, 3)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "models.engines.choose"]
    assert line == "a network runs on ONNX Runtime on cpu, threads: 1 (there is no NVIDIA GPU)"


def test_with_a_gpu_tensorrt_takes_over_from_onnx_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_tensorrt.install(monkeypatch)
    monkeypatch.setattr(choose, "_has_gpu", lambda: True)
    monkeypatch.setattr(choose.plans, "plan_for", lambda network, profile: choose.tensorrt.build(network, profile))
    monkeypatch.setattr(choose, "TensorRtEngine", lambda plan: TensorRtEngine(plan, device="cpu"))
    engine, given = choose.choose(NETWORK, "a network", PROFILE), feeds()
    assert isinstance(engine, SwitchingEngine)
    before = engine.run(given)["z"]
    engine.wait(60)
    assert engine.description.startswith("TensorRT")
    np.testing.assert_allclose(engine.run(given)["z"], before, atol=5e-3)
    assert isinstance(choose.choose(NETWORK, "a network", PROFILE, device="cpu"), OnnxEngine)


def test_a_cuda_that_onnx_runtime_cannot_load_is_not_said_to_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """ONNX Runtime goes on with the processor without a word; here it has no CUDA at all, which it treats alike."""
    monkeypatch.setattr(onnx_runtime, "available", lambda: ("cpu", "cuda"))
    monkeypatch.setattr(choose, "_has_gpu", lambda: True)
    monkeypatch.setattr(choose, "_has_tensorrt", lambda: False)
    with caplog.at_level(logging.INFO), pytest.warns(UserWarning, match="CUDAExecutionProvider"):
        engine = choose.choose(NETWORK, "a network", PROFILE)
    assert engine.description == "ONNX Runtime on cpu, threads: 1" and engine.run(feeds())["z"].shape == (3, 3)
    assert "cannot be loaded" in caplog.text and "on cuda" not in caplog.text


def test_a_kept_plan_that_tensorrt_does_not_take_is_built_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The file is whole and for this network, GPU and version; TensorRT refuses it all the same."""
    done = fake_tensorrt.install(monkeypatch)
    monkeypatch.setattr(choose, "_has_gpu", lambda: True)
    monkeypatch.setattr(choose.plans, "gpu", lambda: {"gpu": "one", "capability": [9, 0]})
    monkeypatch.setattr(choose.plans.caches, "folder", lambda: tmp_path)
    monkeypatch.setattr(choose, "TensorRtEngine", lambda plan: TensorRtEngine(plan, device="cpu"))
    for version, builds in (("11.4.1", 1), ("11.4.1", 1), ("another driver", 2), ("another driver", 2)):
        monkeypatch.setattr(fake_tensorrt, "VERSION", version)
        engine = choose.choose(NETWORK, "a network", PROFILE)
        assert isinstance(engine, SwitchingEngine)
        engine.wait(60)
        assert engine.description.startswith("TensorRT") and done.count("build") == builds
        engine.close()


def test_without_onnx_runtime_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_runtime, "available", lambda: ())
    with pytest.raises(MissingPartError, match="engines"):
        choose.choose(NETWORK, "a network", PROFILE)


def test_the_start_does_not_wait_for_what_is_built() -> None:
    go = threading.Event()

    def make() -> Engine:
        assert go.wait(60)
        return Other(0.0)

    engine = SwitchingEngine(OnnxEngine(NETWORK), make)
    assert engine.run(feeds())["z"].shape == (3, 3) and "ONNX" in engine.description
    go.set()
    engine.wait(60)
    assert engine.description == "the other engine" and engine.run(feeds())["z"].shape == (3, 3)


@pytest.mark.parametrize("apart", [0.5, float("nan")])
def test_one_that_gives_something_else_does_not_take_over(apart: float, caplog: pytest.LogCaptureFixture) -> None:
    engine = SwitchingEngine(OnnxEngine(NETWORK), lambda: Other(apart))
    engine.wait(60)
    assert "ONNX" in engine.description and "differs" in caplog.text


@pytest.mark.parametrize("error", [EngineError("it cannot be built; use another"), RuntimeError("it cannot be built:\n line 3")])
def test_one_that_cannot_be_built_changes_nothing(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    def make() -> Engine:
        raise error

    engine = SwitchingEngine(OnnxEngine(NETWORK), make)
    engine.wait(60)
    assert engine.run(feeds())["z"].shape == (3, 3) and "it cannot be built" in caplog.text
    assert "\n" not in caplog.messages[-1]


def test_one_that_fails_at_what_is_asked_for_now_does_not_take_over(caplog: pytest.LogCaptureFixture) -> None:
    made: list[OnnxEngine] = []

    class Small(OnnxEngine):
        def run(self, feeds: Arrays) -> dict[str, Any]:
            if len(feeds["x"]) > 1:
                raise EngineError("it was not built for so many")
            return super().run(feeds)

    go = threading.Event()

    def make() -> Engine:
        assert go.wait(60)
        made.append(Small(NETWORK))
        return made[0]

    engine = SwitchingEngine(OnnxEngine(NETWORK), make)
    engine.run(feeds())
    go.set()
    engine.wait(60)
    assert "ONNX" in engine.description and engine.run(feeds())["z"].shape == (3, 3) and "for so many" in caplog.text
    with pytest.raises(EngineError, match="closed"):
        made[0].run(feeds(1))


def test_one_that_is_ready_after_the_end_is_closed_too() -> None:
    go, made = threading.Event(), list[Other]()

    def make() -> Engine:
        assert go.wait(60)
        made.append(Other(0.0))
        return made[0]

    engine = SwitchingEngine(OnnxEngine(NETWORK), make)
    engine.close()
    go.set()
    engine.wait(60)
    for closed in (engine, made[0]):
        with pytest.raises(EngineError, match="closed"):
            closed.run(feeds())


def test_the_difference_is_relative_and_never_hidden() -> None:
    a = {"z": np.array([1.0, 10.0])}
    assert difference(a, {"z": np.array([1.0, 10.5])}) == pytest.approx(0.05)
    assert difference(a, {"y": a["z"]}) == difference(a, {"z": np.zeros(3)}) == float("inf")
    assert difference(a, {"z": np.array([np.nan, 10.0])}) == float("inf")
    assert network(seed=1)[1] != NETWORK
