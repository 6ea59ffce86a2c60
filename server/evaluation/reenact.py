"""The work behind `visavis eval reenact CLIP`: self-reenactment. An avatar of the clip's first picture is driven by the rest of
the clip and compared with it, beside two baselines without a head model.

Protocol. Picture 0 is the portrait; 39 later pictures, 4 apart, are compared. Each is cropped to a square around the face of
picture 0, scaled to 512x512, matted as in enrollment, and put on white. The baselines `copy` and `warp` take the portrait cropped
and matted in this way; `warp` is given the landmarks of the compared picture. Avatars are drawn in the clip's camera by
`realtime.offline.pictures`, which takes pose and expression from the compared pictures and all before them, and are then cropped.
Where the square overhangs the clip nothing is known, so all rows are white there.

With `learn`, a second avatar is optimised on the first half of the clip, and only pictures of the second half are compared. Or,
with `held_out`, on the whole clip but for a quarter of a second around every third compared picture, and only these are compared.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enrollment.options import MOST_CLIP_FRAMES
from models import png
from models.avatar import Avatar
from models.errors import ClipError, MissingPartError
from models.heads.registry import by_name
from models.progress import ProgressCallback, no_progress
from models.tracking.offline import Reenactment, track_clip
from models.video.reader import Clip, open_clip
from realtime.offline import pictures
from server.evaluation import baselines, metrics
from server.evaluation.crop import FaceCrop, over_white
from server.evaluation.held_out import GappedClip
from server.evaluation.metrics import ImageScores
from server.evaluation.sheet import contact_sheet

Pixels = NDArray[np.uint8]

APART, MOST = 4, 39
"""Pictures from one that is compared to the next, and how many are compared."""
THIRD, AROUND = 3, 3
"""With `held_out`, every which of the compared pictures is held out, and how many pictures before and after it as well."""
SHOWN = 8
"""Pictures in a row of the contact sheet."""


@dataclass(frozen=True)
class ReenactResult:
    """clip: its file name. frames: pictures compared. scores: of "avatar", "clip" where one was learned, "copy" and "warp".
    notes: sentences about what was left out. seconds: that each avatar took to make, from the picture or the clip on."""

    clip: str
    frames: int
    scores: dict[str, ImageScores]
    notes: tuple[str, ...]
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """How long the avatar of the clip took and how much nearer it is; empty without one."""
        if "clip" not in self.scores or "clip" not in self.seconds:
            return ""
        nearer = self.scores["clip"].psnr - self.scores["avatar"].psnr
        return f"the avatar of the clip took {self.seconds['clip']:.0f} s and is {nearer:+.2f} dB nearer than that of one picture"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; a figure that could not be measured is None."""
        plain = dataclasses.asdict(self)
        for scores in plain["scores"].values():
            scores.update({k: None for k, v in scores.items() if isinstance(v, float) and not math.isfinite(v)})
        return plain

    def rows(self) -> list[dict[str, Any]]:
        """A row for each entry of `scores`, for a table."""
        return [{"": name, **scores} for name, scores in self.as_dict()["scores"].items()]


def reenact(
    clip_path: Path,
    *,
    enroll: Callable[[Pixels], Avatar],
    learn: Callable[[Clip, int], Avatar] | None = None,
    held_out: bool = False,
    out_sheet: Path | None = None,
    progress: ProgressCallback = no_progress,
    with_jod: bool = True,
) -> ReenactResult:
    """Measure on one clip. enroll: a portrait (H, W, 3) uint8 sRGB -> its avatar. learn: the clip and how many of its first
    pictures may be used -> an avatar that was optimised on them; its row is called "clip". held_out: see above.
    out_sheet: where to write a PNG of truth, avatars and warp side by side.

    Raises `ClipError` when the clip cannot be read, does not begin with a face, or has no second picture to compare.
    """
    progress("enrolling", 0.0)
    clip = open_clip(clip_path)
    beginning = [rgb for rgb, _ in islice(clip.frames(), 0, APART + 1, APART)]
    if len(beginning) < 2:
        raise ClipError(f"a clip of at least {APART + 1} pictures was expected, {clip.path.name} has fewer; record a longer one")
    first = beginning[0]
    crop = FaceCrop.around_face(first)
    seconds: dict[str, float] = {}

    def timed(name: str, make: Callable[[], Avatar]) -> Avatar:
        start = time.perf_counter()
        made = make()
        seconds[name] = time.perf_counter() - start
        return made

    avatars = {"avatar": timed("avatar", lambda: enroll(first))}
    truth = [crop.matted(rgb) for rgb in _compared(clip)]
    chosen, apart = range(1, len(truth)), 1
    if learn is not None:
        if held_out:
            chosen, apart = range(THIRD - 1, len(truth), THIRD), THIRD
            around = {number for k in chosen for number in range(k * APART - AROUND, k * APART + AROUND + 1)}
            learned = partial(learn, GappedClip.without(clip, around), MOST_CLIP_FRAMES)
        else:
            chosen = range((len(truth) + 1) // 2, len(truth))
            learned = partial(learn, clip, (chosen.start - 1) * APART + 1)
        avatars["clip"] = timed("clip", learned)
    rows: dict[str, list[Pixels]] = {}
    for name, avatar in avatars.items():
        progress(f"driving {name}", 0.3 + 0.1 * len(rows))
        driven = _driven(clip, crop, avatar)
        rows[name] = [driven[k] for k in chosen]
    photo, truth = truth[0], [truth[k] for k in chosen]
    source, *faces = metrics.landmarks([photo, *truth])
    warped = [photo if source is None or face is None else baselines.warp(photo, source, face) for face in faces]
    rows |= {"copy": baselines.copy(photo, len(truth)), "warp": [crop.clipped(p) for p in warped]}
    if out_sheet is not None:
        shown = {name: row for name, row in rows.items() if name != "copy"}
        png.write(out_sheet, contact_sheet({"truth": truth, **shown}, SHOWN))
    fps, notes = _limits(clip, len(truth), MOST if learn is None else len(truth), apart * APART if with_jod else 0)
    scores: dict[str, ImageScores] = {}
    for name, row in rows.items():
        progress(f"measuring {name}", 0.6 + 0.1 * len(scores))
        scores[name] = metrics.measure(truth, row, faces, fps)
    progress("done", 1.0)
    return ReenactResult(clip.path.name, len(truth), scores, notes, seconds)


def _driven(clip: Clip, crop: FaceCrop, avatar: Avatar) -> list[Pixels]:
    """Every `APART`-th picture of the avatar driven by the clip, on white, cut."""
    model = by_name(avatar.head)
    motion = track_clip(islice(clip.frames(), MOST * APART + 1), avatar, model, known=Reenactment.SELF)
    drawn = pictures(avatar, model, motion.every(APART), clip.width, clip.height, film=_compared(clip), careful=True)
    return [crop.clipped(crop.cut(over_white(rgba[..., :3], rgba[..., 3] / 255))) for rgba in drawn]


def _compared(clip: Clip) -> Iterator[Pixels]:
    """The pictures that are compared, read anew so that a large clip need not be kept."""
    return (rgb for rgb, _ in islice(clip.frames(), 0, MOST * APART + 1, APART))


def _limits(clip: Clip, count: int, expected: int, apart: int) -> tuple[float | None, tuple[str, ...]]:
    """Pictures a second for JOD, None when JOD cannot be measured; and notes on what was left out. apart: pictures from one
    that is compared to the next; 0: no JOD."""
    notes, fps = [], clip.fps / apart if apart else None
    if count < expected:
        notes.append(f"the clip is short: {count} pictures were compared instead of {expected}")
    if apart:
        try:
            metrics.fvvdp()
        except MissingPartError as missing:
            notes.append(str(missing))
            fps = None
    return fps, tuple(notes)
