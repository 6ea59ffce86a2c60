"""Which way up a photo is, by the face in it: cameras and programs lose the note that says so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enrollment.portrait.humanity import LEAST_HUMAN, NO_PERSON, humanity
from models.errors import PhotoError
from models.tracking.face_geometry import roll
from models.tracking.landmarks import Landmarks, detect_faces

SURE = 0.7
"""Humanity from which a face is not looked for in other directions. Upside down, a face has been given 0.56."""
SURE_TURNED, BETTER = 0.6, 0.1
"""How much humanity a face must have for the photo to be turned, and how much more than it has unturned."""
DARK = 16.0
"""Mean of the pixels, of 255."""
ASLANT = 50.0
"""Degrees; a face turned further is upright when the photo is turned by a quarter."""
TURNED = ("the photo stood upside down; it was turned upright", "the photo lay on its side; it was turned upright")
"""What was done, for an even and an odd number of quarters of a turn."""


@dataclass(frozen=True)
class Found:
    """photo: (H, W, 3) uint8, turned by quarters until its largest face is upright. faces: people's, largest first. note: a
    sentence for the person who enrolls, "" when nothing had to be turned."""

    photo: NDArray[np.uint8]
    faces: list[Landmarks]
    note: str


def find_people(photo: NDArray[np.uint8]) -> Found:
    """The faces of people in a photo (H, W, 3) uint8 sRGB. Raises `PhotoError` where there are none."""
    first = _Look.at(photo, 0)
    quarters = [] if first.sure else [1, 2, 3]
    if first.sure and abs(roll(first.sure[0])) > ASLANT:  # landmarks follow a face that lies; nothing else does
        quarters = [round(roll(first.sure[0]) / 90) % 4]
    looks = [_Look.at(photo, quarter) for quarter in quarters]
    best = max(looks, key=lambda look: look.score, default=first)
    if best.people and best.score > max(SURE_TURNED, first.score + BETTER if first.people else 0.0):
        return Found(best.photo, best.people, TURNED[best.quarters % 2])
    if first.people:
        return Found(photo, first.people, "")
    if first.anything:
        raise PhotoError(NO_PERSON)
    if np.mean(photo) < DARK:
        raise PhotoError("a photo of a person's face was expected, this one is too dark for that; use one taken in more light")
    raise PhotoError("a photo of a person's face was expected, no face was found in it; use one that faces the camera")


@dataclass(frozen=True)
class _Look:
    """What is seen in the photo when it is turned by some quarters against the clock. people: upright ones, largest first, the
    best of them with the humanity `score`. sure: faces that are surely people's, upright or not."""

    photo: NDArray[np.uint8]
    quarters: int
    people: list[Landmarks]
    score: float
    sure: list[Landmarks]
    anything: bool

    @staticmethod
    def at(photo: NDArray[np.uint8], quarters: int) -> _Look:
        turned = np.ascontiguousarray(np.rot90(photo, quarters))
        judged = [(face, humanity(turned, face)) for face in detect_faces(turned)]
        upright = [(face, score) for face, score in judged if score > LEAST_HUMAN and abs(roll(face)) <= ASLANT]
        best = max((score for _, score in upright), default=0.0)
        sure = [face for face, score in judged if score > SURE]
        return _Look(turned, quarters, [face for face, _ in upright], best, sure, bool(judged))
