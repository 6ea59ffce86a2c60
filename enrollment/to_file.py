"""The work behind `visavis enroll`: `enroll`, with the avatar and its preview sheet written to files, the instant avatar
first."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from enrollment.instant.pipeline import Enrollment
from enrollment.likeness import likeness
from enrollment.options import EnrollOptions, Quality
from enrollment.remarks import remarks
from enrollment.report import preview_sheet, previews
from enrollment.workflow import enroll
from models import avatar_file, credentials, outputs, png, provenance
from models.avatar import Avatar
from models.heads.base import HeadModel
from models.heads.registry import by_name
from models.progress import ProgressCallback, no_progress

SHEET, VIEWS, UNFINISHED = ".png", ".views.png", ".unfinished"
"""Suffixes of the files beside the avatar, put after its whole name: me.avatar.png."""
DEFAULTS = EnrollOptions()


def _is_checkpoint(path: Path) -> bool:
    from enrollment.reconstruction import checkpoint  # imports torch

    return checkpoint.is_one(path)


CHECKPOINT = outputs.Kind("an unfinished refinement", UNFINISHED, _is_checkpoint, 64 * outputs.MEGABYTE)


@dataclass(frozen=True)
class SavedEnrollment:
    """What was made. avatar, sheet: files, the second empty without one. fit_rms_px_at_512: landmark error of the instant avatar.
    steps: of the optimisation, 0 without one. stopped: why the optimisation ended early, one sentence; empty when it did not.
    views: file with a sheet of the synthesised views and their normals, of "high" only. baking_loss_db: PSNR that pictures lose
    by the baked form of the networks, 0 without networks. seconds: of work, in all. report: what is good and weak about it,
    `Remark`s as plain values."""

    avatar: str
    sheet: str
    quality: str
    gaussians: int
    fit_rms_px_at_512: float
    steps: int
    stopped: str
    views: str | None
    baking_loss_db: float
    seconds: float
    warnings: list[str]
    report: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self)


def enroll_to_file(
    photos: Sequence[Path],
    clip: Path | None,
    out: Path,
    options: EnrollOptions = DEFAULTS,
    *,
    progress: ProgressCallback = no_progress,
    notify: Callable[[str], None] = lambda sentence: None,
) -> SavedEnrollment:
    """Enroll from photos, from a clip, or from both, and write the avatar to `out` and its preview sheet beside it.

    "standard" and "high" first write the instant avatar; `notify` gets a sentence that it can be used. Their state is kept in
    `checkpoint_of(out)`, so the same call goes on after it was stopped or killed, and does not write the instant avatar over a
    better one. Raises `VisavisError`s; `out` is then as it was, or holds the instant avatar.
    """
    refinement = replace(options.refinement, checkpoint=checkpoint_of(out))
    _check_outputs(out, options.quality, [*photos, clip, refinement.prior])
    start, model, checkpoint = time.monotonic(), by_name(options.head), checkpoint_of(out)

    def save_instant(made: Enrollment) -> None:
        if not (out.exists() and checkpoint.exists()):
            _save(made.avatar, model, out, with_sheet=options.sheet)
            notify(f"{out} is an instant avatar now and can be used; it gets better")

    made = enroll(
        photos, clip, quality=options.quality, consent=options.consent, head=model, refinement=refinement,
        on_instant=save_instant, progress=progress,
    )  # fmt: skip
    filmed = clip is not None or refinement.capture is not None
    found = remarks(made.instant.portraits[0], made.warnings, filmed=filmed, photos=len(photos), like=likeness(made))
    sheet, views = _save(made.avatar, model, out, with_sheet=options.sheet), None
    if made.views is not None and options.sheet:
        views = str(_beside(out, VIEWS))
        png.write(Path(views), provenance.label(made.views), sign=True)
    if options.quality != "instant" and not made.stopped:
        checkpoint.unlink(missing_ok=True)
    return SavedEnrollment(
        str(out), sheet, options.quality, len(made.avatar.gaussians), made.instant.fit_rms, made.steps, made.stopped, views,
        made.baking_loss, time.monotonic() - start, [*made.warnings, *([unsigned] if (unsigned := credentials.note()) else [])],
        [dataclasses.asdict(remark) for remark in found],
    )  # fmt: skip


def checkpoint_of(out: Path) -> Path:
    """Where the state of an unfinished refinement of `out` is kept."""
    return _beside(out, UNFINISHED)


def _beside(out: Path, suffix: str) -> Path:
    """A file that comes with the avatar, named after the whole of the avatar's name, so that it is never the photo."""
    return out.with_name(f"{out.name}{suffix}")


def _check_outputs(out: Path, quality: Quality, inputs: list[Path | None]) -> None:
    """Raises `StorageError` when the avatar, or a file that comes with it, cannot be written."""
    outputs.check(out, outputs.AVATAR, inputs=inputs, stream=False)
    kinds = {SHEET: outputs.PICTURE}
    if quality != "instant":
        kinds |= {UNFINISHED: CHECKPOINT, f"{UNFINISHED}.2": CHECKPOINT}
    if quality == "high":
        kinds[VIEWS] = outputs.PICTURE
    for suffix, kind in kinds.items():
        outputs.check(_beside(out, suffix), kind, inputs=inputs, stream=False)


def _save(avatar: Avatar, model: HeadModel, out: Path, *, with_sheet: bool) -> str:
    """Write the avatar, and its preview sheet; returns the sheet's path, empty without one."""
    avatar_file.save(replace(avatar, previews=previews(avatar, model)), out)
    if not with_sheet:
        return ""
    sheet = _beside(out, SHEET)
    png.write(sheet, preview_sheet(avatar, model), sign=True)
    return str(sheet)
