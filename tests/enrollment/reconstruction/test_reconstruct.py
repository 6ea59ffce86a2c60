from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from enrollment.reconstruction import photometric, photometric_warp
from enrollment.reconstruction import reconstruct as module
from enrollment.reconstruction.capture import Capture, Frame
from enrollment.reconstruction.config import Rates, ReconstructConfig, Weights
from enrollment.reconstruction.reconstruct import Reconstruction, StopReason, reconstruct
from enrollment.reconstruction.targets import Target
from models import avatar_file, binding
from models.avatar import Avatar, AvatarPoser
from models.errors import CaptureError
from models.heads.base import HeadModel, quaternion, rotation_log, rotation_vector
from models.splat.cpu import CpuRasterizer
from tests.enrollment import scenes

STILL = Rates(means=0, rotations=0, log_scales=0, logits=0, colors=0)
PLAIN = ReconstructConfig(
    steps=40, size=scenes.SIDE, crops=0, normals=False, regularise=False, prune=False, pull=0.0, check_every=10,
    weights=Weights(ssim=0, gradient=0),
)  # fmt: skip


@pytest.fixture(scope="module")
def truth(model: HeadModel) -> Avatar:
    return scenes.colourful(model)


@pytest.fixture(scope="module")
def views(truth: Avatar, model: HeadModel) -> tuple[Frame, ...]:
    return tuple(scenes.frame(truth, model, scenes.camera(yaw)) for yaw in (-0.5, 0.0, 0.5))


def test_it_comes_nearer_to_the_truth_also_where_no_camera_stood(
    truth: Avatar, views: tuple[Frame, ...], model: HeadModel, tmp_path: Path
) -> None:
    start, between = scenes.spoiled(truth), scenes.frame(truth, model, scenes.camera(0.25))
    told = []
    config = ReconstructConfig(steps=60, size=scenes.SIDE, check_every=20, rates=Rates(colors=0.02))
    result = reconstruct(start, model, Capture(views), config, progress=lambda stage, part: told.append(part))
    assert scenes.likeness(result.avatar, truth, model, between) > scenes.likeness(start, truth, model, between) + 4
    assert result.losses[-1] < 0.7 * result.losses[0]
    assert (result.steps, result.stopped, result.skipped) == (60, "", 0)
    assert told == pytest.approx([1 / 3, 2 / 3, 1])
    assert result.avatar.provenance["quality"] == "standard" and start.provenance["quality"] == "instant"
    avatar_file.save(result.avatar, tmp_path / "a.avatar")  # colours, opacities and rotations are in their ranges


def test_what_no_frame_shows_stays_as_it_came(model: HeadModel) -> None:
    truth = scenes.colourful(model, every=1)
    start, view = scenes.spoiled(truth), scenes.frame(truth, model, scenes.camera())
    g = start.gaussians
    deep = replace(g, means=g.means + np.array([0, -2.0, 0], np.float32), colors=np.full_like(g.colors, 0.5))
    both = replace(start, gaussians=binding.BoundGaussians.concatenate([g, deep]))  # a second skin, glimpsed through the first
    config = replace(PLAIN, rates=Rates(colors=0.02))
    moved = {}
    for pull in (0.0, 0.3):
        result = reconstruct(both, model, Capture((view,)), replace(config, pull=pull))
        change = np.abs(result.avatar.gaussians.colors - both.gaussians.colors).max(axis=1)
        moved[pull] = (change[: len(g)].max(), np.mean(change[len(g) :] > 0.1))
        assert np.mean(change[: len(g)][_behind(truth, model)] < 0.02) > 0.9
    assert moved[0.3][0] > 0.1  # what is seen moves
    assert moved[0.3][1] < 0.3 * moved[0.0][1]


def test_squares_settle_between_frames_that_disagree(truth: Avatar, views: tuple[Frame, ...], model: HeadModel) -> None:
    """Three looks of four say one thing: absolute differences take their side, squares the mean."""
    often = replace(views[1], weight=3.0)
    seldom = replace(views[1], image=np.full_like(views[1].image, 255) - views[1].image)
    mean = (0.75 * often.image + 0.25 * seldom.image) / 255
    away = []
    for square in (0.0, 30.0):
        config = replace(PLAIN, rates=replace(STILL, colors=0.03), weights=replace(PLAIN.weights, square=square))
        made = reconstruct(truth, model, Capture((often, seldom)), config).avatar
        drawn = CpuRasterizer(1).render(AvatarPoser(made, model).pose(often.coefficients, often.pose), often.camera).color
        away.append(np.abs(drawn - mean)[often.matte > 0.9].mean())
    assert away[1] < 0.75 * away[0]


def _behind(avatar: Avatar, model: HeadModel) -> np.ndarray:
    """(N,) Gaussians on the back of the head."""
    corners = model.template[model.faces[avatar.gaussians.face]]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return np.asarray((corners[..., 2].max(axis=1) < -0.05) & (normal[:, 2] < -0.5 * np.linalg.norm(normal, axis=1)))


def test_rig_refinement_mends_wrong_poses_and_expressions(truth: Avatar, model: HeadModel) -> None:
    yaws = (-0.3, 0.3)
    exact = [scenes.frame(truth, model, scenes.camera(y), scenes.turned(model, 0, y / 3, 0), jawOpen=0.4) for y in yaws]
    poses = [scenes.turned(model, 0.03, y / 3 - 0.04, 0.02, at=(0.003, -0.003, 0)) for y in yaws]
    wrong = [replace(f, pose=p, coefficients=0.3 * f.coefficients) for f, p in zip(exact, poses, strict=True)]
    rates = replace(STILL, identity=0.0, offset=0.0, pose=2e-3, expression=1e-2)
    found = reconstruct(truth, model, Capture(tuple(wrong)), replace(PLAIN, rig=True, steps=120, rates=rates)).frames

    def errors(frames: list[Frame] | tuple[Frame, ...]) -> tuple[float, float]:
        pairs = list(zip(frames, exact, strict=True))
        turns = [np.linalg.norm(rotation_log(a.pose.head[:3, :3].T @ b.pose.head[:3, :3])) for a, b in pairs]
        jaws = [np.abs(a.coefficients - b.coefficients).max() for a, b in pairs]
        return float(np.mean(turns)), float(np.mean(jaws))

    before, after = errors(wrong), errors(found)
    assert after[0] < 0.5 * before[0]
    assert after[1] < 0.75 * before[1]
    unrefined = reconstruct(truth, model, Capture(tuple(wrong)), replace(PLAIN, steps=2, rates=rates)).frames
    assert errors(unrefined) == before
    assert all(((f.coefficients >= 0) & (f.coefficients <= 1)).all() for f in found)


def test_normals_turn_the_shortest_axes(truth: Avatar, model: HeadModel) -> None:
    g = replace(truth.gaussians, colors=np.full_like(truth.gaussians.colors, 0.4))  # whose colours say nothing about its shape
    plain = replace(truth, gaussians=g)
    rng = np.random.default_rng(0)
    tilts = np.stack([quaternion(rotation_vector(rng.normal(0, 0.35, 3))) for _ in range(len(g))]).astype(np.float32)
    start = replace(plain, gaussians=replace(g, rotations=tilts))

    def normals(avatar: Avatar, like: Frame) -> np.ndarray:
        world = AvatarPoser(avatar, model).pose(like.coefficients, like.pose)
        normal = CpuRasterizer(1).render(world, like.camera, normal=True).normal
        assert normal is not None
        return np.asarray(normal / np.maximum(np.linalg.norm(normal, axis=2, keepdims=True), 1e-6))

    views = [scenes.frame(plain, model, scenes.camera(yaw)) for yaw in (-0.5, 0.0, 0.5)]
    views = [replace(f, normals=normals(plain, f)) for f in views]
    check = scenes.frame(plain, model, scenes.camera(0.25))

    def error(avatar: Avatar) -> float:
        cosine = (normals(avatar, check) * normals(plain, check)).sum(axis=2).clip(-1, 1)
        return float(np.degrees(np.arccos(cosine))[check.matte > 0.9].mean())

    weights = Weights(ssim=0, gradient=0, normal=0.5)
    config = replace(PLAIN, steps=60, rates=replace(STILL, rotations=0.02), weights=weights, normals_every=2)
    with_, without = (
        error(reconstruct(start, model, Capture(tuple(views)), replace(config, normals=on)).avatar) for on in (True, False)
    )
    assert with_ < 0.6 * error(start)
    assert with_ < 0.6 * without


def test_regularisers_keep_gaussians_small_and_near(truth: Avatar, views: tuple[Frame, ...], model: HeadModel) -> None:
    painted = tuple(replace(f, image=np.full_like(f.image, 40)) for f in views)  # nothing here asks for small Gaussians
    rates = replace(STILL, log_scales=0.05)
    config = replace(PLAIN, rates=rates, weights=Weights(ssim=0, gradient=0, alpha=5.0))
    results = {on: reconstruct(truth, model, Capture(painted), replace(config, regularise=on)) for on in (False, True)}
    largest = {on: float(np.percentile(result.avatar.gaussians.scales, 99)) for on, result in results.items()}
    assert largest[True] < 0.75 * largest[False]


def test_gaussians_are_split_where_the_loss_pulls_and_removed_where_transparent(
    truth: Avatar, views: tuple[Frame, ...], model: HeadModel
) -> None:
    count = len(truth.gaussians)
    config = replace(PLAIN, steps=40, densify=True, densify_every=10, grow=0.05, most=count + 150)
    grown = reconstruct(scenes.spoiled(truth), model, Capture(views), config)
    assert len(grown.avatar.gaussians) == count + 150
    assert scenes.likeness(grown.avatar, truth, model, views[1]) > scenes.likeness(scenes.spoiled(truth), truth, model, views[1])
    empty = tuple(replace(f, matte=np.where(np.arange(scenes.SIDE) < 36, f.matte, 0).astype(np.float32)) for f in views[1:2])
    config = replace(PLAIN, steps=60, prune=True, densify_every=30, rates=Rates(logits=0.5))
    assert len(reconstruct(truth, model, Capture(empty), config).avatar.gaussians) < 0.95 * count


@pytest.mark.parametrize(("bad", "skipped"), [((3, 4), 2), ((3, 4, 5), 3)])
def test_steps_without_a_finite_loss_are_skipped_and_three_in_a_row_end_it(
    truth: Avatar, views: tuple[Frame, ...], model: HeadModel, monkeypatch: pytest.MonkeyPatch, bad: tuple[int, ...], skipped: int
) -> None:
    calls = iter(range(1000))
    plain = photometric.photometric
    monkeypatch.setattr(module, "photometric", lambda *a: plain(*a) * (float("nan") if next(calls) in bad else 1.0))
    result = reconstruct(scenes.spoiled(truth), model, Capture(views), replace(PLAIN, steps=12, check_every=2))
    assert result.skipped == skipped
    assert np.isfinite(result.avatar.gaussians.colors).all()
    expected = (6, StopReason.NOT_FINITE) if skipped == 3 else (12, StopReason.FINISHED)
    assert (result.steps, result.stop) == expected


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(
    truth: Avatar, views: tuple[Frame, ...], model: HeadModel, tmp_path: Path
) -> None:
    start, capture = scenes.spoiled(truth), Capture(views)
    config = replace(PLAIN, steps=20, check_every=5, rig=True, warp_spread=1.0)
    whole = reconstruct(start, model, capture, config)
    path = tmp_path / "state"
    steps: list[int] = []

    def run(stop_at: int) -> Reconstruction:
        steps.clear()
        return reconstruct(
            start, model, capture, config, checkpoint_path=path, progress=lambda stage, part: steps.append(round(20 * part)),
            cancelled=lambda: bool(steps) and steps[-1] >= stop_at,
        )  # fmt: skip

    half = run(10)
    assert half.steps == 10 and half.stop is StopReason.CANCELLED
    assert scenes.likeness(half.avatar, truth, model, views[1]) > scenes.likeness(start, truth, model, views[1])
    rest = run(99)
    assert steps == [15, 20]
    np.testing.assert_allclose(rest.avatar.gaussians.colors, whole.avatar.gaussians.colors, atol=2e-3)
    np.testing.assert_allclose(rest.losses, whole.losses, rtol=1e-3)
    path.write_bytes(path.read_bytes()[:-7])
    assert run(5).steps == 5 and steps == [5]  # damaged: from the start
    run(5)
    other = reconstruct(truth, model, capture, config, checkpoint_path=path, cancelled=lambda: True)
    assert other.steps == 0  # of another avatar: from the start


def test_ctrl_c_keeps_the_best_so_far(truth: Avatar, views: tuple[Frame, ...], model: HeadModel) -> None:
    def interrupt(stage: str, part: float) -> None:
        if round(part * PLAIN.steps) == 20:
            raise KeyboardInterrupt

    start = scenes.spoiled(truth)
    result = reconstruct(start, model, Capture(views), PLAIN, progress=interrupt)
    assert result.steps == 20 and "best so far" in result.stopped
    assert scenes.likeness(result.avatar, truth, model, views[1]) > scenes.likeness(start, truth, model, views[1])


def test_more_than_the_memory_holds_is_refused_at_the_start(
    truth: Avatar, views: tuple[Frame, ...], model: HeadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.psutil, "virtual_memory", lambda: SimpleNamespace(available=1 << 20))
    with pytest.raises(CaptureError, match="GB of memory were expected"):
        reconstruct(truth, model, Capture(views), PLAIN)


def test_coin_takes_what_single_frames_say_and_bakes_in_the_photo(
    truth: Avatar, views: tuple[Frame, ...], model: HeadModel
) -> None:
    tints = ([0, 0, 0], [60, -20, 0], [-20, 40, -40])
    photo, *others = views[1], views[0], views[2]
    pairs = zip((photo, *others), tints, strict=True)
    tinted = [replace(f, image=(f.image + np.array(t)).clip(0, 255).astype(np.uint8)) for f, t in pairs]
    rates = replace(STILL, colors=0.01, networks=0.01)
    config = replace(PLAIN, steps=150, rates=rates, weights=Weights(ssim=0, gradient=0, view_offset=0.05, consistent=0.0))
    with_, without = (
        scenes.likeness(reconstruct(truth, model, Capture(tuple(tinted)), replace(config, coin=on)).avatar, truth, model, photo)
        for on in (True, False)
    )
    assert with_ > without + 2


def test_pictures_that_are_bent_differently_are_bent_onto_each_other(truth: Avatar, model: HeadModel) -> None:
    rng = torch.Generator().manual_seed(0)
    straight = scenes.frame(truth, model, scenes.camera(0.2))

    def warped(frame: Frame) -> Frame:
        still = Target(
            frame.camera, torch.from_numpy(frame.image / np.float32(255)), torch.from_numpy(frame.matte),
            torch.ones(frame.matte.shape), None,
        )  # fmt: skip
        moved = photometric_warp.warped(
            still, 1.5 / scenes.SIDE * torch.randn(2, photometric_warp.NODES, photometric_warp.NODES, generator=rng)
        )
        return replace(frame, image=(255 * moved.image).round().byte().numpy(), matte=moved.matte.numpy())

    frames = tuple(warped(scenes.frame(truth, model, scenes.camera(yaw))) for yaw in np.linspace(-0.4, 0.4, 24))
    start, found = scenes.spoiled(truth), []
    for spread in (0.0, 5.0):
        config = replace(PLAIN, steps=150, warp_spread=spread, rates=replace(STILL, colors=0.02, logits=0.05))
        found.append(scenes.likeness(reconstruct(start, model, Capture(frames), config).avatar, truth, model, straight))
    assert found[1] > found[0] + 1


def test_dynamics_and_deformation_show_what_one_set_of_attributes_cannot(truth: Avatar, model: HeadModel) -> None:
    still = scenes.frame(truth, model, scenes.camera())
    open_ = scenes.frame(truth, model, scenes.camera(), jawOpen=1.0)
    darker = replace(open_, image=(open_.image * 0.6).astype(np.uint8))

    def finish(frames: tuple[Frame, ...], steps: int, rate: float, **on: bool) -> Reconstruction:
        config = replace(PLAIN, steps=steps, rates=replace(STILL, colors=0.01 if steps == 80 else 0.0, networks=rate), **on)
        return reconstruct(truth, model, Capture(frames), config)

    frames = (still, darker)
    changing = finish(frames, 80, 0.01, dynamics=True)
    assert changing.losses[-1] < 0.6 * finish(frames, 80, 0.01).losses[-1]
    assert 0 <= changing.baking_loss < 0.3 and _gain(changing.avatar, model, darker) > 10
    moved = replace(open_, image=np.roll(open_.image, 1, axis=0), matte=np.roll(open_.matte, 1, axis=0))
    frames = (still, moved)
    moving = finish(frames, 60, 2e-3, deformation=True)  # at 3e-3 it depends on last bits whether it has converged by then
    assert moving.losses[-1] < 0.8 * finish(frames, 60, 2e-3).losses[-1]
    assert 0 <= moving.baking_loss < 0.3 and _gain(moving.avatar, model, moved) > 10
    again = reconstruct(changing.avatar, model, Capture((still,)), replace(PLAIN, steps=2))
    assert again.avatar.corrections is None and again.baking_loss == 0  # of networks that were not trained again


def _gain(avatar: Avatar, model: HeadModel, like: Frame) -> float:
    """Decibels by which an avatar is nearer to a frame with its corrections than without."""
    matte = like.matte[..., None]
    truth = like.image / 255 * matte + 1 - matte
    two = (scenes.drawn(a, model, like) for a in (avatar, replace(avatar, corrections=None)))
    with_, without = (scenes.psnr(picture, truth) for picture in two)
    return with_ - without
