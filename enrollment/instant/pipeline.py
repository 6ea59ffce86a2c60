"""Enrollment from photos to an avatar: the stages in order, with progress, warnings and cancellation."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from enrollment.instant import assemble
from enrollment.instant.fit import Fit, fit
from enrollment.instant.gaze import gaze
from enrollment.instant.nonrigid_registration import conform
from enrollment.photo.reader import Photo, read_photo
from enrollment.portrait.anatomy import checked
from enrollment.portrait.portrait import Portrait, prepare
from models import __version__
from models.avatar import Avatar
from models.errors import Cancelled, PhotoError
from models.heads.base import HeadModel
from models.heads.registry import by_name
from models.tracking.face_geometry import turned_away

Progress = Callable[[str, float], None]
"""Called with the stage's name and the part of all work done, 0 to 1."""

MAX_PHOTOS = 16


@dataclass(frozen=True)
class Enrollment:
    """What came of it. warnings: sentences for the person. fit_rms: pixels at 512x512, landmarks of the leading photo."""

    avatar: Avatar
    fit: Fit
    portraits: tuple[Portrait, ...]
    warnings: tuple[str, ...]
    fit_rms: float


def enroll(
    photos: list[Path | NDArray[np.uint8]],
    *,
    head: str | HeadModel = "anny",
    consent: str = "",
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Enrollment:
    """Make an instant avatar of the one person in `photos`: files, or pictures (H, W, 3) uint8 sRGB.

    The most frontal photo leads; one that cannot be used is left out with a warning while another can. consent: who
    agreed, for the provenance record. Raises `PhotoError` when no photo can be used, `Cancelled` when `cancelled` says so.
    """
    step = _Steps(progress, cancelled)
    if not 1 <= len(photos) <= MAX_PHOTOS:
        raise PhotoError(f"1 to {MAX_PHOTOS} photos were expected, {len(photos)} came; choose the best ones")
    model = by_name(head) if isinstance(head, str) else head
    portraits, warnings = _prepare(photos, step)
    step("fitting the head", 0.35)
    fitted = fit(portraits, model)
    step("matching the outline", 0.5)
    offset = conform(model, fitted.identity, fitted.photos[0], portraits[0])
    person = model.person(fitted.identity, offset)
    looks = tuple(replace(p, gaze=gaze(person, p, q)) for p, q in zip(fitted.photos, portraits, strict=True))
    fitted = replace(fitted, photos=looks)
    step("building the avatar", 0.65)
    gaussians = assemble.build(person, fitted, portraits, offset)
    step("done", 1.0)
    avatar = Avatar(model.name, fitted.identity, offset, gaussians, _provenance(portraits, consent))
    side = portraits[0].image.shape[0]
    return Enrollment(avatar, fitted, tuple(portraits), tuple(warnings), fitted.photos[0].rms * 512 / side)


class _Steps:
    """Tells of each stage, and stops between two when asked to."""

    def __init__(self, progress: Progress | None, cancelled: Callable[[], bool] | None) -> None:
        self.progress, self.cancelled = progress, cancelled

    def __call__(self, stage: str, part: float) -> None:
        if self.cancelled is not None and self.cancelled():
            raise Cancelled("enrollment was stopped; nothing was written")
        if self.progress is not None:
            self.progress(stage, part)


def _prepare(photos: list[Path | NDArray[np.uint8]], step: _Steps) -> tuple[list[Portrait], list[str]]:
    """Portraits, the most frontal first, and warnings."""
    portraits: list[Portrait] = []
    warnings: list[str] = []
    failed: PhotoError | None = None
    for i, photo in enumerate(photos):
        step("reading and checking the photo", 0.3 * i / len(photos))
        try:
            read = Photo(photo, "", ()) if isinstance(photo, np.ndarray) else read_photo(photo)
            portraits.append(checked(prepare(*read)))
            warnings += portraits[-1].warnings
        except PhotoError as error:
            failed = failed or error
            warnings.append(f"photo {i + 1} was left out: {error}")
    if not portraits:
        assert failed is not None
        raise failed
    portraits.sort(key=lambda p: turned_away(p.landmarks))
    return portraits, warnings


def _provenance(portraits: list[Portrait], consent: str) -> dict[str, object]:
    return {
        "consent": consent,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "photo_sha256": [p.photo_hash for p in portraits],
        "made_by": f"visavis {__version__}",
        "quality": "instant",
        "synthetic": True,
    }
