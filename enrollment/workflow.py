"""The work behind `visavis enroll`: an instant avatar first, usable at once; then, where asked for, a better one in its place."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from enrollment import clip_capture
from enrollment.instant.pipeline import enroll
from enrollment.report import preview_sheet, previews
from models import avatar_file, outputs, png
from models.avatar import Avatar
from models.errors import VisavisError
from models.heads.base import HeadModel
from models.heads.registry import by_name
from models.video.reader import open_clip

if TYPE_CHECKING:
    from models.diffusion.prior import Prior

Quality = Literal["instant", "standard", "high"]
SHEET, VIEWS, UNFINISHED = ".png", ".views.png", ".unfinished"
"""Endings that are put after the avatar's whole name: me.avatar.png."""
Tell = Callable[[str, float], None]
"""Called with the stage's name and the part of its work done, 0 to 1."""


def _is_checkpoint(path: Path) -> bool:
    from enrollment.reconstruction import checkpoint  # brings torch

    return checkpoint.is_one(path)


CHECKPOINT = outputs.Kind("an unfinished refinement", UNFINISHED, _is_checkpoint, 64 * outputs.MEGABYTE)


@dataclass(frozen=True)
class Enrolled:
    """What was made. avatar, sheet: files. fit_rms_px_at_512: of the instant avatar's landmarks. steps: of the refinement,
    0 without. stopped: why that ended early, one sentence; empty when it did not. views: a sheet of the synthesised views and
    their normals, of "high" only. seconds: of work, in all."""

    avatar: str
    sheet: str
    quality: str
    gaussians: int
    fit_rms_px_at_512: float
    steps: int
    stopped: str
    views: str | None
    seconds: float
    warnings: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self)


def enroll_to_file(
    photos: list[Path],
    video: Path | None,
    out: Path,
    *,
    quality: Quality = "instant",
    head: str = "anny",
    consent: str = "",
    steps: int | None = None,
    device: str = "cpu",
    prior: Path | None = None,
    tell: Tell = lambda stage, part: None,
    ready: Callable[[str], None] = lambda sentence: None,
) -> Enrolled:
    """Enroll from photos, from a clip, or both, and write the avatar to `out` and its preview sheet beside it.

    Without photos the clip's best picture is the portrait. steps: of the refinement, what suits the input when None.
    prior: weights for "high", the shipped ones when None. ready: told when something can be used already. While "standard" and
    "high" work their state is kept in `checkpoint_of(out)`; the same call goes on there after it was stopped or killed.
    Raises `VisavisError`s; `out` is then as it was, or holds the instant avatar.
    """
    if not photos and video is None:
        raise VisavisError("a photo or a clip (--video) of the person was expected, neither came; name one")
    if quality == "high" and video is not None:
        raise VisavisError("high quality is for photos, and a clip came; leave --quality away to learn from the clip")
    _check(out, quality, [*photos, video, prior])
    network = _prior(prior) if quality == "high" else None
    start, model, state = time.monotonic(), by_name(head), checkpoint_of(out)
    clip = None if video is None else open_clip(video)
    if clip is not None and not photos:
        tell("choosing a picture of the clip", 0.0)
    first = enroll(
        [*photos] or [clip_capture.portrait_of(clip)] if clip is not None else [*photos],
        head=model,
        consent=consent,
        progress=tell,
    )
    avatar, done, views = first.avatar, None, None
    if quality == "instant":
        sheet = _save(avatar, model, out)
    else:
        if not (out.exists() and state.exists()):  # an interrupted run has left something better there
            sheet = _save(avatar, model, out)
            ready(f"{out} is an instant avatar now and can be used; it gets better")
        from enrollment.refine import imagined, improved  # torch takes seconds to come, and instant does without

        if network is None:
            done = improved(first, model, clip, own=not photos, steps=steps, device=device, tell=tell, state=state)
        else:
            done, picture = imagined(first, model, network, steps=steps, device=device, tell=tell, state=state)
            views = str(beside(out, VIEWS))
            png.write(Path(views), picture)
        avatar = done.avatar
        sheet = _save(avatar, model, out)
        if not done.stopped:
            state.unlink(missing_ok=True)
    warnings = [*first.warnings, *(done.warnings if done else ()), *(clip.notes if clip else ())]
    return Enrolled(
        str(out), str(sheet), quality, len(avatar.gaussians), first.fit_rms, done.steps if done else 0,
        done.stopped if done else "", views, time.monotonic() - start, warnings,
    )  # fmt: skip


def _prior(path: Path | None) -> Prior:
    from models.diffusion import weights

    return weights.load(path or weights.SHIPPED)


def checkpoint_of(out: Path) -> Path:
    """Where the state of an unfinished refinement of `out` is kept."""
    return beside(out, UNFINISHED)


def beside(out: Path, ending: str) -> Path:
    """A file that comes with the avatar, named after the whole of its name, so that it is never the photo's."""
    return out.with_name(f"{out.name}{ending}")


def _check(out: Path, quality: Quality, inputs: list[Path | None]) -> None:
    """Raises `StorageError` when the avatar, or what comes with it, cannot be written."""
    outputs.check(out, outputs.AVATAR, inputs=inputs, stream=False)
    names = {SHEET: outputs.PICTURE}
    if quality != "instant":
        names |= {UNFINISHED: CHECKPOINT, f"{UNFINISHED}.2": CHECKPOINT}
    if quality == "high":
        names[VIEWS] = outputs.PICTURE
    for ending, kind in names.items():
        outputs.check(beside(out, ending), kind, inputs=inputs, stream=False)


def _save(avatar: Avatar, model: HeadModel, out: Path) -> Path:
    """Write avatar and sheet; returns the sheet's path."""
    avatar_file.save(replace(avatar, previews=previews(avatar, model)), out)
    sheet = beside(out, SHEET)
    png.write(sheet, preview_sheet(avatar, model))
    return sheet
