"""Avatars to be measured: from photos or from the beginning of a clip, in one of the qualities."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from enrollment.instant.pipeline import enroll
from enrollment.refine import Tell, imagined, improved
from models.avatar import Avatar
from models.diffusion import weights
from models.heads.registry import by_name
from models.video.reader import Clip

Pixels = NDArray[np.uint8]


def from_photos(photos: Sequence[Path | Pixels], quality: str, tell: Tell) -> Avatar:
    """Enrolled as `visavis enroll PHOTOS --quality` does it."""
    model = by_name("anny")
    first = enroll(list(photos), head=model)
    if quality == "instant":
        return first.avatar
    if quality == "standard":
        return improved(first, model, tell=tell).avatar
    return imagined(first, model, weights.load(weights.SHIPPED), tell=tell)[0].avatar


def from_clip(clip: Clip, until: int, tell: Tell) -> Avatar:
    """The portrait is the clip's first picture, so that photo and clip avatars differ in nothing but what they saw; then the
    first `until` pictures are learned from."""
    model = by_name("anny")
    portrait = next(rgb for rgb, _ in islice(clip.frames(), 1))
    return improved(enroll([portrait], head=model), model, clip, until=until, tell=tell).avatar
