"""Pictures warped by a known amount are warped back, and what they all have in common stays."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.data import astronaut
from torch import Tensor

from enrollment.reconstruction import photometric_warp
from enrollment.reconstruction.photometric_warp import NODES, PhotometricWarp, basis, displacement, warped
from enrollment.reconstruction.targets import Target
from models.types import Camera

SPREAD = 2.0 / 256


def target(size: int = 128, *, normals: bool = False) -> Target:
    """A face before white, cut out as an ellipse."""
    picture = torch.from_numpy(astronaut()[0:256, 96:352].astype(np.float32) / 255)
    image = photometric_warp._shrunk(picture, [size, size])
    y, x = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    matte = ((0.8 - (x**2 + (1.3 * y) ** 2)) * size / 4).clamp(0, 1)
    up = torch.zeros(size, size, 3)
    up[..., 1] = (matte > 0.5).float()
    camera = Camera(size, size, 100.0, 100.0, size / 2, size / 2, np.eye(4))
    shown = image * matte[..., None] + 1 - matte[..., None]
    return Target(camera, shown, matte, torch.ones_like(matte), up if normals else None)


def some_warp(seed: int = 0, pixels: float = 1.0, size: int = 128) -> Tensor:
    return pixels / size * torch.randn(2, NODES, NODES, generator=torch.Generator().manual_seed(seed))


def error(a: Target, b: Target) -> float:
    inside = (slice(8, -8), slice(8, -8))
    return float((a.image - b.image)[inside].abs().mean())


def test_the_basis_is_a_partition_of_one() -> None:
    rows = basis(50)
    assert rows.shape == (50, NODES) and torch.allclose(rows.sum(dim=1), torch.ones(50), atol=1e-6) and (rows >= 0).all()


def test_without_a_warp_nothing_moves() -> None:
    t = target(normals=True)
    same = warped(t, torch.zeros(2, NODES, NODES))
    for name in ("image", "matte", "known", "normals"):
        assert torch.allclose(getattr(same, name), getattr(t, name), atol=1e-4), name
    assert displacement(t, t.image, t.matte, SPREAD).abs().max() < 1e-5


@pytest.mark.parametrize("size", [96, 128, 320])
def test_a_bent_picture_is_bent_back(size: int) -> None:
    truth = target(size)
    spoiled = warped(truth, some_warp(size=256))
    found = displacement(spoiled, truth.image, truth.matte, SPREAD)
    again = warped(spoiled, found)
    assert error(again, truth) < 0.5 * error(spoiled, truth), "twice resampled, so not all of it"
    assert float((again.matte - truth.matte).abs().mean()) < 0.6 * float((spoiled.matte - truth.matte).abs().mean())


def test_where_nothing_is_known_nothing_is_bent() -> None:
    t = target()
    other = warped(t, some_warp())
    blind = Target(other.camera, other.image, other.matte, torch.zeros_like(t.known), None)
    assert displacement(blind, t.image, t.matte, SPREAD).abs().max() == 0
    flat = Target(t.camera, torch.full_like(t.image, 0.3), torch.ones_like(t.matte), t.known, None)
    assert displacement(flat, t.image, t.matte, SPREAD).abs().max() < 1e-6


def test_outliers_do_not_pull_the_picture_along() -> None:
    t = target()
    spoiled = t.image.clone()
    spoiled[40:56, 40:56] = 0.0
    found = displacement(Target(t.camera, spoiled, t.matte, t.known, None), t.image, t.matte, SPREAD)
    assert 128 * found.abs().max() < 0.5, "half a pixel at most"


def test_normals_stay_unit_or_nothing() -> None:
    out = warped(target(normals=True), some_warp())
    assert out.normals is not None
    length = out.normals.norm(dim=2)
    assert bool(((length < 1e-6) | ((length - 1).abs() < 1e-4)).all()) and 0.3 < float((length > 0.5).float().mean()) < 0.9
    assert set(out.known.unique().tolist()) == {1.0}


def test_what_all_pictures_share_is_left_to_the_gaussians() -> None:
    truth = target(64)
    shared = torch.zeros(2, NODES, NODES)
    shared[0] = 1.0 / 64
    warper, plain = PhotometricWarp(4.0), []
    for seed in range(100):
        spoiled = warped(truth, shared + some_warp(seed, 0.5, 64))
        out = warper(spoiled, truth.image, truth.matte)
        plain.append(error(out, truth))
    all_shifted = warped(truth, shared)
    assert error(out, all_shifted) < 0.5 * error(out, truth), "it is now where they all are, not where it was drawn"
    assert np.mean(plain[:3]) < 0.5 * np.mean(plain[-3:]), "at first it knew of none"
    assert 64 * warper.shared[0, 2:4, 2:4].mean() == pytest.approx(-1.0, abs=0.35)
