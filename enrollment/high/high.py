"""`--quality high`: the diffusion prior synthesises target views from the instant avatar; then the Gaussians are optimised
against the photos and those views."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from enrollment.high.quality_gate import QualityReport, apply_quality_gate
from enrollment.high.synthesize import SynthesisOptions, TargetView, sheet, synthesize
from enrollment.instant.pipeline import Enrollment
from enrollment.reconstruction.capture import Capture, Frame
from enrollment.reconstruction.config import ReconstructConfig
from enrollment.reconstruction.reconstruct import Reconstruction, reconstruct
from models.avatar import Avatar
from models.diffusion.prior import Prior
from models.heads.base import HeadModel
from models.progress import ProgressCallback, no_progress

SHARE = 0.5
"""Part of all optimisation steps that draw a synthesised frame; the others draw a photo."""
FEWEST = 6
"""With fewer accepted frames, pictures of the instant avatar are added to the capture (`Capture.beside`)."""
STEPS = 1000
"""Least number of optimisation steps: a photo is then drawn as often as without synthesised frames."""
WARP_SPREAD = 1.0
"""Spread of the warps of synthesised frames in the optimisation (`ReconstructConfig.warp_spread`)."""


@dataclass(frozen=True)
class HighOptions:
    """views: to synthesise, `enrollment.high.synthesize.plan_views()` when None. sampling_steps: of the sampler, the prior's own
    number when None. seed: of its noise. config: of the optimisation, `config_for` when None; its device is the prior's too.
    checkpoint_path: where the state of the optimisation is kept. watch: see `reconstruct`."""

    views: tuple[TargetView, ...] | None = None
    sampling_steps: int | None = None
    seed: int = 0
    config: ReconstructConfig | None = None
    checkpoint_path: Path | None = None
    watch: Callable[[Avatar], None] | None = None


DEFAULTS = HighOptions()


@dataclass(frozen=True)
class HighResult:
    """reconstruction: the optimised avatar. quality: what the quality gate found. sheet: (H, W, 3) uint8, frames and normals."""

    reconstruction: Reconstruction
    quality: QualityReport
    sheet: NDArray[np.uint8]


def config_for(photos: int) -> ReconstructConfig:
    """Configuration for that many photos: normals are learned, and COIN and deformations absorb inconsistencies of the views."""
    base = ReconstructConfig.for_photos(photos)
    return replace(base, steps=max(base.steps, STEPS), normals=True, coin=True, warp_spread=WARP_SPREAD)


def refine_high(
    enrollment: Enrollment,
    model: HeadModel,
    prior: Prior,
    options: HighOptions = DEFAULTS,
    *,
    synthesis_progress: ProgressCallback = no_progress,
    progress: ProgressCallback = no_progress,
    cancelled: Callable[[], bool] = lambda: False,
) -> HighResult:
    """Instant avatar -> synthesised views -> quality gate -> optimisation -> baked corrections.

    Synthesis is deterministic, so a run that was stopped goes on from the checkpoint after it synthesised the frames again.
    Raises `Cancelled` while synthesising; later the best avatar so far is returned, as by `reconstruct`.
    """
    config = options.config or config_for(len(enrollment.portraits))
    sampling = SynthesisOptions(options.sampling_steps, seed=options.seed, device=config.device)
    person = enrollment.avatar.person(model)
    frames = synthesize(
        enrollment, model, prior, options.views, options=sampling, cancelled=cancelled, progress=synthesis_progress
    )  # fmt: skip
    accepted, report = apply_quality_gate(frames, person, enrollment.portraits[0])
    capture = combined(Capture.of_portraits(enrollment, person), accepted)
    if len(accepted) < FEWEST:
        capture = capture.beside(enrollment.avatar, model)
    if len(accepted) < len(frames):
        capture = replace(capture, warnings=(*capture.warnings, report.sentence()))
    made = reconstruct(
        enrollment.avatar, model, capture, config, progress=progress, cancelled=cancelled,
        checkpoint_path=options.checkpoint_path, watch=options.watch,
    )  # fmt: skip
    provenance = {**made.avatar.provenance, "quality": "high"}
    return HighResult(replace(made, avatar=replace(made.avatar, provenance=provenance)), report, sheet(frames))


def combined(photos: Capture, synthesised: tuple[Frame, ...], share: float = SHARE) -> Capture:
    """Photos and synthesised frames in one capture; the latter get `share` of all weight."""
    weight, of_synthesised = sum(f.weight for f in photos.frames), sum(f.weight for f in synthesised)
    scale = weight * share / ((1 - share) * of_synthesised) if of_synthesised else 0.0
    return replace(photos, frames=(*photos.frames, *(replace(f, weight=f.weight * scale) for f in synthesised)))
