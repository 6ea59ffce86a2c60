"""Instant enrollment: photos -> portraits -> head fit -> non-rigid registration -> gaze -> bound Gaussians.

`build_instant` is the one place where these stages are put together: it makes the avatars of users (`enroll_instant`) and those
of the diffusion prior's training pairs and evaluation.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from enrollment.instant import lips
from enrollment.instant.assemble import build_gaussians
from enrollment.instant.blink import BLINKS, as_far_shut, own_blink, with_own_blink
from enrollment.instant.fit import HeadFit, fit
from enrollment.instant.gaze import blinks, estimate_gaze
from enrollment.instant.hair_shape import shaped
from enrollment.instant.shoulders import with_shoulders
from enrollment.photo.reader import Photo, read_photo
from enrollment.portrait.person_check import check_person
from enrollment.portrait.portrait import Portrait, prepare
from models import __version__, arkit
from models.avatar import Avatar
from models.errors import Cancelled, PhotoError
from models.heads.base import HeadModel, PersonHead
from models.heads.registry import by_name
from models.progress import ProgressCallback, no_progress
from models.tracking.face_geometry import turned_away
from models.tracking.synthetic_landmarks import gaze_coefficients

MAX_PHOTOS = 16
LIDS = np.array(
    [i for i, n in enumerate(arkit.NAMES) if n.startswith(("eyeBlink", "eyeSquint", "eyeWide", "eyeLookUp", "eyeLookDown"))]
)
"""Coefficients that move the lids."""
LIDS_AT_REST = 0.25
"""Of such a coefficient: one photo cannot distinguish less from the shape of the person's eyes."""


@dataclass(frozen=True)
class Enrollment:
    """An instant avatar and the stages' results. portraits: the leading one first. fit: one `PhotoFit` for each portrait.

    warnings: sentences for the person. fit_rms: landmark error of the leading photo, pixels at 512x512.
    """

    avatar: Avatar
    fit: HeadFit
    portraits: tuple[Portrait, ...]
    warnings: tuple[str, ...]
    fit_rms: float


def enroll_instant(
    photos: Sequence[Path | NDArray[np.uint8]],
    *,
    head: str | HeadModel = "anny",
    consent: str = "",
    progress: ProgressCallback = no_progress,
    cancelled: Callable[[], bool] = lambda: False,
) -> Enrollment:
    """Make an instant avatar of the one person in `photos`: files, or pictures (H, W, 3) uint8 sRGB.

    The most frontal photo leads. A photo that cannot be used is left out with a warning while another can. consent: who
    agreed, for the provenance record. cancelled: asked before each stage. Raises `PhotoError` when no photo can be used,
    `Cancelled` when `cancelled` returns True.
    """

    def stage(name: str, part: float) -> None:
        if cancelled():
            raise Cancelled("enrollment was stopped; nothing was written")
        progress(name, part)

    if not 1 <= len(photos) <= MAX_PHOTOS:
        raise PhotoError(f"1 to {MAX_PHOTOS} photos were expected, {len(photos)} came; choose the best ones")
    model = by_name(head) if isinstance(head, str) else head
    portraits, warnings = _prepare(photos, stage)
    made = build_instant(model, portraits, provenance=_provenance(portraits, consent), progress=stage)
    stage("done", 1.0)
    return replace(made, warnings=tuple(warnings))


def build_instant(
    model: HeadModel,
    portraits: Sequence[Portrait],
    *,
    provenance: dict[str, object] | None = None,
    ends: bool = True,
    progress: ProgressCallback = no_progress,
) -> Enrollment:
    """Run all stages after the portraits. The first portrait leads: the head is registered to it, the others fill what it hides.

    ends: whether the bust ends at its cut (`enrollment.instant.bust`) or wherever the head model does, for the ablation.
    progress: called before each stage; whatever it raises ends the work.
    """
    lead = portraits[0]
    progress("fitting the head", 0.35)
    fitted = fit(list(portraits), model)
    progress("matching the outline", 0.5)
    fitted = _with_lids(fitted, model.person(fitted.identity), portraits)
    bare = model.person(fitted.identity)
    turned = (with_shoulders(bare, photo, portrait) for photo, portrait in zip(fitted.photos, portraits, strict=True))
    fitted = replace(fitted, photos=tuple(turned))
    offset = lips.shut(model, fitted.identity, shaped(model, fitted.identity, fitted.photos[0], lead))
    person = model.person(fitted.identity, offset)
    photos = tuple(replace(p, gaze=estimate_gaze(person, p, q)) for p, q in zip(fitted.photos, portraits, strict=True))
    fitted = replace(fitted, photos=photos)
    progress("building the avatar", 0.65)
    own, ways = own_blink(person)
    fitted = as_far_shut(fitted, ways)
    gaussians = build_gaussians(with_own_blink(person, own), fitted, list(portraits), offset, ends=ends)
    avatar = Avatar(model.name, fitted.identity, offset, gaussians, provenance or {}, corrections=own)
    return Enrollment(avatar, fitted, tuple(portraits), (), fitted.photos[0].rms * 512 / lead.image.shape[0])


def _with_lids(fitted: HeadFit, person: PersonHead, portraits: Sequence[Portrait]) -> HeadFit:
    """The fit with the lids as the gaze moves them, and shut where they are: those of somebody who looks down, or whose eyes are
    shut, are open in the neutral face. Lids that are only a little off the average person's are at rest (`LIDS_AT_REST`): they
    are that person's own, in the neutral face too."""
    photos = []
    for photo, portrait in zip(fitted.photos, portraits, strict=True):
        look = gaze_coefficients(person.model, estimate_gaze(person, photo, portrait))
        coefficients = np.maximum(photo.coefficients, np.asarray(arkit.vector(**look), np.float32))
        coefficients[BLINKS] = np.maximum(coefficients[BLINKS], blinks(portrait))
        clearly = np.clip((coefficients - LIDS_AT_REST) / (1 - LIDS_AT_REST), 0, 1)
        coefficients[LIDS] = clearly[LIDS]
        photos.append(replace(photo, coefficients=coefficients))
    return replace(fitted, photos=tuple(photos))


def _prepare(photos: Sequence[Path | NDArray[np.uint8]], progress: ProgressCallback) -> tuple[list[Portrait], list[str]]:
    """Portraits, the most frontal first, and warnings."""
    portraits: list[Portrait] = []
    warnings: list[str] = []
    failed: PhotoError | None = None
    for i, photo in enumerate(photos):
        progress("reading and checking the photo", 0.3 * i / len(photos))
        try:
            read = Photo(photo, "", ()) if isinstance(photo, np.ndarray) else read_photo(photo)
            portraits.append(check_person(prepare(*read)))
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
