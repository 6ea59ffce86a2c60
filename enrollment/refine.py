"""Optimise an instant avatar on photos, on a clip, on a capture folder, or on views that a diffusion prior synthesises."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from enrollment import clip_capture
from enrollment.instant.pipeline import Enrollment
from enrollment.options import RefineOptions
from enrollment.reconstruction.capture import Capture
from enrollment.reconstruction.capture_folder import read_folder
from enrollment.reconstruction.config import ReconstructConfig
from enrollment.reconstruction.config_file import changed
from enrollment.reconstruction.reconstruct import Reconstruction
from enrollment.reconstruction.standard import refine
from models.avatar import Avatar
from models.heads.base import HeadModel
from models.progress import ProgressCallback, no_progress
from models.tracking.offline import see_clip
from models.video.reader import Clip

if TYPE_CHECKING:
    from models.diffusion.prior import Prior

FIRST_ROUND, FIRST_SIZE = 0.28, 192
"""Part of all steps on a clip that the first round takes, and the larger side of its pictures, pixels: poses and shape show
in small ones."""
UNSEEN_EXPRESSIONS = 0.2
"""Part of the second round's steps that draw the instant avatar in expressions that the clip may not have."""


def refine_on_photos(
    first: Enrollment,
    model: HeadModel,
    options: RefineOptions,
    *,
    progress: ProgressCallback = no_progress,
    cancelled: Callable[[], bool] = lambda: False,
) -> Reconstruction:
    """Optimise the instant avatar on its own photos. When `cancelled` returns True, the best avatar so far is returned."""
    config = _configured(ReconstructConfig.for_photos(len(first.portraits)), options)
    progress("refining", 0.0)
    return refine(
        first, model, config=config, checkpoint_path=options.checkpoint, progress=progress, cancelled=cancelled,
        watch=options.watch,
    )  # fmt: skip


def refine_on_clip(
    first: Enrollment,
    model: HeadModel,
    clip: Clip,
    options: RefineOptions,
    *,
    verify_person: bool = True,
    progress: ProgressCallback = no_progress,
    cancelled: Callable[[], bool] = lambda: False,
) -> Reconstruction:
    """Optimise the instant avatar on its photos and on the first `options.clip_frames` pictures of a clip, in two rounds.

    In the first round the clip is tracked with the instant avatar, and the optimiser may correct poses and shape. In the second
    round the clip is tracked with the avatar that came out, and the poses stay, as they are found in the way in which they will
    be found in later clips. The Gaussians begin anew then, on the shape that was found. What the clip never shows is held to the
    instant avatar. verify_person: raise `ClipError` when the clip shows somebody else than the photos.
    """

    def pictures() -> Iterable[tuple[NDArray[np.uint8], float]]:
        return clip_capture.thinned(clip, options.clip_frames, options.clip_rate)

    def tracked(avatar: Avatar, *, verify: bool) -> Capture:
        most = options.learned_frames
        return clip_capture.capture_clip(pictures, avatar, model, verify_person=verify, most=most, seen=seen, mattes=mattes)

    progress("tracking the face", 0.0)
    seen = see_clip(pictures(), options.learned_frames)  # the faces are the same for both avatars
    mattes: dict[int, NDArray[np.uint8]] = {}
    config = _configured(ReconstructConfig.for_clip(), options)
    total = config.steps
    rough = replace(config, steps=round(FIRST_ROUND * total), size=min(config.size, FIRST_SIZE), crops=0.0, normals=False)
    part = rough.steps / max(total, 1)
    capture = tracked(first.avatar, verify=verify_person)
    progress("refining", 0.0)
    shaped = refine(
        first, model, clip=capture, config=rough, checkpoint_path=options.checkpoint,
        progress=_part_of(progress, 0.0, part), cancelled=cancelled, watch=options.watch,
    )  # fmt: skip
    if shaped.stopped or rough.steps == total:
        return shaped
    progress("tracking the face again", part)
    capture = tracked(shaped.avatar, verify=False)
    checkpoint = None if options.checkpoint is None else options.checkpoint.with_name(f"{options.checkpoint.name}.2")
    restarted = replace(shaped.avatar, gaussians=first.avatar.gaussians, corrections=None)
    made = refine(
        replace(first, avatar=restarted), model, clip=capture, unfilmed=UNSEEN_EXPRESSIONS, checkpoint_path=checkpoint,
        config=replace(config, steps=total - rough.steps, rig=False), progress=_part_of(progress, part, 1.0),
        cancelled=cancelled, watch=options.watch,
    )  # fmt: skip
    if made.stopped and 2 * made.steps < total - rough.steps:
        return replace(shaped, stop=made.stop)
    if checkpoint is not None and not made.stopped:
        checkpoint.unlink(missing_ok=True)
    return replace(
        made, steps=shaped.steps + made.steps, losses=shaped.losses + made.losses, skipped=shaped.skipped + made.skipped
    )


def refine_on_folder(
    first: Enrollment,
    model: HeadModel,
    folder: Path,
    options: RefineOptions,
    *,
    progress: ProgressCallback = no_progress,
    cancelled: Callable[[], bool] = lambda: False,
) -> Reconstruction:
    """Optimise the instant avatar on its photos and on the frames of a folder in the nerfstudio / VHAP layout.

    Raises `CaptureError` when the folder cannot be used.
    """
    progress("reading the capture", 0.0)
    capture = read_folder(folder, first.avatar.person(model))
    config = _configured(replace(ReconstructConfig.for_clip(), normals_every=1), options)  # a folder may bring true ones
    progress("refining", 0.0)
    return refine(
        first, model, clip=capture, config=config, checkpoint_path=options.checkpoint, progress=progress, cancelled=cancelled,
        watch=options.watch,
    )  # fmt: skip


def refine_with_prior(
    first: Enrollment,
    model: HeadModel,
    prior: Prior,
    options: RefineOptions,
    *,
    progress: ProgressCallback = no_progress,
    cancelled: Callable[[], bool] = lambda: False,
) -> tuple[Reconstruction, NDArray[np.uint8]]:
    """Optimise the instant avatar on its photos and on views that the diffusion prior synthesises.

    Returns the result, and a sheet (H, W, 3) uint8 of the views. Raises `Cancelled` while views are synthesised.
    """
    from enrollment.high.high import HighOptions, config_for, refine_high  # brings diffusers, which standard quality does without

    config = _configured(config_for(len(first.portraits)), options)
    made = refine_high(
        first, model, prior, HighOptions(config=config, checkpoint_path=options.checkpoint, watch=options.watch),
        synthesis_progress=progress, progress=progress, cancelled=cancelled,
    )  # fmt: skip
    warnings = (*made.reconstruction.warnings, made.quality.sentence())
    return replace(made.reconstruction, warnings=tuple(dict.fromkeys(warnings))), made.sheet


def _configured(config: ReconstructConfig, options: RefineOptions) -> ReconstructConfig:
    """`config` with what `options` change."""
    config = changed(config, options.changes)
    return replace(config, device=options.device, steps=config.steps if options.steps is None else options.steps)


def _part_of(progress: ProgressCallback, begin: float, end: float) -> ProgressCallback:
    """Progress of a stage that takes the work from `begin` to `end`."""
    return lambda stage, part: progress(stage, begin + (end - begin) * part)
