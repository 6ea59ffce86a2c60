"""The chooser, and the CUDA rasterizer where there is one."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from models.errors import MissingPartError, VisavisError
from models.splat import choose, cuda, ready
from models.splat.oracle import OracleRasterizer
from models.types import Camera


def cuda_or_none():
    try:
        return choose.by_name("cuda")
    except MissingPartError:
        return None


def test_importing_is_free():
    code = "import sys, models.splat, models.splat.choose; assert not {'numba', 'torch', 'gsplat'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_best_one_compiles_nothing(monkeypatch, tmp_path, caplog):
    """gsplat that was never tried here is left alone, and the log says what to do."""

    def looked() -> None:
        raise AssertionError("problem() would have compiled")

    monkeypatch.setattr(ready.caches, "folder", lambda: tmp_path)
    monkeypatch.setattr(ready, "is_installed", lambda: True)
    monkeypatch.setattr(cuda, "problem", looked)
    with caplog.at_level("INFO", "models"):
        assert choose.best().name == "cpu"
    assert "`visavis doctor` makes them ready" in caplog.text
    monkeypatch.setattr(ready, "is_ready", lambda: True)
    monkeypatch.setattr(cuda, "problem", lambda: None)
    assert choose.best().name == "cuda"


def test_by_name():
    assert choose.by_name("cpu").name == "cpu" and choose.by_name("oracle").name == "oracle"
    assert choose.by_name("auto").name == choose.best().name in ("cpu", "cuda")
    with pytest.raises(VisavisError, match="no rasterizer called 'vulkan'"):
        choose.by_name("vulkan")


@pytest.mark.skipif(cuda_or_none() is not None, reason="the CUDA rasterizer works here")
def test_missing_cuda_says_how_to_get_it():
    with pytest.raises(MissingPartError, match=r"pip install visavis\[cuda\]"):
        choose.by_name("cuda")


@pytest.mark.gpu
@pytest.mark.skipif(cuda_or_none() is None, reason="needs gsplat and an NVIDIA GPU")
def test_cuda_draws_what_the_oracle_draws(make_gaussians):
    cuda, camera = choose.by_name("cuda"), Camera.orbit(0.3, 0.2, width=101, height=67)
    for count in (0, 200):
        gaussians = make_gaussians(count, 1)
        if count:
            gaussians.means[3] = np.nan
        fast = cuda.render(gaussians, camera, background=(0.2, 0.5, 0.9), depth=True, normal=True)
        slow = OracleRasterizer().render(gaussians, camera, background=(0.2, 0.5, 0.9), depth=True, normal=True)
        for name in ("color", "alpha", "depth", "normal"):
            wrong = np.abs(getattr(fast, name) - getattr(slow, name)) > 1e-3
            assert wrong.mean() < 0.01, name
        out = np.empty((67, 101, 3), np.uint8)
        cuda.render_into(gaussians, camera, out, (0.2, 0.5, 0.9))  # type: ignore[attr-defined]
        assert np.abs(out / 255.0 - np.clip(fast.color, 0, 1)).max() < 0.01
