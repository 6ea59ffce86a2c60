from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.diffusion import export
from models.diffusion.config import load_config
from models.diffusion.expression import ExpressionEncoder
from models.errors import MissingPartError


def test_latents_have_the_stated_size_and_spread() -> None:
    latents = ExpressionEncoder(load_config("small").expression)(torch.rand(3, 3, 128, 128))
    assert latents.shape == (3, 128)
    assert torch.allclose(latents.mean(dim=1), torch.zeros(3), atol=1e-4)
    assert torch.allclose(latents.std(dim=1), torch.ones(3), atol=0.02)


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


def test_without_onnx_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingPartError, match="needs the package onnx"):
        export.export_onnx(ExpressionEncoder(load_config("small").expression), tmp_path / "e.onnx")
