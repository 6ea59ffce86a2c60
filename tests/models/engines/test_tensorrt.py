"""TensorRT by its documented API, played by `tests/gpu/fake_tensorrt.py`; plans that are kept, damaged and for others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.engines import half, plans, tensorrt
from models.engines.base import EngineError
from models.engines.onnx_runtime import OnnxEngine
from models.engines.plans import plan_for
from models.engines.tensorrt import TensorRtEngine
from models.errors import MissingPartError
from tests.gpu import fake_tensorrt
from tests.models.engines.networks import PROFILE, network
from tests.models.engines.test_onnx_runtime import NETWORK, feeds

MACHINE = {"gpu": "NVIDIA Something", "capability": [9, 0]}


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return fake_tensorrt.install(monkeypatch)


@pytest.mark.usefixtures("done")
@pytest.mark.parametrize("batch", [1, 4, 8])
def test_it_gives_what_onnx_runtime_gives(batch: int) -> None:
    engine, given = TensorRtEngine(tensorrt.build(NETWORK, PROFILE), device="cpu"), feeds(batch)
    np.testing.assert_allclose(engine.run(given)["z"], OnnxEngine(NETWORK).run(given)["z"], atol=1e-6)
    assert [spec.shape for spec in engine.inputs] == [(None, 4)] * 2 and fake_tensorrt.VERSION in engine.description
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.run(given)


@pytest.mark.usefixtures("done")
def test_half_precision_is_in_the_network_and_close() -> None:
    import onnx

    converted = half.converted(NETWORK)
    graph = onnx.load_from_string(converted).graph
    assert any(value.data_type == onnx.TensorProto.FLOAT16 for value in graph.initializer)
    assert {node.type.tensor_type.elem_type for node in (*graph.input, *graph.output)} == {onnx.TensorProto.FLOAT}
    given = feeds(4)
    made = TensorRtEngine(tensorrt.build(converted, PROFILE), device="cpu").run(given)["z"]
    apart = np.abs(made - OnnxEngine(NETWORK).run(given)["z"]).max()
    assert 0 < apart < 5e-3


@pytest.mark.usefixtures("done")
def test_what_tensorrt_refuses_is_one_sentence() -> None:
    with pytest.raises(EngineError, match="can read was expected"):
        tensorrt.build(NETWORK[:50], PROFILE)
    with pytest.raises(EngineError, match="shapes of the inputs x, y"):
        tensorrt.build(NETWORK, {"x": PROFILE["x"]})
    with pytest.raises(EngineError, match="was expected, another came"):
        TensorRtEngine(b"nonsense", device="cpu")
    engine = TensorRtEngine(tensorrt.build(NETWORK, PROFILE), device="cpu")
    with pytest.raises(EngineError, match="was not built for"):
        engine.run(feeds(9))


def test_a_stub_that_installs_nothing_is_no_tensorrt(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    from types import ModuleType

    monkeypatch.setitem(sys.modules, "tensorrt", ModuleType("tensorrt"))
    with pytest.raises(MissingPartError, match="NVIDIA's own index"):
        tensorrt.version()


def test_a_plan_is_built_once(done: list[str], tmp_path: Path) -> None:
    first = plan_for(NETWORK, PROFILE, MACHINE, tmp_path)
    assert plan_for(NETWORK, PROFILE, MACHINE, tmp_path) == first and done == ["build"]
    assert len(list(tmp_path.iterdir())) == 1


def test_another_network_gpu_version_or_range_is_built_for_itself(
    done: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_for(NETWORK, PROFILE, MACHINE, tmp_path)
    plan_for(network(seed=1)[1], PROFILE, MACHINE, tmp_path)
    plan_for(NETWORK, PROFILE, {**MACHINE, "gpu": "another"}, tmp_path)
    plan_for(NETWORK, {**PROFILE, "x": ((1, 4), (2, 4), (4, 4))}, MACHINE, tmp_path)
    monkeypatch.setattr(tensorrt, "version", lambda: "12.0.0")
    plan_for(NETWORK, PROFILE, MACHINE, tmp_path)
    assert done == ["build"] * 5 and len(list(tmp_path.iterdir())) == 5


@pytest.mark.parametrize("cut", ["empty", "half", "a bit", "another's", "folder"])
def test_a_wrong_file_is_built_again(cut: str, done: list[str], tmp_path: Path) -> None:
    plan = plan_for(NETWORK, PROFILE, MACHINE, tmp_path)
    (path,) = tmp_path.iterdir()
    data = path.read_bytes()
    if cut == "folder":
        path.unlink()
        path.mkdir()
    elif cut == "another's":
        plan_for(NETWORK, PROFILE, {**MACHINE, "gpu": "another"}, tmp_path)
        other = next(p for p in tmp_path.iterdir() if p != path)
        path.write_bytes(other.read_bytes())
    else:
        path.write_bytes({"empty": b"", "half": data[: len(data) // 2], "a bit": data[:-1] + bytes([data[-1] ^ 1])}[cut])
    done.clear()
    assert plan_for(NETWORK, PROFILE, MACHINE, tmp_path) == plan and done == ["build"]


def test_a_cache_that_cannot_be_written_costs_time_only(done: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for _ in range(2):
        assert plan_for(NETWORK, PROFILE, MACHINE, tmp_path / "file" / "below")
    assert done == ["build", "build"] and (tmp_path / "file").read_bytes() == b""


def test_a_file_that_is_too_large_is_not_read(done: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan_for(NETWORK, PROFILE, MACHINE, tmp_path)
    monkeypatch.setattr(plans, "MAX_BYTES", 10)
    plan_for(NETWORK, PROFILE, MACHINE, tmp_path)
    assert done == ["build", "build"]
