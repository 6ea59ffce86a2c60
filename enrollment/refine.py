"""An instant enrollment made better: against its photos, against a clip, or with what a diffusion prior imagines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from enrollment import clip_capture
from enrollment.high.high import config_for, refine_high
from enrollment.instant.pipeline import Enrollment
from enrollment.reconstruction.capture import Capture
from enrollment.reconstruction.config import ReconstructConfig
from enrollment.reconstruction.reconstruct import Progress, Reconstruction
from enrollment.reconstruction.standard import refine
from enrollment.workflow import Tell
from models.avatar import Avatar
from models.diffusion.prior import Prior
from models.heads.base import HeadModel
from models.video.reader import Clip

FINDING = 0.47
"""Part of all steps on a clip that the first round takes."""
UNFILMED = 0.2
"""Part of the second round's looks that go to the instant avatar in other expressions than the clip has."""


def improved(
    first: Enrollment,
    model: HeadModel,
    clip: Clip | None = None,
    *,
    own: bool = True,
    until: int = clip_capture.LONGEST,
    steps: int | None = None,
    device: str = "cpu",
    tell: Tell = lambda stage, part: None,
    state: Path | None = None,
) -> Reconstruction:
    """The instant enrollment made better with its photos, and with the first `until` pictures of a clip.

    A clip is followed twice. First by the instant avatar, whose poses and shape the optimiser may correct; then by the avatar
    that came out, and now the poses stay: they are found as those of a later clip will be. The Gaussians begin anew then, on the
    shape that was found, and what the clip never shows stays as the instant avatar would show it.
    own: whether the clip is known to show the same person. steps: of both rounds together.
    """
    if clip is None:
        config = replace(ReconstructConfig.for_photos(len(first.portraits)), device=device)
        config = replace(config, steps=config.steps if steps is None else steps)
        tell("refining", 0.0)
        return refine(first, model, config=config, checkpoint_path=state, progress=_refining(tell))

    def seen_as(avatar: Avatar, *, known: bool) -> Capture:
        film, again = (islice(clip.frames(), until) for _ in range(2))
        return clip_capture.capture_of(film, again, avatar, model, own=known)

    tell("following the face", 0.0)
    config = replace(ReconstructConfig.for_clip(), device=device)
    total = config.steps if steps is None else steps
    config = replace(config, steps=round(FINDING * total))
    capture = seen_as(first.avatar, known=own)
    part = config.steps / max(total, 1)
    tell("refining", 0.0)
    made = refine(first, model, clip=capture, config=config, checkpoint_path=state, progress=_refining(tell, 0.0, part))
    if made.stopped or config.steps == total:
        return made
    tell("following the face again", part)
    capture = seen_as(made.avatar, known=True)
    second = None if state is None else state.with_name(f"{state.name}.2")
    begun = replace(made.avatar, gaussians=first.avatar.gaussians, corrections=None)
    settled = refine(
        replace(first, avatar=begun), model, clip=capture, unfilmed=UNFILMED, checkpoint_path=second,
        config=replace(config, steps=total - config.steps, rig=False), progress=_refining(tell, part, 1.0),
    )  # fmt: skip
    if settled.stopped and 2 * settled.steps < total - config.steps:
        return replace(made, stopped=settled.stopped)
    if second is not None and not settled.stopped:
        second.unlink(missing_ok=True)
    return replace(
        settled, steps=made.steps + settled.steps, losses=made.losses + settled.losses, skipped=made.skipped + settled.skipped
    )


def imagined(
    first: Enrollment,
    model: HeadModel,
    prior: Prior,
    *,
    steps: int | None = None,
    device: str = "cpu",
    tell: Tell = lambda stage, part: None,
    state: Path | None = None,
) -> tuple[Reconstruction, NDArray[np.uint8]]:
    """The instant enrollment made better with its photos and with views that the diffusion prior makes of it; and these views."""
    config = config_for(len(first.portraits))
    config = replace(config, device=device, steps=config.steps if steps is None else steps)
    made = refine_high(
        first, model, prior, config=config, checkpoint_path=state, progress=_refining(tell),
        synthesising=lambda part: tell("imagining other views", part),
    )  # fmt: skip
    warnings = (*made.reconstruction.warnings, made.guard.sentence())
    return replace(made.reconstruction, warnings=tuple(dict.fromkeys(warnings))), made.sheet


def _refining(tell: Tell, begin: float = 0.0, end: float = 1.0) -> Callable[[Progress], None]:
    """Reports steps as parts of the work from `begin` to `end`."""
    return lambda p: tell(f"refining, {p.gaussians} Gaussians, loss {p.loss:.4f}", begin + (end - begin) * p.step / p.steps)
