"""`enrollment.enroll`: an instant avatar from photos or from the best picture of a clip, then the optimisation that the chosen
quality asks for."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from enrollment.instant.blink import as_far_shut, blinking, own_blink
from enrollment.instant.pipeline import Enrollment, enroll_instant
from enrollment.options import Quality, RefineOptions
from models.avatar import Avatar
from models.errors import VisavisError
from models.heads.base import HeadModel
from models.heads.registry import by_name
from models.progress import ProgressCallback, no_progress
from models.video.reader import Clip, open_clip

if TYPE_CHECKING:
    from enrollment.reconstruction.reconstruct import Reconstruction
    from models.diffusion.prior import Prior

DEFAULTS = RefineOptions()


@dataclass(frozen=True)
class EnrollmentResult:
    """avatar: the best one that was made. quality: as asked for. instant: result of the instant stage.

    refinement: result of the optimisation; None for "instant". views: (H, W, 3) uint8, a sheet of the synthesised views and
    their normals; None but for "high". warnings: sentences for the person, of all stages.
    """

    avatar: Avatar
    quality: Quality
    instant: Enrollment
    refinement: Reconstruction | None
    views: NDArray[np.uint8] | None
    warnings: tuple[str, ...]

    @property
    def steps(self) -> int:
        """Optimisation steps that were done."""
        return 0 if self.refinement is None else self.refinement.steps

    @property
    def baking_loss(self) -> float:
        """Decibels (PSNR) that the pictures lose by the baked form of the networks; 0 without networks."""
        return 0.0 if self.refinement is None else self.refinement.baking_loss

    @property
    def stopped(self) -> str:
        """Why the optimisation ended early, one sentence; empty when it did not."""
        return "" if self.refinement is None else self.refinement.stopped


def enroll(
    photos: Sequence[Path | NDArray[np.uint8]] = (),
    clip: Path | Clip | None = None,
    *,
    quality: Quality = "instant",
    consent: str = "",
    head: str | HeadModel = "anny",
    refinement: RefineOptions = DEFAULTS,
    on_instant: Callable[[Enrollment], None] = lambda made: None,
    progress: ProgressCallback = no_progress,
    cancelled: Callable[[], bool] = lambda: False,
) -> EnrollmentResult:
    """Make an avatar of one person from photos, from a clip, or from both.

    photos: files, or pictures (H, W, 3) uint8 sRGB; without any, the best picture of the clip or of `refinement.capture` is the
    portrait. clip: a file or an
    opened one, for quality "standard". consent: who agreed, for the provenance record. on_instant: called with the instant avatar
    before an optimisation begins. cancelled: asked between stages and steps; during the optimisation the best avatar so far is
    returned, earlier `Cancelled` is raised, as it is by Ctrl-C. Raises `VisavisError`s: `PhotoError` when no photo can be used,
    `ClipError` for a clip without a face or of somebody else.
    """
    _check_inputs(photos, clip, quality, refinement)
    prior = _load_prior(refinement) if quality == "high" else None
    model = by_name(head) if isinstance(head, str) else head
    clip = open_clip(clip) if isinstance(clip, Path) else clip
    pictures = list(photos)
    if clip is not None and not pictures:
        from enrollment.clip_capture import select_portrait

        progress("choosing a picture of the clip", 0.0)
        pictures = [select_portrait(clip, refinement.clip_frames, refinement.clip_rate)]
    elif not pictures and refinement.capture is not None:
        from enrollment.reconstruction import capture_folder

        progress("choosing a picture of the folder", 0.0)
        pictures = [capture_folder.select_portrait(refinement.capture)]
    first = enroll_instant(pictures, head=model, consent=consent, progress=progress, cancelled=cancelled)
    clip_notes = () if clip is None else tuple(clip.notes)
    if quality == "instant":
        return EnrollmentResult(first.avatar, quality, first, None, None, (*first.warnings, *clip_notes))
    on_instant(first)
    from enrollment import refine

    views, plain = None, _with_model_blinks(first, model)
    if prior is not None:
        made, views = refine.refine_with_prior(plain, model, prior, refinement, progress=progress, cancelled=cancelled)
    elif clip is not None:
        check = refinement.verify_person and len(photos) > 0
        made = refine.refine_on_clip(
            plain, model, clip, refinement, verify_person=check, progress=progress, cancelled=cancelled
        )  # fmt: skip
    elif refinement.capture is not None:
        made = refine.refine_on_folder(
            plain, model, refinement.capture, refinement, progress=progress, cancelled=cancelled
        )  # fmt: skip
    else:
        made = refine.refine_on_photos(plain, model, refinement, progress=progress, cancelled=cancelled)
    return EnrollmentResult(
        blinking(made.avatar, model), quality, first, made, views, (*first.warnings, *made.warnings, *clip_notes)
    )


def _with_model_blinks(first: Enrollment, model: HeadModel) -> Enrollment:
    """An instant avatar as the optimiser takes it, which knows the head model's blinks only."""
    plain = replace(first.avatar, corrections=None)
    _, ways = own_blink(plain.person(model))
    return replace(first, avatar=plain, fit=as_far_shut(first.fit, 1 / ways))


def _check_inputs(
    photos: Sequence[Path | NDArray[np.uint8]], clip: Path | Clip | None, quality: Quality, refinement: RefineOptions
) -> None:
    """Raises `VisavisError` for inputs that do not go together."""
    if not photos and clip is None and refinement.capture is None:
        raise VisavisError("a photo, a clip or a capture folder of the person was expected, none came; name one")
    if quality == "high" and clip is not None:
        raise VisavisError("high quality is for photos, and a clip came; choose standard quality to learn from the clip")
    if refinement.capture is not None and clip is not None:
        raise VisavisError("a clip or a capture folder was expected, both came; leave one of them away")
    if refinement.capture is not None and quality != "standard":
        raise VisavisError(f"a capture folder is for standard quality, {quality} was asked for; choose standard quality")
    if refinement.changes and quality == "instant":
        raise VisavisError("a configuration is for standard and high quality, instant was asked for; choose another quality")


def _load_prior(refinement: RefineOptions) -> Prior:
    """The diffusion prior of "high" quality, with the autoencoder that a prior in latents needs."""
    from models.diffusion import export, weights  # torch takes seconds to import, and instant quality does without

    space = None
    if refinement.autoencoder is not None:
        from models.diffusion.stable_diffusion import autoencoder

        space = autoencoder(refinement.autoencoder)
    prior = weights.load(refinement.prior or weights.SHIPPED, space=space)
    export.use_engine(prior, threads=os.cpu_count() or 1, device=refinement.device)
    return prior
