"""The work behind `visavis eval photos`: an avatar of the first photo and one of all photos, compared in the poses of the others.

Each photo but the first is cropped as in enrollment and tracked like a clip of one picture. Each avatar is drawn in that photo's
camera, head and shoulders aligned. Both are put on white and scaled to 512x512.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from enrollment.photo.reader import read_photo
from enrollment.portrait.portrait import Portrait, prepare
from models import png
from models.avatar import Avatar
from models.errors import PhotoError
from models.heads.registry import by_name
from models.progress import ProgressCallback, no_progress
from models.tracking.offline import Reenactment, track_clip
from realtime.offline import pictures
from server.evaluation import metrics
from server.evaluation.crop import SIDE, over_white
from server.evaluation.metrics import ImageScores
from server.evaluation.sheet import contact_sheet

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class PhotosResult:
    """compared: photos. scores: of "one photo" and "all photos", means over the compared ones."""

    compared: int
    scores: dict[str, ImageScores]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self)

    def rows(self) -> list[dict[str, Any]]:
        """A row for each avatar, for a table; without JOD, which is for moving pictures."""
        plain = self.as_dict()["scores"].items()
        return [{"": name, **{k: v for k, v in scores.items() if k != "jod"}} for name, scores in plain]


def compare(
    photos: Sequence[Path],
    *,
    enroll: Callable[[Sequence[Path]], Avatar],
    out_sheet: Path | None = None,
    progress: ProgressCallback = no_progress,
) -> PhotosResult:
    """Measure both avatars. enroll: photos -> an avatar. Raises `PhotoError` when fewer than two photos came or one shows no
    face."""
    if len(photos) < 2:
        raise PhotoError(f"at least two photos of one person were expected, {len(photos)} came; name more")
    others = [prepare(*read_photo(path)) for path in photos[1:]]
    truth = [_small(over_white(other.image, other.matte)) for other in others]
    faces = metrics.landmarks(truth)
    avatars = {"one photo": enroll(photos[:1]), "all photos": enroll(photos)}
    rows: dict[str, list[Pixels]] = {}
    for name, avatar in avatars.items():
        progress(f"drawing {name}", 0.5 + 0.2 * len(rows))
        rows[name] = [_small(_in_pose(avatar, other)) for other in others]
    if out_sheet is not None:
        png.write(out_sheet, contact_sheet({"truth": truth, **rows}, len(truth)))
    progress("measuring", 0.9)
    return PhotosResult(len(truth), {name: metrics.measure(truth, row, faces, None) for name, row in rows.items()})


def _in_pose(avatar: Avatar, portrait: Portrait) -> Pixels:
    """The avatar on white as the portrait shows the person; white where that shows nothing."""
    model, photo = by_name(avatar.head), portrait.image
    motion = track_clip([(photo, 0.0)], avatar, model, known=Reenactment.SELF)
    (drawn,) = pictures(avatar, model, motion, photo.shape[1], photo.shape[0], film=[photo])
    return over_white(drawn[..., :3], drawn[..., 3] / 255 * portrait.inside)


def _small(picture: Pixels) -> Pixels:
    return np.asarray(cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
