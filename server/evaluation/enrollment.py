"""Avatars to be measured: from photos, or from the beginning of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from enrollment import Quality, RefineOptions, enroll
from models.avatar import Avatar
from models.progress import ProgressCallback
from models.video.reader import Clip

Pixels = NDArray[np.uint8]


def from_photos(
    photos: Sequence[Path | Pixels], quality: Quality, progress: ProgressCallback, options: RefineOptions | None = None
) -> Avatar:
    """Enrolled as `visavis enroll PHOTOS --quality` does it. options: of the optimisation."""
    return enroll(photos, quality=quality, refinement=options or RefineOptions(), progress=progress).avatar


def from_clip(clip: Clip, most: int, progress: ProgressCallback, options: RefineOptions | None = None) -> Avatar:
    """Enrolled from the clip's first picture as the portrait, so that this avatar and one of that picture alone differ only in
    what they learned, and optimised on the clip's first `most` pictures. options: of the optimisation."""
    portrait = next(rgb for rgb, _ in islice(clip.frames(), 1))
    refinement = replace(options or RefineOptions(), clip_frames=most, verify_person=False)
    return enroll([portrait], clip, quality="standard", refinement=refinement, progress=progress).avatar
