"""The optimiser's parts, each against a slower or better known way to the same numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from enrollment.reconstruction import checkpoint, losses
from enrollment.reconstruction.adam import Adam
from enrollment.reconstruction.config import ReconstructConfig
from enrollment.reconstruction.posing import Rig, rig_rate
from enrollment.reconstruction.scene import Scene
from enrollment.reconstruction.splats import Splats
from models.heads.base import HeadModel
from tests.enrollment import scenes


def test_the_rig_starts_in_the_frames_poses_and_ends_in_what_it_reports(model: HeadModel) -> None:
    avatar = scenes.colourful(model)
    frames = [
        scenes.frame(avatar, model, scenes.camera(), scenes.turned(model, 0.1, 0.4, 0, at=(0.02, 0, -0.1)), jawOpen=0.5)
    ] * 2
    person = avatar.person(model)
    rig = Rig(person, avatar.identity, avatar.offset, frames)
    want = person.vertices(frames[1].coefficients, frames[1].pose)
    np.testing.assert_allclose(rig(1).detach(), want, atol=1e-5)
    with torch.no_grad():
        for parameter in rig.residuals.values():
            parameter.copy_(0.002 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    rig.project()
    refined = rig.refined(frames)[1]
    identity, offset = rig.shape()
    got = model.person(identity, offset).vertices(refined.coefficients, refined.pose)
    assert np.abs(got - want).max() > 1e-3
    np.testing.assert_allclose(rig(1).detach(), got, atol=1e-5)
    assert (refined.coefficients >= 0).all() and (refined.coefficients <= 1).all()
    assert float(rig.roughness().detach()) > 0


def test_a_translation_residual_moves_the_picture_alike_in_all_directions(model: HeadModel) -> None:
    avatar = scenes.colourful(model)
    frame = scenes.frame(avatar, model, scenes.camera())
    rig = Rig(avatar.person(model), avatar.identity, avatar.offset, [frame])
    start = frame.camera.project(rig(0).detach().numpy())
    moved = []
    for axis in range(3):
        with torch.no_grad():
            rig.residuals["head_translation"].zero_()[0, axis] = 1e-3
        moved.append(np.linalg.norm(frame.camera.project(rig(0).detach().numpy()) - start, axis=1).mean())
    assert max(moved) < 3 * min(moved)


def test_the_rigs_rate_warms_up_holds_and_decays() -> None:
    rates = [rig_rate(step, 1000) for step in range(1001)]
    assert rates[0] == pytest.approx(0.01) and rates[100] == pytest.approx(0.505)
    assert rates[200:801] == [1.0] * 601
    assert rates[900] == pytest.approx(0.1) and rates[1000] == pytest.approx(0.01)


def test_adam_is_adam_where_all_rows_have_a_say() -> None:
    start, target = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)), torch.zeros(6, 3)
    ours, theirs = start.clone().requires_grad_(), start.clone().requires_grad_()
    reference, adam = torch.optim.Adam([theirs], 0.05, eps=1e-15), Adam()
    for _ in range(20):
        for p in (ours, theirs):
            p.grad = None
            (p - target).pow(4).sum().backward()
        adam.step({"p": ours}, {"p": 0.05})
        reference.step()
    torch.testing.assert_close(ours, theirs)


def test_adam_leaves_rows_alone_that_have_no_say() -> None:
    p, adam = torch.ones(4, 2, requires_grad=True), Adam()
    for _ in range(3):
        p.grad = None
        (p[:2] ** 2).sum().backward()
        adam.step({"p": p}, {"p": 0.1})
    p.grad = None
    (p[2:] ** 2).sum().backward()
    before = p.detach().clone()
    adam.step({"p": p}, {"p": 0.1})
    assert torch.equal(p[:2].detach(), before[:2])  # no momentum
    torch.testing.assert_close(p[2:].detach(), torch.full((2, 2), 0.9))  # a first step of its own


def test_ssim_is_scikit_images() -> None:
    rng = np.random.default_rng(0)
    a = rng.uniform(size=(60, 50, 3)).astype(np.float32)
    b = (a + rng.normal(0, 0.1, a.shape)).clip(0, 1).astype(np.float32)
    want = structural_similarity(
        a, b, channel_axis=2, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )[1][5:-5:2, 5:-5:2].mean()
    assert 1 - float(losses.dissimilarity(torch.from_numpy(a), torch.from_numpy(b), torch.ones(60, 50))) == pytest.approx(
        want, abs=1e-4
    )


def test_losses_do_not_look_beyond_the_mask() -> None:
    truth = torch.rand(40, 40, 3, generator=torch.Generator().manual_seed(0))
    drawn = truth.clone()
    drawn[:, 20:] = 0.0
    mask = torch.zeros(40, 40)
    mask[:, :20] = 1.0
    for loss in (losses.l1, losses.dissimilarity, losses.gradients):
        assert float(loss(drawn, truth, mask)) < 1e-6 < float(loss(drawn, truth, torch.ones(40, 40)))


def test_gradients_see_a_blur_that_the_mean_hides() -> None:
    sharp = torch.zeros(32, 32, 1)
    sharp[::2] = 1.0
    flat = torch.full((32, 32, 1), 0.5)
    dark = sharp * 0.0
    whole = torch.ones(32, 32)
    assert float(losses.l1(flat, sharp, whole)) == pytest.approx(float(losses.l1(dark, sharp, whole)))
    assert float(losses.gradients(flat, sharp, whole)) > 0.1
    assert float(losses.gradients(sharp + 0.3, sharp, whole)) < 1e-6


def test_a_split_covers_the_same_place(model: HeadModel) -> None:
    avatar = scenes.colourful(model)
    splats, view = Splats.of(avatar.gaussians), scenes.frame(avatar, model, scenes.camera())
    splats.split(torch.arange(0, len(splats), 3), Adam())

    assert len(splats) > 1.3 * len(avatar.gaussians)
    assert scenes.likeness(replace(avatar, gaussians=splats.bound()), avatar, model, view) > 28


def test_a_state_is_read_back_for_its_own_task_only(tmp_path: Path) -> None:
    path, tensors = tmp_path / "state", {"a": torch.rand(3, 2), "b": torch.arange(4)}
    checkpoint.save(path, "task", {"done": 3}, tensors)
    found = checkpoint.load(path, "task")
    assert found is not None and found[0] == {"done": 3}
    assert all(torch.equal(found[1][name], tensor) for name, tensor in tensors.items())
    assert checkpoint.load(path, "other") is None and checkpoint.load(tmp_path / "none", "task") is None
    a = np.zeros(3)
    assert checkpoint.fingerprint(a, 1) == checkpoint.fingerprint(a.copy(), 1) != checkpoint.fingerprint(a + 1, 1)


def test_what_is_seen_well_enough_is_not_pulled_back(model: HeadModel) -> None:
    splats = Splats.of(scenes.colourful(model).gaussians)
    splats.seen = torch.linspace(0, 1, len(splats))
    with torch.no_grad():
        splats.now["colors"] += 1
    splats.pull(0.5, 0.0, 0.25)
    left = (splats.now["colors"] - splats.first["colors"]).mean(dim=1).detach()
    assert left[0] == pytest.approx(0.5) and (left[splats.seen >= 0.25] > 0.999).all()
    assert ((left > 0.51) & (left < 0.99))[(splats.seen > 0.02) & (splats.seen < 0.24)].all()


def test_an_oversampled_picture_is_a_larger_one_shrunk(model: HeadModel) -> None:
    avatar = scenes.colourful(model)
    frame = scenes.frame(avatar, model, scenes.camera())
    person = avatar.person(model)
    twice = Scene(avatar, person, [frame], ReconstructConfig(oversampled=2)).draw(0, frame.camera, normals=True)
    large = frame.camera.resized(2 * frame.camera.width, 2 * frame.camera.height)
    plain = Scene(avatar, person, [frame], ReconstructConfig())
    fine, coarse = plain.draw(0, large), plain.draw(0, frame.camera)
    height, width = frame.matte.shape
    block = fine.color.detach().numpy().reshape(height, 2, width, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(twice.color.detach(), block, atol=1e-5)
    assert twice.normals is not None and twice.alpha.shape == (height, width)
    assert float((twice.alpha - coarse.alpha).detach().abs().max()) > 0.02
