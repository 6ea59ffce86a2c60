"""The acceptance script itself, on the CPU: its rows, what it says of what is missing, and its exit status."""

from __future__ import annotations

import json
import re
import sys
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import pytest

from models.diffusion import weights
from models.engines import half
from models.engines import tensorrt as trt
from models.engines.on_device import OnDevice
from models.engines.tensorrt import TensorRtEngine
from models.splat import autograd, batch_cuda, choose
from models.splat.cuda import problem
from realtime import nvenc as encoder
from tests.gpu import acceptance, encoding, engines, fake_gsplat, fake_nvenc, fake_tensorrt, optimising, personal
from tests.gpu.table import NotRun, Row, at_least, at_most, run, text
from tests.models.diffusion.test_export import small


def by_name(rows: list[Row]) -> dict[str, Row]:
    return {row.name: row for row in rows}


@pytest.mark.usefixtures("one_torch_thread")
@pytest.mark.skipif(problem() is None, reason="CUDA works here")
def test_without_a_gpu_the_cpu_is_measured_and_the_rest_says_why_not(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimising, "SIDE", 48)
    monkeypatch.setattr(weights, "load", lambda _: small())
    monkeypatch.setattr(optimising, "COUNT", 500)
    assert acceptance.main(["--tiny", "--json", str(tmp_path / "rows.json")]) == 0
    said = json.loads((tmp_path / "rows.json").read_text())
    ours = [row for row in said["rows"] if row["name"].startswith("cpu:")]
    theirs = [row for row in said["rows"] if row["name"].startswith("cuda:")]
    assert len(ours) > 20 and all(row["status"] == "ok" and row["value"] >= 0 for row in ours)
    assert len(theirs) > 4 and all(row["status"] == "not run" and row["note"] for row in theirs)
    assert "not run: torch finds no CUDA device" in capsys.readouterr().out


def test_with_gsplat_every_row_has_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_gsplat.install(monkeypatch)
    monkeypatch.setattr(acceptance, "problem", lambda: None)
    monkeypatch.setattr(acceptance, "DEVICES", {"cpu": "cpu", "cuda": "cpu"})
    monkeypatch.setattr(acceptance, "FITTED", 0.0)
    chosen = [check for check in acceptance.checks(acceptance.TINY) if check[0].startswith("cuda:")]
    rows = run([check for check in chosen if not re.search("optimisation|networks|training", check[0])], lambda _: None)
    slow = f"cuda: 3 views of a room of 3, {acceptance.TINY.avatar} Gaussians each, 48 px"
    assert {row.status for row in rows if row.name != slow} == {"ok"} and all(row.value is not None for row in rows), rows
    assert len(rows) == 2 * 11 + 3 + 3 and fake_gsplat.calls.count((3, 1, 1000)) > 5, "the room's views are drawn at once"


def test_a_room_that_is_drawn_wrong_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_gsplat.install(monkeypatch)
    monkeypatch.setattr(acceptance, "problem", lambda: None)
    monkeypatch.setattr(acceptance, "DEVICES", {"cpu": "cpu", "cuda": "cpu"})
    turned = batch_cuda._turned
    monkeypatch.setattr(batch_cuda, "_turned", lambda q, v: turned(q, 0.97 * v))
    rows = by_name(list(acceptance.together("cuda", acceptance.TINY)))
    assert rows["cuda: room of 3, from the processor's pictures, mean levels"].status == "failed"


def test_nvenc_is_measured_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = fake_nvenc.install(monkeypatch)
    rows = list(encoding.nvenc(partial(acceptance._rate, seconds=0.05), 160))
    encoder.problem.cache_clear()
    assert [row.status for row in rows if row.name != "nvenc: 160 px"] == ["ok"] * 4 and rows[-1].value == gpu.most - 1, rows


@pytest.mark.usefixtures("one_torch_thread")
def test_training_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptance, "DEVICES", {"cpu": "cpu", "cuda": "cpu"})
    assert [row.status for row in acceptance.trained("cuda", 16, acceptance.TINY)] == ["ok", "ok"]


def test_nothing_begins_when_the_time_is_over() -> None:
    rows = run([("late", lambda: [at_most("small", 1.0, 2.0)])], lambda _: None, -1.0)
    assert [(row.status, row.note) for row in rows] == [("not run", "the time is over (--minutes)")]


def test_tensorrt_is_measured_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Played on the processor: rows with values, and a network that differs fails."""
    fake_tensorrt.install(monkeypatch)
    monkeypatch.setattr(weights, "load", lambda _: small())
    timed = partial(acceptance._rate, seconds=0.01)
    rows = by_name(list(engines.tensorrt(timed, device="cpu")))
    assert len(rows) == 3 and all(row.value for row in rows.values())
    assert rows["cpu: denoiser on TensorRT, half precision, relative difference"].status == "ok", rows
    monkeypatch.setattr(half, "converted", lambda network: encoder_like(network))
    rows = by_name(list(engines.tensorrt(timed, device="cpu")))
    assert rows["cpu: denoiser on TensorRT, half precision, relative difference"].status == "failed"


@pytest.mark.usefixtures("one_torch_thread")
def test_a_persons_networks_are_measured_on_tensorrt(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_tensorrt.install(monkeypatch)
    timed = partial(acceptance._rate, seconds=0.01)

    def take(network: Any, trial: Any, name: str) -> OnDevice:
        def make(graph: bytes) -> TensorRtEngine:
            return TensorRtEngine(trt.build(graph, {"input": ((52,),) * 3}), device="cpu")

        return OnDevice(network, trial, name, make)

    rows = list(personal.on_device(timed, "cpu", 50, take))
    assert len(rows) == 8 and {row.status for row in rows} == {"ok"} and all(row.value is not None for row in rows), rows
    rows = list(personal.on_device(timed, "cpu", 50))
    assert [row.status for row in rows] == ["ok", "ok", "not run"] * 2


def encoder_like(network: bytes) -> bytes:
    """The network with weights that are a tenth too large."""
    model = onnx.load_from_string(network)
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) > 1:
            tensor.CopyFrom(onnx.numpy_helper.from_array(1.1 * onnx.numpy_helper.to_array(tensor), tensor.name))
    return bytes(model.SerializeToString())


def test_a_wrong_picture_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def darker(*given: object) -> tuple[object, ...]:
        out, alpha, depth = autograd.rasterize(*given)  # type: ignore[arg-type]
        return 0.9 * out, alpha, depth

    monkeypatch.setattr(choose, "differentiable", lambda device: darker)
    rows = by_name(list(acceptance.parity("cpu", "cloud", partial(acceptance.cloud, 40, 3), 32)))
    assert rows["cpu: cloud, features, mean difference"].status == "failed"
    assert rows["cpu: cloud, gradient of features, relative error"].status == "failed"
    assert rows["cpu: cloud, alpha, largest difference"].status == "ok"


def test_without_numba_its_rows_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    ours = [check for check in acceptance.checks(acceptance.TINY) if re.match("cpu:(?!.*(networks|training))", check[0])]
    rows = run(ours, lambda _: None)
    assert {row.status for row in rows} == {"not run"} and all("numba" in row.note for row in rows)


def test_a_check_that_breaks_is_one_failed_row_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> list[Row]:
        raise RuntimeError("out of memory\nsecond line")

    def absent() -> list[Row]:
        raise NotRun("there is none")

    last = ("last", lambda: [at_most("small", 1.0, 2.0)])
    rows = run([("first", broken), ("second", absent), last], lambda _: None)
    assert [row.status for row in rows] == ["failed", "not run", "ok"]
    assert rows[0].note == "RuntimeError: out of memory"
    assert at_least("fast", float("nan"), 1.0).status == at_most("near", float("nan"), 1.0).status == "failed"
    assert "not run: there is none" in text(rows)
    monkeypatch.setattr(acceptance, "checks", lambda sizes: [("first", broken), last])
    assert acceptance.main([]) == 1
    assert "1 ok, 0 not run, 1 failed" in capsys.readouterr().out
