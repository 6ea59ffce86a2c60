"""`--quality high`: an instant avatar with hair as thick as the diffusion prior says, views that the prior makes of it, an
optimisation against photo and views."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from enrollment.high import quality_gate
from enrollment.high.synthesize import AROUND, View, sheet, synthesize
from enrollment.instant.pipeline import Enrollment
from enrollment.instant.thickness import thickened
from enrollment.reconstruction.capture import Capture, Frame
from enrollment.reconstruction.config import ReconstructConfig
from enrollment.reconstruction.reconstruct import Progress, Reconstruction, reconstruct
from models import arkit
from models.diffusion.prior import Prior
from models.heads.base import HeadModel

SHARE = 0.5
"""Part of all looks that the synthesised frames get; the photos get the rest."""
FEWEST = 6
"""Good frames under which views of the instant avatar hold it together as well."""
STEPS = 1000
"""So many that the photo is looked at as often as without synthesised frames."""
BEND = 1.0
"""Pixels of a picture 256 wide by which synthesised frames may be bent."""
SURVEY = tuple(
    View(yaw, np.zeros(arkit.COUNT, np.float32), f"outline at {yaw:.0f}°") for yaw in (180.0, *AROUND, 60.0, -60.0, 40.0, -40.0)
)
"""Views whose mattes say how thick the hair is."""
SURVEYED = 0.2
"""Of the time that synthesis takes."""


@dataclass(frozen=True)
class High:
    """reconstruction: what came out. guard: verdicts on the synthesised frames. sheet: (H, W, 3) uint8, frames and normals."""

    reconstruction: Reconstruction
    guard: quality_gate.Report
    sheet: NDArray[np.uint8]


def config_for(photos: int) -> ReconstructConfig:
    """With normals (G14), and COIN (F8) and bends for what the synthesised views do not agree on."""
    base = ReconstructConfig.for_photos(photos)
    return replace(base, steps=max(base.steps, STEPS), normals=True, coin=True, bend=BEND)


def refine_high(
    enrollment: Enrollment,
    model: HeadModel,
    prior: Prior,
    *,
    views: tuple[View, ...] | None = None,
    sampling_steps: int | None = None,
    seed: int = 0,
    config: ReconstructConfig | None = None,
    synthesising: Callable[[float], None] = lambda part: None,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    checkpoint_path: Path | None = None,
) -> High:
    """Instant -> thicken -> synthesise -> guard -> reconstruct -> bake.

    views: default `enrollment.high.synthesize.planned()`. config: default `config_for`; its device is the prior's too. Synthesis
    gives the same frames each time, so a run that was stopped goes on from `checkpoint_path` after making them again. Raises
    `Cancelled` while synthesising; later the best so far is returned, as by `reconstruct`.
    """
    config = config or config_for(len(enrollment.portraits))
    make = partial(synthesize, steps=sampling_steps, seed=seed, device=config.device, cancelled=cancelled)
    outlines = make(enrollment, model, prior, SURVEY, progress=lambda part: synthesising(SURVEYED * part))
    enrollment = thickened(enrollment, model, outlines)
    person = enrollment.avatar.person(model)
    frames = make(enrollment, model, prior, views, progress=lambda part: synthesising(SURVEYED + (1 - SURVEYED) * part))
    kept, report = quality_gate.guarded(frames, person, enrollment.portraits[0])
    capture = combined(Capture.of_portraits(enrollment, person), kept)
    if len(kept) < FEWEST:
        capture = capture.beside(enrollment.avatar, model)
    capture = replace(capture, warnings=(*capture.warnings, *([] if len(kept) == len(frames) else [report.sentence()])))
    made = reconstruct(
        enrollment.avatar, model, capture, config, progress=progress, cancelled=cancelled, checkpoint_path=checkpoint_path
    )
    provenance = {**made.avatar.provenance, "quality": "high"}
    return High(replace(made, avatar=replace(made.avatar, provenance=provenance)), report, sheet(frames))


def combined(photos: Capture, made: tuple[Frame, ...], share: float = SHARE) -> Capture:
    """Photos and synthesised frames, which together get `share` of all looks."""
    ours, theirs = sum(f.weight for f in photos.frames), sum(f.weight for f in made)
    scale = ours * share / ((1 - share) * theirs) if theirs else 0.0
    return replace(photos, frames=(*photos.frames, *(replace(f, weight=f.weight * scale) for f in made)))
