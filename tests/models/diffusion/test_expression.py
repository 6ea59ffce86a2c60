from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from models.diffusion import export, expression, points
from models.diffusion.config import load_config
from models.diffusion.expression import ExpressionEncoder
from models.errors import MissingPartError
from server import cli
from server.benchmarks import denoiser


def test_latents_have_the_stated_size_and_spread() -> None:
    latents = ExpressionEncoder(load_config("small").expression)(torch.rand(3, 3, 128, 128))
    assert latents.shape == (3, 128)
    assert torch.allclose(latents.mean(dim=1), torch.zeros(3), atol=1e-4)
    assert torch.allclose(latents.std(dim=1), torch.ones(3), atol=0.02)


def test_places_are_where_the_maps_point() -> None:
    """A sharp peak in each quarter of a map is read as its place in that part, finer than a pixel between two of them."""
    maps = torch.full((1, 2, 16, 16), -50.0)
    maps[0, 0, 1, 2] = maps[0, 0, 3, 15] = maps[0, 0, 8, 0] = maps[0, 0, 15, 8] = 50
    maps[0, 1, 4, 4] = maps[0, 1, 4, 5] = 50
    places = expression._places(maps)
    assert places.shape == (1, 4, 2, 2)
    wanted = [(-0.375, -0.625), (0.875, -0.125), (-0.875, -0.875), (-0.875, 0.875)]
    assert torch.allclose(places[0, :, 0], torch.tensor(wanted), atol=1e-5)
    assert torch.allclose(places[0, 0, 1], torch.tensor([0.25, 0.125]), atol=1e-5)
    assert places[0, 1, 1].abs().max() < 1e-5, "nothing in sight: the middle"


def test_the_latent_is_read_from_the_places(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    encoder, crops = ExpressionEncoder(load_config("small").expression).eval(), torch.rand(2, 3, 128, 128)
    with torch.no_grad():
        latents, places = encoder.look(crops)
        assert torch.equal(latents, encoder(crops)) and places.shape == (2, 4, points.COUNT, 2) and places.abs().max() <= 1
        monkeypatch.setattr(expression, "_places", lambda maps: places + 0.5)
        assert (encoder(crops) - latents).abs().max() > 1e-3


def test_onnx_gives_what_torch_gives(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="exporting needs the package onnx")
    onnxruntime = pytest.importorskip("onnxruntime", reason="comparing needs the package onnxruntime")
    torch.manual_seed(0)
    encoder = ExpressionEncoder(load_config("small").expression).eval()
    export.export_onnx(encoder, tmp_path / "expression.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "expression.onnx"), providers=["CPUExecutionProvider"])
    for rows in (1, 3):
        crops = torch.rand(rows, 3, 128, 128)
        with torch.no_grad():
            expected = encoder(crops).numpy()
        (got,) = session.run([export.OUTPUT], {export.INPUT: crops.numpy()})
        assert got.shape == expected.shape and np.abs(got - expected).max() < 1e-3


def test_the_verb_measures_speed_and_parity(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx", reason="exporting needs the package onnx")
    monkeypatch.setattr(denoiser, "REPEATS", 3)
    monkeypatch.setattr("sys.argv", ["visavis", "bench", "latent", "--json"])
    cli.main()
    told = json.loads(capsys.readouterr().out)
    assert 0 < told["median_ms"] <= told["p95_ms"] and 0 < told["difference"] < 1e-3


def test_without_onnx_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingPartError, match="needs the package onnx"):
        export.export_onnx(ExpressionEncoder(load_config("small").expression), tmp_path / "e.onnx")
