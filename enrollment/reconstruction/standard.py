"""`--quality standard`: an instant avatar, usable at once, then optimised on its own photos, or on a clip besides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from enrollment.instant.pipeline import Enrollment
from enrollment.reconstruction.capture import Capture
from enrollment.reconstruction.config import ReconstructConfig
from enrollment.reconstruction.reconstruct import Reconstruction, reconstruct
from models.avatar import Avatar
from models.heads.base import HeadModel
from models.progress import ProgressCallback, no_progress


def refine(
    enrollment: Enrollment,
    model: HeadModel,
    *,
    clip: Capture | None = None,
    unfilmed: float = 0.0,
    config: ReconstructConfig | None = None,
    progress: ProgressCallback = no_progress,
    cancelled: Callable[[], bool] = lambda: False,
    checkpoint_path: Path | None = None,
    watch: Callable[[Avatar], None] | None = None,
) -> Reconstruction:
    """Optimise the enrolled avatar on its photos and on `clip` (`Capture.of_clip`, of the same person).

    unfilmed: part of the looks that go to the avatar as it is at the start, in expressions that the clip may not have.
    config: what suits what there is when None. The rest as for `enrollment.reconstruction.reconstruct.reconstruct`; the previews
    are the instant avatar's and have to be drawn again.
    """
    photos = Capture.of_portraits(enrollment, enrollment.avatar.person(model))
    if clip is None:
        capture = photos.beside(enrollment.avatar, model)
        config = config or ReconstructConfig.for_photos(len(photos.frames))
    else:
        capture, config = joined(photos, clip), config or ReconstructConfig.for_clip()
        if unfilmed:
            capture = capture.beside(enrollment.avatar, model, unfilmed)
    return reconstruct(
        enrollment.avatar, model, capture, config, progress=progress, cancelled=cancelled, checkpoint_path=checkpoint_path,
        watch=watch,
    )  # fmt: skip


def joined(photos: Capture, clip: Capture) -> Capture:
    """Both; the photos, whose poses are known best, get a quarter of all looks."""
    theirs, ours = sum(f.weight for f in clip.frames), sum(f.weight for f in photos.frames)
    lead = tuple(replace(f, weight=f.weight * theirs / (3 * ours)) for f in photos.frames)
    return Capture((*lead, *clip.frames), (*photos.warnings, *clip.warnings))
