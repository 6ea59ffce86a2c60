"""The ablation itself: one capture, fitted as is usual, then with each mechanism off (or on) in turn."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from enrollment import enroll
from enrollment.reconstruction.capture import Capture, Frame
from enrollment.reconstruction.config import Rates, ReconstructConfig
from enrollment.reconstruction.reconstruct import reconstruct
from models.avatar import Avatar
from models.heads.base import HeadModel, Pose
from models.progress import ProgressCallback, no_progress
from models.types import Array
from server.evaluation.ablation import instant
from server.evaluation.ablation.scoring import Scores, World, drawn, mean_pose, score
from server.evaluation.ablation.spoiling import Spoiling, spoiled
from server.evaluation.ablation.truth import Truth, TruthFrame
from server.evaluation.ablation.uv import on_uv_mesh

TRUSTED = 0.2
"""Weight of a landmark from which its place on the mesh counts when the two heads are laid on each other."""
PHOTO_SHARE = 0.1
"""Part of all looks that the photo gets."""
USUAL = "usual"
UV_SIDE = 256
"""Texels of the UV mesh."""
HOPS = 5
ENOUGH = 0.1
"""With cameras all round, what no picture shows at all is all that needs to stay as the instant avatar has it."""
RATES = Rates(means=2e-2, rotations=1e-2, log_scales=1.5e-2, colors=1e-2, offset=2e-4)
"""Many pictures from all sides say much: the hair of the instant avatar may be centimetres away from where it should be."""


@dataclass(frozen=True)
class Case:
    """A row of the table. config: of the fit. uv: whether the Gaussians are carried to the UV mesh first, with at most `hops`
    between the corners of its triangles (None: no limit)."""

    name: str
    config: ReconstructConfig
    uv: bool = False
    hops: int | None = HOPS


@dataclass(frozen=True)
class Row:
    """name: what was fitted. scores: held out. gaussians: in the end. seconds: of the fit. baking: decibels lost by it."""

    name: str
    scores: Scores
    gaussians: int = 0
    seconds: float = 0.0
    baking: float = 0.0


@dataclass(frozen=True)
class Start:
    """What all rows share: the instant avatar of the truth's portrait, the capture in that avatar's world, where `world` is in
    the truth's, the held-out shots, and instant avatars without one of their stages, each in its own world."""

    model: HeadModel
    avatar: Avatar
    world: World
    capture: Capture
    held: tuple[TruthFrame, ...]
    variants: tuple[tuple[str, Fitted], ...] = ()


@dataclass(frozen=True)
class Fitted:
    """An avatar, the model that it is bound to, and how it lies in the truth's world: where its own is, and its head's pose."""

    avatar: Avatar
    model: HeadModel
    world: World
    pose: Pose


def begin(model: HeadModel, seed: int, size: int, how: Spoiling | None = None, *, ablate: bool = False) -> Start:
    """Make the head, enroll its portrait, photograph it at `size` pixels and spoil the pictures. ablate: also enroll without each
    stage of the instant avatar in turn.

    The capture's world is the avatar's: its camera poses went through the similarity that lays the avatar's landmarks on the
    true ones, as a tracker would, for which the scale of the world is free. Raises `PhotoError` when the portrait shows no face.
    """
    truth = Truth.random(model, seed, size)
    avatar = enroll([truth.portrait()], head=model).avatar
    marks = np.unique(model.landmark_corners[model.landmark_weight > TRUSTED])

    def world_of(made: Avatar) -> World:
        return World.between(made.person(model).rest[marks], truth.person.rest[marks])

    world = world_of(avatar)
    others = instant.variants(model, truth.portrait()) if ablate else ()
    variants = tuple((name, Fitted(made, model, world_of(made), Pose())) for name, made in others)
    rng = np.random.default_rng([seed, 1])
    shots = truth.training()
    frames = [spoiled(frame(shot, world), how or Spoiling(), rng, photo=i == 0) for i, shot in enumerate(shots)]
    frames[0] = replace(frames[0], weight=PHOTO_SHARE / (1 - PHOTO_SHARE) * (len(frames) - 1), name="photo")
    return Start(model, avatar, world, Capture.of_frames(frames), tuple(truth.held_out()), variants)


def frame(shot: TruthFrame, world: World) -> Frame:
    """A shot as the fit's world has it, nothing spoiled."""
    matte = np.maximum(shot.matte, 0.05)[..., None]
    image = ((shot.image - (1 - matte)) / matte).clip(0, 1)
    return Frame(
        np.round(255 * image).astype(np.uint8), shot.matte.astype(np.float32), world.camera(shot.camera), Pose(),
        shot.coefficients, world.normals(shot.normals),
    )  # fmt: skip


def cases(steps: int, size: int, *, ablate: bool) -> list[Case]:
    """What pays on this truth; with `ablate` each mechanism off in turn, and those on in turn that do not pay.

    The truth's skin and hair change with the expression only as its rig does, so the networks for the rest (dynamics,
    deformation) have nothing to learn here but the noise. The UV mesh is worth two rows: with and without its limit.
    """
    usual = ReconstructConfig(
        steps=steps,
        size=size,
        crops=0.0,
        rates=RATES,
        rig=True,
        coin=True,
        densify=True,
        enough=ENOUGH,
        oversampled=2,
        warp_spread=1.0,
    )
    out = [Case(USUAL, usual)]
    if ablate:
        out += [
            Case("without COIN", replace(usual, coin=False)), Case("without rig refinement", replace(usual, rig=False)),
            Case("without normal loss", replace(usual, normals=False)), Case("without warping", replace(usual, warp_spread=0.0)),
            Case("with perceptual loss", replace(usual, perceptual=True)),
            Case("with parsing loss", replace(usual, parsing=True)),
            Case("with dynamics", replace(usual, dynamics=True)), Case("with deformation", replace(usual, deformation=True)),
            Case("triangle binding: UV mesh", usual, uv=True),
            Case("triangle binding: UV mesh, no hop limit", usual, True, None),
        ]  # fmt: skip
    return out


def run(start: Start, chosen: Sequence[Case], progress: ProgressCallback = no_progress) -> tuple[list[Row], list[Fitted]]:
    """A row for the instant avatar, one for each of `start.variants` and one for each case; and the fits, the first the start."""
    first = Fitted(start.avatar, start.model, start.world, Pose())
    rows, made = [Row("instant avatar", scored(first, start), len(start.avatar.gaussians))], [first]
    rows += [Row(name, scored(other, start), len(other.avatar.gaussians)) for name, other in start.variants]
    for index, case in enumerate(chosen):
        avatar, model = (start.avatar, start.model)
        if case.uv:
            avatar, model = on_uv_mesh(avatar, model, UV_SIDE, case.hops)
        began = time.perf_counter()
        name = case.name
        stages = partial(_named, progress, name, index / len(chosen), 1 / len(chosen))
        result = reconstruct(avatar, model, start.capture, case.config, progress=stages)
        seconds = time.perf_counter() - began
        world = start.world.grown(start.capture.frames, result.frames)
        fitted = Fitted(result.avatar, model, world, mean_pose(result.frames) if case.config.rig else Pose())
        rows.append(Row(name, scored(fitted, start), len(result.avatar.gaussians), seconds, result.baking_loss))
        made.append(fitted)
    return rows, made


def _named(progress: ProgressCallback, name: str, begin: float, share: float, stage: str, part: float) -> None:
    """Progress of one case of the table as part of all cases."""
    progress(f"{name}: {stage}", begin + share * part)


def scored(fitted: Fitted, start: Start) -> Scores:
    """Held out."""
    return score(fitted.avatar, fitted.model, start.held, fitted.world, fitted.pose)


def records(rows: Sequence[Row]) -> list[dict[str, object]]:
    """The table as plain values."""
    return [
        {
            "fit": row.name, "psnr": round(row.scores.psnr, 2), "psnr_head": round(row.scores.psnr_head, 2),
            "ssim": round(row.scores.ssim, 4), "normals_deg": round(row.scores.normals, 2), "gaussians": row.gaussians,
            "baking_db": round(row.baking, 2), "seconds": round(row.seconds, 1),
        }
        for row in rows
    ]  # fmt: skip


def sheet(start: Start, fitted: Fitted, shown: Sequence[int]) -> Array:
    """Held-out shots, a row each: truth, instant avatar, fit, four times their difference, true and drawn normals."""
    rows = []
    for i in shown:
        shot = start.held[i]
        before = drawn(start.avatar, start.model, shot, start.world, Pose())
        now = drawn(fitted.avatar, fitted.model, shot, fitted.world, fitted.pose)
        assert now.normal is not None
        length = np.linalg.norm(now.normal, axis=2, keepdims=True)
        ours = np.where(length > 0.3, now.normal / np.maximum(length, 1e-3), 0)
        difference = 4 * np.abs(now.color - shot.image)
        parts = [shot.image, before.color, now.color, difference, 0.5 + 0.5 * start.world.normals(shot.normals), 0.5 + 0.5 * ours]
        rows.append(np.concatenate([part.clip(0, 1) for part in parts], axis=1))
    return np.asarray(np.concatenate(rows), np.float32)
