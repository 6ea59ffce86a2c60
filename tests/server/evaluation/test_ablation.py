"""The ablation's parts: where the fit's world lies in the truth's, what is injected, what is scored, and the UV mesh."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from enrollment.portrait.portrait import Portrait
from enrollment.reconstruction.capture import Capture, Frame
from models.avatar import Avatar, AvatarPoser
from models.heads.base import HeadModel, Pose, rotation_vector
from models.splat.cpu import CpuRasterizer
from models.types import Camera
from server.evaluation.ablation import instant, rows, truth
from server.evaluation.ablation.rows import Fitted, Row, Start
from server.evaluation.ablation.scoring import Scores, World, mean_pose, score, smoothly
from server.evaluation.ablation.spoiling import Spoiling, spoiled
from server.evaluation.ablation.truth import HELD_FACES, HELD_VIEWS, TruthFrame, camera, coefficients
from server.evaluation.ablation.uv import on_uv_mesh
from tests.enrollment import scenes

SIDE = 48
STILL = World(1.0, np.eye(3), np.zeros(3))


def shot(avatar: Avatar, model: HeadModel, view: Camera, expression: np.ndarray) -> TruthFrame:
    """A shot of an avatar, so that the truth is quick and its fit may be perfect."""
    picture = smoothly(avatar, model, view, expression, Pose())
    assert picture.normal is not None
    length = np.linalg.norm(picture.normal, axis=2, keepdims=True)
    normals = np.divide(picture.normal, length, out=np.zeros_like(picture.normal), where=length > 0.5)
    return TruthFrame(view, expression, picture.color.clip(0, 1), picture.alpha, normals, picture.alpha > 0.95)


@pytest.fixture(scope="module")
def known(model: HeadModel) -> Avatar:
    return scenes.colourful(model)


@pytest.fixture(scope="module")
def start(model: HeadModel, known: Avatar) -> Start:
    """A spoiled avatar that should become `known`, from four pictures, scored on two others."""
    shots = [shot(known, model, camera(view, SIDE), coefficients(face)) for view, face in ((0, 0), (2, 2), (22, 5), (0, 1))]
    held = tuple(shot(known, model, camera(view, SIDE), coefficients(7)) for view in (1, 23))
    capture = Capture.of_frames(rows.frame(s, STILL) for s in shots)
    return Start(model, scenes.spoiled(known), STILL, capture, held)


def test_the_similarity_is_found_and_a_camera_sees_the_same_through_it() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(0, 0.1, (50, 3)).astype(np.float32)
    turn = rotation_vector(np.array([0.1, -0.3, 0.2]))
    there = 1.1 * points @ turn.T + [0.01, 0.02, -0.03]
    world = World.between(points, there)
    assert world.scale == pytest.approx(1.1, rel=1e-4)
    view = camera(3, 64)
    np.testing.assert_allclose(world.camera(view).project(points), view.project(there), atol=1e-3)
    normal = np.array([[0.0, 0.6, 0.8]]) @ turn.T
    np.testing.assert_allclose(world.normals(normal.astype(np.float32)), [[0.0, 0.6, 0.8]], atol=1e-5)


def test_the_pose_in_the_middle_of_the_tracked_ones_is_the_true_one(start: Start) -> None:
    rng = np.random.default_rng(1)
    how = Spoiling(turn=2.0, move=0.002)
    frames = [spoiled(f, how, rng) for f in start.capture.frames for _ in range(50)]
    away = np.array([f.pose.head[:3, 3] for f in frames])
    assert np.abs(away).max() > 0.004
    middle = mean_pose(frames)
    assert np.abs(middle.head - np.eye(4)).max() < 5e-3
    plain = np.linalg.norm(away.mean(axis=0))
    assert np.linalg.norm(middle.head[:3, 3]) < plain, "along their lines of sight they say nothing"


def test_a_fit_that_grew_further_away_is_measured_as_large_as_it_looks(start: Start) -> None:
    frames = start.capture.frames

    def further(frame: Frame) -> Frame:
        head = frame.pose.head.copy()
        head[:3, 3] += 0.02 * (head[:3, 3] - frame.camera.position)
        return replace(frame, pose=replace(frame.pose, head=head))

    assert start.world.grown(frames, [further(f) for f in frames]).scale == pytest.approx(start.world.scale / 1.02)
    assert start.world.grown(frames, frames).scale == pytest.approx(start.world.scale)


def test_spoiling_changes_what_it_says_and_the_photos_pixels_not(start: Start) -> None:
    rng, clean = np.random.default_rng(2), start.capture.frames[1]
    bad = spoiled(clean, Spoiling(), rng)
    assert 2 < np.abs(bad.image.astype(float) - clean.image).mean() < 40
    assert np.abs(bad.coefficients - clean.coefficients).max() > 0.01
    assert (bad.coefficients >= 0).all() and (bad.coefficients <= 1).all()
    assert bad.normals is not None and clean.normals is not None
    both = (np.abs(bad.normals).max(axis=2) > 0) & (np.abs(clean.normals).max(axis=2) > 0)
    cosine = np.sum(bad.normals * clean.normals, axis=2)[both].clip(-1, 1)
    assert 4 < np.degrees(np.arccos(cosine)).mean() < 20
    photo = spoiled(clean, Spoiling(), rng, photo=True)
    assert np.array_equal(photo.image, clean.image) and not np.array_equal(photo.pose.head, clean.pose.head)
    nothing = spoiled(clean, Spoiling(*[0.0] * 7), rng)
    assert np.array_equal(nothing.image, clean.image) and np.allclose(nothing.pose.head, clean.pose.head)


def test_bends_do_not_blur(start: Start) -> None:
    clean = start.capture.frames[1]
    noise = np.random.default_rng(0).integers(0, 255, (SIDE // 2, SIDE // 2, 3)).astype(np.uint8)
    fine = np.asarray(Image.fromarray(noise).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    clean = replace(clean, image=fine, matte=np.ones((SIDE, SIDE), np.float32), normals=None)
    bent = spoiled(clean, replace(Spoiling(*[0.0] * 7), warp=2.0), np.random.default_rng(1))
    assert np.abs(bent.image.astype(float) - fine).mean() > 10

    def sharpness(picture: np.ndarray) -> float:
        return float(np.abs(np.diff(picture.astype(float), axis=1)).mean())

    assert sharpness(bent.image) == pytest.approx(sharpness(fine), rel=0.06)


def test_scores_tell_the_truth_from_anything_else(start: Start, known: Avatar, model: HeadModel) -> None:
    perfect = score(known, model, start.held, STILL, Pose())
    assert perfect.psnr > 45 and perfect.ssim > 0.99 and perfect.normals < 1
    noisy = score(start.avatar, model, start.held, STILL, Pose())
    assert noisy.psnr < perfect.psnr - 10 and noisy.psnr_head < noisy.psnr
    aside = np.eye(4)
    aside[0, 3] = 0.01
    assert score(known, model, start.held, STILL, Pose(head=aside, body=aside)).psnr < perfect.psnr - 10
    g = known.gaussians
    tilted = replace(known, gaussians=replace(g, rotations=g.rotations * 0 + np.array([0.96, 0.28, 0, 0], np.float32)))
    assert score(tilted, model, start.held, STILL, Pose()).normals > 20


def test_the_table_has_a_row_for_each_mechanism_and_fitting_gains(start: Start) -> None:
    chosen = rows.cases(12, SIDE, ablate=True)
    names = [case.name for case in chosen]
    assert names[:9] == [
        rows.USUAL,
        *(f"without {n}" for n in ("COIN", "rig refinement", "normal loss", "warping")),
        *(f"with {n}" for n in ("perceptual loss", "parsing loss", "dynamics", "deformation")),
    ]
    assert len({case.config for case in chosen[:9]}) == 9 and len(rows.cases(12, SIDE, ablate=False)) == 1
    assert {case.hops for case in chosen if case.uv} == {rows.HOPS, None}
    table, made = rows.run(start, [chosen[0], chosen[1]])
    assert [row.name for row in table] == ["instant avatar", rows.USUAL, "without COIN"]
    assert table[1].scores.psnr > table[0].scores.psnr + 0.5 and table[1].seconds > 0
    assert set(rows.records(table)[0]) >= {"fit", "psnr", "ssim", "normals_deg"}
    json.dumps(rows.records(table))
    assert rows.sheet(start, made[1], [0, 1]).shape == (2 * SIDE, 6 * SIDE, 3)


def test_stages_of_the_instant_avatar_are_left_out_one_by_one(
    start: Start, known: Avatar, portrait: Portrait, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[Portrait] = []
    ends: list[bool] = []

    def build(model: HeadModel, portraits: list[Portrait], **how: bool) -> SimpleNamespace:
        built.extend(portraits)
        ends.append(how.get("ends", True))
        return SimpleNamespace(avatar=known)

    monkeypatch.setattr(instant, "build_instant", build)
    monkeypatch.setattr(instant, "prepare", lambda photo: portrait)
    made = dict(instant.variants(start.model, portrait.image))
    assert list(made) == [f"instant, without {stage}" for stage in ("matting", "parsing", "bust")]
    matted, parsed, _ = built
    assert ends == [True, True, False]
    assert matted.parsing is portrait.parsing is not None and np.abs(matted.matte - portrait.matte).mean() > 1e-3
    assert parsed.parsing is None and parsed.matte is portrait.matte
    others = tuple((name, Fitted(avatar, start.model, STILL, Pose())) for name, avatar in made.items())
    table, fits = rows.run(replace(start, variants=others), [])
    assert [row.name for row in table] == ["instant avatar", *made] and len(fits) == 1
    assert table[1].scores.psnr > table[0].scores.psnr + 10, "each is scored, not the start"


def test_held_out_views_and_expressions_are_seen_in_no_picture_of_the_capture(
    model: HeadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = truth.Truth.random(model, 5, 16)
    monkeypatch.setattr(
        truth.Truth, "shot", lambda self, view, expression: (view.world_to_camera.tobytes(), expression.tobytes())
    )
    seen, held = known.training(), known.held_out()
    assert len(seen) == 16 * 7 and len(held) == len(HELD_VIEWS) * len(HELD_FACES) == 24
    for part in (0, 1):
        assert not {s[part] for s in seen} & {s[part] for s in held}  # type: ignore[index]


def test_the_truth_is_a_head_of_its_own(model: HeadModel) -> None:
    known = truth.Truth.random(model, 5, 32)
    assert np.abs(known.person.rest - model.template).max() > 3e-3
    one = known.shot(camera(0, 32), coefficients(0))
    assert 0.2 < one.matte.mean() < 0.95 and one.face.any()
    assert len(np.unique(one.matte.round(3))) > 8, "outlines are smooth, as a camera sees them"
    assert known.portrait().shape == (640, 640, 3)


@pytest.mark.parametrize("hops", [rows.HOPS, None])
def test_on_the_uv_mesh_the_avatar_looks_the_same_at_rest(known: Avatar, model: HeadModel, hops: int | None) -> None:
    moved, new = on_uv_mesh(known, model, 96, hops)
    assert (moved.gaussians.face >= len(model.faces)).mean() > 0.8
    rest, view = np.zeros(52, np.float32), scenes.camera()
    before = CpuRasterizer(1).render(AvatarPoser(known, model).pose(rest), view).color.copy()
    after = CpuRasterizer(1).render(AvatarPoser(moved, new).pose(rest), view).color
    assert scenes.psnr(before, after) > 50


def test_a_fit_keeps_what_is_needed_to_draw_it(start: Start) -> None:
    fitted = Fitted(start.avatar, start.model, start.world, Pose())
    assert rows.records([Row("x", rows.scored(fitted, start))])[0]["psnr"] == round(rows.scored(fitted, start).psnr, 2)
    assert isinstance(rows.scored(fitted, start), Scores)
