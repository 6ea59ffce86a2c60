"""How much too wide faces become that are turned in their photo: the work behind `visavis eval turned`.

Synthetic people are drawn from the front and turned; the head is fitted to the tracker's landmarks as they come, and without
their error (`enrollment.portrait.turned_bias`). Compared is the jaw's width, relative to the face's height.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from enrollment.high.conditions import target_camera
from enrollment.instant.fit import fit
from enrollment.portrait.portrait import Portrait
from enrollment.portrait.turned_bias import unbiased
from models import arkit
from models.heads.base import HeadModel, PersonHead, Pose
from models.heads.registry import by_name
from models.progress import ProgressCallback, no_progress
from models.synthetic.expressions import gaze_of
from models.synthetic.head import SyntheticHead
from models.tracking.face_geometry import CHIN, FOREHEAD
from models.tracking.landmarks import detect_faces

FIRST = 9_800_000
"""Seed of the first person: none that the error was learned from."""
YAWS, SIDE = (0, 15, 30, 45), 512
"""Degrees to the side; pixels of a picture."""
JAW = (172, 397)
"""Landmarks of the jaw's angles."""


@dataclass(frozen=True)
class TurnedWidth:
    """turned: degrees. landmarks: how much too wide the jaw becomes by the landmarks as they come, a part of its width; unbiased:
    without their error, as photos are enrolled. Means over people whose face was found."""

    turned: int
    landmarks: float
    unbiased: float
    people: int


def turned_widths(people: int, yaws: Sequence[int] = YAWS, progress: ProgressCallback = no_progress) -> list[TurnedWidth]:
    """A row for each turn, of that many drawn people, every second one turned to the other side."""
    model, rows = by_name("anny"), []
    for i, yaw in enumerate(yaws):
        progress("drawing and fitting people", i / len(yaws))
        tried = [too_wide(model, seed, yaw * (1 if seed % 2 else -1)) for seed in range(FIRST, FIRST + people)]
        found = [both for both in tried if both is not None]
        mean = np.mean(found, axis=0) if found else np.full(2, np.nan)
        rows.append(TurnedWidth(yaw, float(mean[0]), float(mean[1]), len(found)))
    progress("done", 1.0)
    return rows


def as_rows(widths: Sequence[TurnedWidth]) -> list[dict[str, Any]]:
    """For a table, in percent."""
    return [{**asdict(w), "landmarks": f"{w.landmarks:+.1%}", "unbiased": f"{w.unbiased:+.1%}"} for w in widths]


def too_wide(model: HeadModel, seed: int, yaw: float) -> tuple[float, float] | None:
    """By which part the jaw of a synthetic person becomes too wide, by the landmarks as they come and without their error; None
    where no face is found."""
    head, still = SyntheticHead.random(model, seed, glasses="none"), np.zeros(arkit.COUNT, np.float32)
    picture = head.render(target_camera(yaw, size=SIDE), still, Pose(gaze=gaze_of(model, still)), background=0.8).color
    image = np.round(255 * picture.clip(0, 1)).astype(np.uint8)
    faces = detect_faces(image, max_faces=1)
    if not faces:
        return None
    everywhere, middle = np.ones((SIDE, SIDE), bool), (SIDE / 2, SIDE / 2)
    truth, found = _shape(head.person), []
    for face in (faces[0], unbiased(faces[0])):
        portrait = Portrait(image, everywhere, everywhere.astype(np.float32), face, middle, 1.0, float(SIDE))
        found.append(_shape(model.person(fit([portrait], model).identity)) / truth - 1)
    return found[0], found[1]


def _shape(person: PersonHead) -> float:
    """Width of the jaw relative to the height of the face."""
    at = person.landmarks(person.rest)
    return float(np.linalg.norm(at[JAW[0]] - at[JAW[1]]) / np.linalg.norm(at[FOREHEAD] - at[CHIN]))
