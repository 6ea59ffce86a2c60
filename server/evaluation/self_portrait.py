"""The work behind `visavis eval self`: the photo drawn again from the avatar that was made of it.

The avatar takes the pose, expression and camera that enrollment found in the photo. Photo and drawing are put on white, the photo
by its own matte and without the background's colours, and scaled to 512x512. What lies beyond the photo's edge is not compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from enrollment import EnrollmentResult
from enrollment.likeness import as_photographed, outline_error
from models import png
from models.progress import ProgressCallback, no_progress
from server.evaluation import metrics
from server.evaluation.crop import SIDE, over_white
from server.evaluation.sheet import contact_sheet

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class SelfScore:
    """psnr: decibels over white. outline: how far the outlines are apart, pixels at 512x512
    (`enrollment.likeness.outline_error`). gaussians: number of them."""

    photo: str
    psnr: float
    outline: float
    gaussians: int


@dataclass(frozen=True)
class SelfResult:
    """scores: one for each photo."""

    scores: tuple[SelfScore, ...]

    @property
    def mean(self) -> float:
        """Mean PSNR, decibels."""
        return float(np.mean([score.psnr for score in self.scores]))

    @property
    def least(self) -> float:
        """Least PSNR, decibels."""
        return min(score.psnr for score in self.scores)

    @property
    def summary(self) -> str:
        """One line."""
        return f"mean {self.mean:.2f} dB, least {self.least:.2f} dB"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"photos": self.rows(), "psnr": self.mean, "least": self.least}

    def rows(self) -> list[dict[str, Any]]:
        """A row for each photo, for a table."""
        return [asdict(score) for score in self.scores]


def draw_again(
    photos: Sequence[Path],
    *,
    enroll: Callable[[Path], EnrollmentResult],
    out_sheet: Path | None = None,
    progress: ProgressCallback = no_progress,
) -> SelfResult:
    """Measure an avatar of each photo on that photo. enroll: photo -> what enrollment made of it."""
    scores, rows = [], {"photo": [], "drawn": [], "difference": []}  # type: ignore[var-annotated]
    for number, photo in enumerate(photos):
        progress(f"drawing {photo.name} again", number / len(photos))
        made = enroll(photo)
        portrait = made.instant.portraits[0]
        picture = as_photographed(made)
        white = np.full(3, 255, np.uint8)
        truth = over_white(np.round(portrait.colors * 255).astype(np.uint8), portrait.matte * portrait.inside)
        drawn = np.where(portrait.inside[..., None], np.round(picture.color.clip(0, 1) * 255).astype(np.uint8), white)
        small = [np.asarray(cv2.resize(p, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8) for p in (truth, drawn)]
        scores.append(
            SelfScore(photo.name, metrics.psnr(*small), outline_error(portrait, picture.alpha), len(made.avatar.gaussians))
        )
        for row, shown in zip(rows.values(), (*small, 255 - cv2.absdiff(*small)), strict=True):
            row.append(np.asarray(shown, np.uint8))
    if out_sheet is not None:
        png.write(out_sheet, contact_sheet(rows, len(photos)))
    return SelfResult(tuple(scores))
