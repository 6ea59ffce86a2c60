"""The prior's networks on an engine: what torch gives."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
import torch

from enrollment import workflow
from enrollment.options import RefineOptions
from models.diffusion import export, weights
from models.diffusion.config import load_config
from models.diffusion.expression import ExpressionEncoder
from models.diffusion.prior import Known, Prior
from models.engines.base import EngineError
from models.engines.onnx_runtime import OnnxEngine
from models.errors import MissingPartError
from server import cli
from server.benchmarks import engines

SMALL = {"size": 32, "network": {"channels": (16, 32), "attention": (False, True), "head_channels": 8, "groups": 8}}


def small(**mechanisms: bool) -> Prior:
    torch.manual_seed(0)
    prior = Prior(load_config("small").replace(**SMALL, mechanisms=mechanisms)).eval()
    torch.nn.init.normal_(prior.denoiser.unet.conv_out.weight, std=0.1)
    return prior


def test_the_encoder_gives_what_torch_gives() -> None:
    torch.manual_seed(0)
    encoder = ExpressionEncoder(load_config("small").expression).eval()
    engine = OnnxEngine(export.encoder_network(encoder))
    for rows in (1, 3):
        crops = torch.rand(rows, 3, 128, 128)
        with torch.no_grad():
            expected = encoder(crops).numpy()
        got = engine.run({export.INPUT: crops.numpy()})[export.OUTPUT]
        assert got.shape == expected.shape and np.abs(got - expected).max() < 1e-3


@pytest.mark.parametrize("mechanisms", [{}, {"reference": False}, {"domain_attention": False}, {"warp": False}])
@torch.no_grad()
def test_the_denoiser_gives_what_torch_gives_for_any_number_of_views(mechanisms: dict[str, bool]) -> None:
    prior = small(**mechanisms)
    saved = set(prior.state_dict())
    expected: dict[int, torch.Tensor] = {}
    for engine in (False, True):
        if engine:
            assert export.use_engine(prior) is not None
        for views in (1, 5):
            generator = torch.Generator().manual_seed(views)
            made = {name: torch.randn(tensor.shape, generator=generator) for name, tensor in export.example(prior, views).items()}
            features = {int(name[10:]): tensor for name, tensor in made.items() if name.startswith("reference")} or None
            latent = torch.randn(views, prior.config.expression.latent, generator=generator)
            known = Known(made["noisy"], made["known"], features, latent)
            out = prior.denoise(made["noisy"], torch.full((views,), 400), known)
            if engine:
                assert (out - expected[views]).abs().max() < 1e-3
                assert set(prior.state_dict()) == saved, "an engine is not saved with the prior"
                with torch.autocast("cpu", torch.bfloat16):  # as `sample` on a machine that computes in it
                    out = prior.denoise(made["noisy"], torch.full((views,), 400), known)
                assert (out - expected[views]).abs().max() < 0.05
            else:
                expected[views] = out
                assert out.abs().max() > 0.05


def test_a_prior_of_clips_and_a_machine_without_the_packages_stay_in_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert export.use_engine(small(temporal=True)) is None
    with pytest.raises(EngineError, match="attention over frames"):
        export.denoiser_network(small(temporal=True))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert export.use_engine(small()) is None
    with pytest.raises(MissingPartError, match="needs the package onnx"):
        export.encoder_network(ExpressionEncoder(load_config("small").expression))


def test_high_quality_runs_on_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "load", lambda path, space=None: small())
    assert isinstance(workflow._load_prior(RefineOptions())._run[0], export.DenoiserEngine)


def test_the_verb_measures_speed_and_parity(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(engines, "REPEATS", 2)
    monkeypatch.setattr(weights, "load", lambda path: small())
    monkeypatch.setattr("sys.argv", ["visavis", "bench", "engines", "--json"])
    cli.main()
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["network"].split(",")[0] for row in rows] == ["expression encoder", "denoiser"]
    for row in rows:
        assert 0 < row["engine_ms"] <= row["p95_ms"] and row["torch_ms"] > 0 and row["difference"] < 1e-3
