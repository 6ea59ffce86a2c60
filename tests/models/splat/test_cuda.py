"""autograd_cuda.py and cuda.py around a gsplat that is played in plain torch: the conventions, not gsplat's own kernels.

Where gsplat and a GPU are there, the tests marked `gpu` try the real one.
"""

from __future__ import annotations

import fcntl
import threading

import numpy as np
import pytest
import torch

from models.errors import MissingPartError, VisavisError
from models.splat import autograd, autograd_cuda, choose, cuda, reference
from models.splat.cuda import CudaRasterizer
from models.splat.oracle import OracleRasterizer
from models.types import Camera
from tests.gpu import fake_gsplat
from tests.gpu.scenes import cloud

NAMES = ("means", "rotations", "scales", "opacities", "features")
VIEW = Camera.orbit(0.4, 0.2, width=61, height=43)


@pytest.fixture
def gsplat(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_gsplat.install(monkeypatch)


def both(inputs: list[torch.Tensor], draw, device: str = "cpu"):
    """Pictures and gradients of a fixed linear loss."""
    rng = np.random.default_rng(3)
    leaves = [tensor.to(device).clone().requires_grad_() for tensor in inputs]
    drawn = draw(*leaves, VIEW, torch.linspace(0, 1, inputs[4].shape[1]))
    for part in drawn:
        assert part.dtype == inputs[0].dtype and part.device == leaves[0].device
    weights = [torch.tensor(rng.normal(size=tuple(part.shape)), dtype=part.dtype, device=device) for part in drawn]
    sum((a * b).sum() for a, b in zip(drawn, weights, strict=True)).backward()
    return [part.detach().cpu() for part in drawn], [leaf.grad.cpu() for leaf in leaves]


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_the_same_pictures_and_gradients_as_on_the_cpu(gsplat, kind):
    inputs = [tensor.to(kind) for tensor in cloud(120, 7).all()]
    ours, got = both(inputs, choose.differentiable("cuda"))
    theirs, wanted = both(inputs, choose.differentiable("cpu"))
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape and (a - b).abs().max() < 5e-5
    for name, a, b in zip(NAMES, got, wanted, strict=True):
        assert (a - b).norm() < 1e-3 * b.norm(), name


def test_broken_rows_get_zeros_and_harm_no_other(gsplat):
    inputs = [tensor.clone() for tensor in cloud(40, 3).all()]
    for row, tensor in enumerate(inputs):
        tensor[row] = torch.nan
    inputs[4][5, 1] = torch.inf
    inputs[1][6] = 0.0
    ours, got = both(inputs, autograd_cuda.rasterize)
    theirs, _ = both(inputs, autograd.rasterize)
    for a, b in zip(ours, theirs, strict=True):
        assert (a - b).abs().max() < 5e-5
    for grad in got:
        assert torch.isfinite(grad).all() and not grad[:7].any() and grad[7:].any()


def test_no_gaussians(gsplat):
    leaves = [torch.zeros(shape, requires_grad=True) for shape in ((0, 3), (0, 4), (0, 3), (0,), (0, 2))]
    out, alpha, depth = autograd_cuda.rasterize(*leaves, VIEW, torch.tensor([0.25, 0.5]))  # type: ignore[call-arg]
    assert out.shape == (43, 61, 2) and alpha.shape == depth.shape == (43, 61)
    assert (out == torch.tensor([0.25, 0.5])).all() and not alpha.any() and not depth.any()
    (out.sum() + alpha.sum() + depth.sum()).backward()


def test_wrong_shapes_are_refused(gsplat):
    inputs = cloud(6, 3).all()
    with pytest.raises(ValueError, match="the background should have the shape"):
        autograd_cuda.rasterize(*inputs, VIEW, torch.zeros(2))  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="rotations should have the shape"):
        autograd_cuda.rasterize(inputs[0], inputs[1][:5], *inputs[2:], VIEW, torch.zeros(3))  # type: ignore[call-arg]


def test_the_live_rasterizer_draws_what_the_oracle_draws(gsplat, make_gaussians):
    rasterizer, behind = CudaRasterizer("cpu"), (0.2, 0.5, 0.9)
    for count in (0, 80):
        gaussians = make_gaussians(count, 1)
        if count:
            gaussians.means[3] = np.nan
        fast = rasterizer.render(gaussians, VIEW, background=behind, depth=True, normal=True)
        slow = OracleRasterizer().render(gaussians, VIEW, background=behind, depth=True, normal=True)
        for name in ("color", "alpha", "depth", "normal"):
            assert np.abs(getattr(fast, name) - getattr(slow, name)).max() < 1e-4, name
        plain = rasterizer.render(gaussians, VIEW)
        assert plain.depth is None and plain.normal is None
        out = np.empty((43, 61, 3), np.uint8)
        rasterizer.render_into(gaussians, VIEW, out, behind)
        assert np.abs(out / 255.0 - np.clip(fast.color, 0, 1)).max() < 0.003


def test_a_gsplat_without_kernels_is_found_out_before_the_first_picture(monkeypatch):
    fake_gsplat.install_without_kernels(monkeypatch)
    assert "no compiled kernels" in (cuda.problem.__wrapped__() or "")
    fake_gsplat.install_without_kernels(monkeypatch, "1.5.2")
    assert cuda.problem.__wrapped__() == "gsplat 1.5.2 is too old, 1.5.3 is needed"


def test_only_one_process_at_a_time_compiles_the_kernels(monkeypatch, tmp_path):
    fake_gsplat.install_without_kernels(monkeypatch)
    monkeypatch.setattr(cuda.caches, "folder", lambda: tmp_path)
    found: list[str | None] = []
    with (tmp_path / "gsplat.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        other = threading.Thread(target=lambda: found.append(cuda.problem.__wrapped__()))
        other.start()
        other.join(0.2)
        assert not found
    other.join(60)
    assert found and "no compiled kernels" in str(found[0])
    monkeypatch.setattr(cuda.caches, "folder", lambda: tmp_path / "gsplat.lock" / "below")
    assert cuda.problem.__wrapped__()


def test_a_device_that_is_not_there_is_refused_in_one_sentence(monkeypatch):
    monkeypatch.setattr(cuda, "problem", lambda: "torch finds no CUDA device")
    for device in ("cuda", "cuda:1"):
        with pytest.raises(MissingPartError, match="torch finds no CUDA device; get it with"):
            choose.differentiable(device)
    with pytest.raises(VisavisError, match="A device called 'tpu' is not known"):
        choose.differentiable("tpu")


@pytest.mark.gpu
@pytest.mark.skipif(cuda.problem() is not None, reason="needs gsplat and an NVIDIA GPU")
def test_the_real_gsplat_agrees_with_the_reference():
    inputs = list(cloud(120, 7).all())
    ours, got = both(inputs, choose.differentiable("cuda"), "cuda")
    theirs, wanted = both([tensor.double() for tensor in inputs], reference.rasterize)
    for a, b in zip(ours, theirs, strict=True):
        assert (a - b).abs().mean() < 2e-4
    for name, a, b in zip(NAMES, got, wanted, strict=True):
        assert (a - b).norm() < 0.01 * b.norm(), name
