"""autograd.rasterize against autograd through reference.py in float64, and that against the oracle.

Tolerance: each gradient within 1e-4 of the reference's, in the norm over all Gaussians. The scenes are seeded such that
no pixel lies on a threshold, where the picture jumps and a gradient means nothing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.splat import autograd, reference
from models.splat.normals import shortest_axes
from models.splat.oracle import OracleRasterizer
from models.types import Camera, Gaussians
from server.benchmarks import splat

NAMES = ("means", "rotations", "scales", "opacities", "features")


def inputs_of(gaussians: Gaussians, features: int, seed: int = 0) -> list[torch.Tensor]:
    """The five tensors, float64, quaternions of length 1.7, `features` random features."""
    rng = np.random.default_rng(seed)
    arrays = (gaussians.means, 1.7 * gaussians.rotations, gaussians.scales, gaussians.opacities)
    return [torch.tensor(a, dtype=torch.float64) for a in (*arrays, rng.uniform(0, 1, (len(gaussians), features)))]


def gradient_of(leaf: torch.Tensor) -> torch.Tensor:
    assert leaf.grad is not None
    return leaf.grad


def check(inputs: list[torch.Tensor], camera: Camera, tolerance: float = 1e-4) -> list[torch.Tensor]:
    """Compare pictures and gradients of a random linear loss over features, alpha and depth; return the gradients."""
    rng, features = np.random.default_rng(9), inputs[4].shape[1]
    size = (camera.height, camera.width)
    weights = [torch.tensor(rng.normal(size=shape)) for shape in ((*size, features), size, size)]
    background = torch.tensor(rng.uniform(size=features))
    results = []
    for draw in (autograd.rasterize, reference.rasterize):
        leaves = [tensor.clone().requires_grad_() for tensor in inputs]
        drawn = draw(*leaves, camera, background)  # type: ignore[call-arg]
        sum((a * b).sum() for a, b in zip(drawn, weights, strict=True)).backward()
        results.append(([a.detach() for a in drawn], [gradient_of(leaf) for leaf in leaves]))
    for ours, theirs in zip(results[0][0], results[1][0], strict=True):
        assert (ours - theirs).abs().max() < 5e-5
    for name, ours, theirs in zip(NAMES, results[0][1], results[1][1], strict=True):
        assert torch.isfinite(ours).all(), name
        assert (ours - theirs).norm() <= tolerance * theirs.norm() + 1e-9, name
    return results[0][1]


def check_colors(inputs: list[torch.Tensor], camera: Camera, tolerance: float = 1e-4) -> None:
    """`autograd.rasterize_colors` against `autograd.rasterize`: pictures, and gradients of a loss that looks at parts of them."""
    rng, results = np.random.default_rng(9), []
    size = (camera.height, camera.width)
    weights = [torch.tensor(rng.normal(size=shape)) for shape in ((*size, 3), size)]
    for weight in weights:
        weight[: size[0] // 3] = 0.0
    background = torch.tensor(rng.uniform(size=3))
    for draw in (autograd.rasterize_colors, autograd.rasterize):
        leaves = [tensor.clone().requires_grad_() for tensor in inputs]
        drawn = draw(*leaves, camera, background)[:2]  # type: ignore[operator]
        sum((a * b).sum() for a, b in zip(drawn, weights, strict=True)).backward()
        results.append((drawn, [gradient_of(leaf) for leaf in leaves]))
    for ours, theirs in zip(results[0][0], results[1][0], strict=True):
        assert (ours - theirs).abs().max() < 5e-5
    for name, ours, theirs in zip(NAMES, results[0][1], results[1][1], strict=True):
        assert torch.isfinite(ours).all(), name
        assert theirs.abs().max() > 0
        assert (ours - theirs).norm() <= tolerance * theirs.norm(), name


@pytest.mark.parametrize(("count", "width", "height"), [(120, 131, 70), (1500, 90, 45), (40, 3, 50)])
def test_colors_alone(make_gaussians, count, width, height):
    check_colors(inputs_of(make_gaussians(count, 3), 3), Camera.orbit(0.7, distance=0.7, width=width, height=height))


def test_colors_alone_behind_finished_pixels(make_gaussians):
    gaussians = make_gaussians(300, 6, smallest=0.02, largest=0.05)
    gaussians = replace(gaussians, opacities=np.full(300, 1.0, np.float32))
    check_colors(inputs_of(gaussians, 3), Camera.orbit(0.2, width=90, height=40), tolerance=1e-3)


@pytest.mark.parametrize(("seed", "features", "distance"), [(0, 3, 0.9), (1, 6, 0.3), (2, 1, 0.9), (3, 9, 0.5)])
def test_random_scenes(make_gaussians, seed, features, distance):
    rng = np.random.default_rng(seed)
    width, height = int(rng.integers(20, 130)), int(rng.integers(10, 70))
    camera = Camera.orbit(rng.uniform(-3, 3), rng.uniform(-1, 1), distance=distance, width=width, height=height)
    check(inputs_of(make_gaussians(120, seed), features), camera)


def test_wide_gaussians_and_the_clamped_jacobian(make_gaussians):
    gaussians = make_gaussians(25, 5, smallest=0.05, largest=0.6)
    gaussians = replace(gaussians, means=3.0 * gaussians.means)  # most centres lie outside the picture
    check(inputs_of(gaussians, 3), Camera.orbit(0.5, width=150, height=70))


def test_saturated_alpha_and_finished_pixels(make_gaussians):
    gaussians = make_gaussians(300, 6, smallest=0.02, largest=0.05)
    gaussians = replace(gaussians, opacities=np.full(300, 1.0, np.float32))
    check(inputs_of(gaussians, 3), Camera.orbit(0.2, width=90, height=40), tolerance=1e-3)


def test_what_is_not_drawn_gets_zeros(make_gaussians):
    gaussians = make_gaussians(40, 7)
    gaussians.means[0] = [0.0, 0.0, 5.0]  # behind the camera
    gaussians.means[1] = [9.0, 0.0, 0.0]  # beside the picture
    gaussians.opacities[2] = 0.001
    grads = check(inputs_of(gaussians, 3), Camera.orbit(0.0, width=80, height=50))
    for name, grad in zip(NAMES, grads, strict=True):
        assert not grad[:3].any(), name


def test_broken_rows_get_zeros_and_harm_no_other(make_gaussians):
    inputs = inputs_of(make_gaussians(40, 8), 3)
    for row, tensor in enumerate(inputs):
        tensor[row] = torch.nan
    inputs[1][5] = 0.0
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    color, alpha, depth = autograd.rasterize(*leaves, Camera.orbit(0.0, width=80, height=50), torch.ones(3))  # type: ignore[call-arg]
    (color.sum() + alpha.sum() + depth.sum()).backward()
    for leaf in leaves:
        gradient = gradient_of(leaf)
        assert torch.isfinite(gradient).all() and not gradient[:6].any() and gradient[6:].any()


def test_no_gaussians():
    leaves = [torch.zeros(shape, requires_grad=True) for shape in ((0, 3), (0, 4), (0, 3), (0,), (0, 2))]
    out, alpha, depth = autograd.rasterize(*leaves, Camera.orbit(0.0, width=5, height=4), torch.tensor([0.25, 0.5]))  # type: ignore[call-arg]
    assert (out == torch.tensor([0.25, 0.5])).all() and not alpha.any() and not depth.any()
    (out.sum() + alpha.sum() + depth.sum()).backward()


def test_wrong_shapes_are_refused(make_gaussians):
    camera, inputs = Camera.orbit(0.0, width=5, height=4), inputs_of(make_gaussians(6, 1), 3)
    with pytest.raises(ValueError, match="the background should have the shape"):
        autograd.rasterize(*inputs, camera, torch.zeros(2))  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="should have the shape"):
        autograd.rasterize(*inputs[:4], inputs[4][:5], camera, torch.zeros(3))  # type: ignore[call-arg]


def test_two_pictures_may_be_drawn_before_either_goes_back(make_gaussians):
    inputs = inputs_of(make_gaussians(80, 9), 3)
    cameras = [Camera.orbit(yaw, width=70, height=50) for yaw in (0.0, 0.7)]

    def gradient(views: list[Camera], together: bool) -> torch.Tensor:
        means = inputs[0].clone().requires_grad_()
        losses = [autograd.rasterize(means, *inputs[1:], view, torch.zeros(3))[0].square().sum() for view in views]  # type: ignore[call-arg]
        if together:
            sum(losses).backward()
        else:
            for loss in reversed(losses):
                loss.backward(retain_graph=True)
        return gradient_of(means)

    apart = sum(gradient([camera], True) for camera in cameras)
    assert torch.allclose(gradient(cameras, True), apart) and torch.allclose(gradient(cameras, False), apart)


def test_reference_is_the_oracle(make_gaussians):
    gaussians, camera = make_gaussians(100, 10), Camera.orbit(0.4, width=60, height=40)
    inputs = [*inputs_of(gaussians, 3)[:4], torch.tensor(gaussians.colors, dtype=torch.float64)]
    color, alpha, depth = reference.rasterize(*inputs, camera, torch.ones(3, dtype=torch.float64))  # type: ignore[call-arg]
    picture = OracleRasterizer().render(gaussians, camera, depth=True)
    for ours, theirs in ((color, picture.color), (alpha, picture.alpha), (depth, picture.depth)):
        assert np.abs(ours.numpy() - theirs).max() < 1e-6


def test_normals_agree_and_turn_with_the_rotation(make_gaussians):
    gaussians, camera = make_gaussians(100, 11), Camera.orbit(0.4, width=60, height=40)
    means, rotations, scales = (torch.tensor(a) for a in (gaussians.means, gaussians.rotations, gaussians.scales))
    normals = reference.shortest_axes(means, rotations.requires_grad_(), scales, camera)
    assert np.abs(normals.detach().numpy() - shortest_axes(gaussians, camera)).max() < 1e-5
    normals.sum().backward()
    assert torch.isfinite(rotations.grad).all() and rotations.grad.any()


def test_bench_runs():
    rows = splat.bench((300,), (32,), 2)
    assert [row["what"] for row in rows] == ["live", "full", "gradients"]
    assert all(row["median_ms"] > 0 and row["p95_ms"] >= row["median_ms"] and row["baseline_ms"] > 0 for row in rows)
