"""An instant enrollment made better: against its photos, against a clip, or with what a diffusion prior imagines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from enrollment.capture import Capture
from enrollment.high import config_for, refine_high
from enrollment.pipeline import Enrollment
from enrollment.reconstruct import Progress, Reconstruction
from enrollment.reconstruction.config import ReconstructConfig
from enrollment.standard import refine
from models.diffusion.prior import Prior
from models.heads.base import HeadModel
from realtime.clip import Clip
from server import filming
from server.enrolling import Tell


def improved(
    first: Enrollment,
    model: HeadModel,
    clip: Clip | None = None,
    *,
    own: bool = True,
    until: int = filming.LONGEST,
    steps: int | None = None,
    device: str = "cpu",
    tell: Tell = lambda stage, part: None,
    state: Path | None = None,
) -> Reconstruction:
    """The instant enrollment made better with its photos, and with the first `until` pictures of a clip.

    own: whether the clip is known to show the same person.
    """
    capture: Capture | None = None
    if clip is not None:
        tell("following the face", 0.0)
        film, again = (islice(clip.frames(), until) for _ in range(2))
        capture = filming.capture_of(film, again, first.avatar, model, own=own)
    config = ReconstructConfig.for_photos(len(first.portraits)) if capture is None else ReconstructConfig.for_clip()
    config = replace(config, device=device, steps=config.steps if steps is None else steps)
    tell("refining", 0.0)
    return refine(first, model, clip=capture, config=config, checkpoint_path=state, progress=_refining(tell))


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


def _refining(tell: Tell) -> Callable[[Progress], None]:
    return lambda p: tell(f"refining, {p.gaussians} Gaussians, loss {p.loss:.4f}", p.step / p.steps)
