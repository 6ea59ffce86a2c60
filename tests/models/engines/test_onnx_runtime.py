"""Networks on ONNX Runtime: what torch gives, and one sentence for what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.engines import onnx_runtime
from models.engines.base import EngineError, check, zeros
from models.engines.onnx_runtime import OnnxEngine
from models.errors import MissingPartError
from tests.models.engines.networks import PROFILE, network

MODULE, NETWORK = network()
RNG = np.random.default_rng(0)


def feeds(batch: int = 3) -> dict[str, Any]:
    return {name: RNG.standard_normal((batch, 4)).astype(np.float32) for name in ("x", "y")}


@pytest.mark.parametrize("batch", [1, 5])
def test_it_gives_what_torch_gives(batch: int) -> None:
    engine, given_ = OnnxEngine(NETWORK, threads=1), feeds(batch)
    with torch.no_grad():
        expected = MODULE(*(torch.from_numpy(array) for array in given_.values())).numpy()
    np.testing.assert_allclose(engine.run(given_)["z"], expected, atol=1e-5)
    assert [spec.shape for spec in engine.inputs] == [(None, 4), (None, 4)] and "cpu" in engine.description
    assert engine.run(zeros(engine.inputs, batch))["z"].shape == (batch, 3)
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.run(given_)


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.pop("y"),
        lambda f: f.update(w=f["x"]),
        lambda f: f.update(x=f["x"].astype(np.float64)),
        lambda f: f.update(x=f["x"][:, :3]),
        lambda f: f.update(x=f["x"][0]),
    ],
)
def test_what_does_not_fit_is_refused_before_it_runs(change: Any) -> None:
    engine, given_ = OnnxEngine(NETWORK), feeds()
    change(given_)
    with pytest.raises(EngineError, match="expected"):
        check(given_, engine.inputs)
    with pytest.raises(EngineError, match="expected"):
        engine.run(given_)


def refusal(data: bytes) -> str:
    """What is said of an ONNX file's bytes; empty when they are taken, as bytes after the end of one may be."""
    try:
        OnnxEngine(data).close()
    except EngineError as error:
        return str(error)
    return ""


@settings(max_examples=20)
@given(st.binary(max_size=300), st.integers(0, len(NETWORK)))
def test_what_is_no_network_is_one_sentence(junk: bytes, cut: int) -> None:
    for data in (junk, NETWORK[:cut] + junk):
        said = refusal(data)
        assert "\n" not in said and (not said or said.endswith("export it again"))
    assert refusal(NETWORK[: len(NETWORK) // 2])


def test_a_provider_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert onnx_runtime.available()[0] == "cpu"
    monkeypatch.setattr(onnx_runtime, "available", lambda: ("cpu",))
    with pytest.raises(MissingPartError, match="onnxruntime-gpu"):
        OnnxEngine(NETWORK, provider="tensorrt")


def test_a_gpus_options_are_those_that_onnx_runtime_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime's documentation of the providers CUDA and TensorRT; their shapes are written x:1x4,y:1x4."""
    import onnxruntime

    given_: list[Any] = []

    class Session:
        def __init__(self, network: bytes, options: Any, providers: list[Any]) -> None:
            given_.append(providers)

        def get_providers(self) -> list[str]:
            return [p if isinstance(p, str) else p[0] for p in given_[-1]]

        def get_inputs(self) -> list[Any]:
            return []

        get_outputs = get_inputs

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    monkeypatch.setattr(onnx_runtime, "available", lambda: ("cpu", "cuda", "tensorrt"))
    OnnxEngine(NETWORK, provider="cuda")
    OnnxEngine(NETWORK, provider="tensorrt", half=True, profile=PROFILE)
    cuda, trt = given_
    assert cuda == [("CUDAExecutionProvider", {"use_tf32": "0"}), "CPUExecutionProvider"]
    shapes = {f"trt_profile_{size}_shapes": f"x:{n}x4,y:{n}x4" for size, n in (("min", 1), ("opt", 4), ("max", 8))}
    assert trt[0] == ("TensorrtExecutionProvider", {"trt_fp16_enable": True, **shapes})
    assert trt[1:] == [("CUDAExecutionProvider", {"use_tf32": "1"}), "CPUExecutionProvider"]
