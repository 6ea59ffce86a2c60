"""What `visavis doctor` says of drawing, networks and encoding: what was chosen, and what to install."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from models.engines import choose
from models.splat import cuda, ready
from realtime import nvenc
from server.commands import doctor, doctor_gpu
from tests.gpu import fake_gsplat, fake_nvenc, fake_tensorrt


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    nvenc.problem.cache_clear()
    yield
    nvenc.problem.cache_clear()


def lines(gpu: str | None) -> list[str]:
    return [use.line for use in doctor_gpu.uses(gpu)]


def test_without_a_gpu_it_is_said_what_runs_and_nothing_is_to_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "problem", lambda: "torch finds no CUDA device")
    monkeypatch.setattr(choose, "_has_gpu", lambda: False)
    monkeypatch.setattr(nvenc, "NAME", "no_such_encoder")
    drawing, networks, encoding = lines(None)
    assert drawing == "drawing: the processors, as torch finds no CUDA device"
    assert networks == "networks: ONNX Runtime on cpu, as there is no NVIDIA GPU"
    assert encoding.startswith("encoding: the processors; NVENC is not used: it cannot be opened")
    assert "install" not in "".join(lines(None))


def test_with_a_gpu_alone_each_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "problem", lambda: "gsplat cannot be imported (No module named 'gsplat')")
    monkeypatch.setattr(choose, "_has_gpu", lambda: True)
    monkeypatch.setattr(choose, "_has_tensorrt", lambda: False)
    monkeypatch.setattr(nvenc, "NAME", "no_such_encoder")
    drawing, networks, encoding = lines("NVIDIA L4")
    assert "cannot be imported" in drawing and "pip install 'visavis[cuda]' beside a CUDA build of torch" in drawing
    assert "TensorRT is not installed" in networks and "--extra-index-url https://pypi.nvidia.com tensorrt" in networks
    assert "capability `video`" in encoding
    monkeypatch.setattr(choose.onnx_runtime, "available", lambda: ())
    assert lines("NVIDIA L4")[1].startswith("networks: torch, as ONNX Runtime is not installed")
    assert "visavis[engines]" in lines("NVIDIA L4")[1]


def test_with_everything_it_is_said_what_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_gsplat.install(monkeypatch)
    fake_tensorrt.install(monkeypatch)
    fake_nvenc.install(monkeypatch)
    monkeypatch.setattr(choose, "_has_gpu", lambda: True)
    monkeypatch.setattr(ready, "is_installed", lambda: True)
    monkeypatch.setattr(ready, "command", lambda: (["true"], {}))
    monkeypatch.setattr(ready, "last_tried", ready._here)
    drawing, networks, encoding = lines("NVIDIA L4")
    assert drawing.endswith("on the GPU, up to 16 pictures of a room at once")
    assert networks == "networks: TensorRT, once its engine is built, version 11.4.1; until then ONNX Runtime on cpu"
    assert encoding == "encoding: H.264 by NVENC for pages that take it, else the processors"


def test_a_gpu_that_torch_cannot_use_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(doctor_gpu, "DRIVER", tmp_path / "none")
    assert doctor_gpu.name() is None
    monkeypatch.setattr(doctor_gpu, "DRIVER", tmp_path)
    said = json.loads(CliRunner().invoke(doctor.command, ["--json"]).output.splitlines()[-1])
    assert "take its CUDA build" in said["gpu"] and [use["what"] for use in said["gpu_uses"]] == [
        "drawing",
        "networks",
        "encoding",
    ]
