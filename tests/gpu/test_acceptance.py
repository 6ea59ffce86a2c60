"""The acceptance script itself, on the CPU: its rows, what it says of what is missing, and its exit status."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import onnx
import pytest

from models.diffusion import weights
from models.engines import half
from models.splat import autograd, choose
from models.splat.cuda import problem
from tests.gpu import acceptance, engines, fake_gsplat, fake_tensorrt, optimising
from tests.gpu.table import NotRun, Row, at_least, at_most, run, text
from tests.models.diffusion.test_export import small


def by_name(rows: list[Row]) -> dict[str, Row]:
    return {row.name: row for row in rows}


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
    assert len(ours) > 20 and all(row["status"] == "ok" and row["value"] > 0 for row in ours)
    assert len(theirs) > 4 and all(row["status"] == "not run" and row["note"] for row in theirs)
    assert "not run: torch finds no CUDA device" in capsys.readouterr().out


def test_with_gsplat_every_row_has_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_gsplat.install(monkeypatch)
    monkeypatch.setattr(acceptance, "problem", lambda: None)
    monkeypatch.setattr(acceptance, "DEVICES", {"cpu": "cpu", "cuda": "cpu"})
    monkeypatch.setattr(acceptance, "FITTED", 0.0)
    chosen = [check for check in acceptance.checks(acceptance.TINY) if check[0].startswith("cuda:")]
    rows = run([check for check in chosen if "optimisation" not in check[0] and "networks" not in check[0]], lambda _: None)
    assert {row.status for row in rows} == {"ok"} and all(row.value is not None for row in rows)
    assert len(rows) == 2 * 11 + 3


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
    ours = [check for check in acceptance.checks(acceptance.TINY) if check[0].startswith("cpu:") and "networks" not in check[0]]
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
