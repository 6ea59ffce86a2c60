"""The orientation of a photo, estimated from the face in it: cameras and programs lose the EXIF orientation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enrollment.portrait.human_face import LEAST_HUMAN, NO_PERSON, human_face_score
from models.errors import PhotoError
from models.tracking.face_geometry import roll
from models.tracking.landmarks import Landmarks, detect_faces

SURE = 0.7
"""`human_face_score` from which a photo is not searched in other orientations. A face upside down has had 0.56."""
SURE_TURNED, BETTER = 0.6, 0.1
"""Least `human_face_score` for which the photo is turned, and by how much it must exceed the score of the unturned photo."""
DARK = 16.0
"""Mean pixel value, of 255, under which a photo without a face is called too dark."""
ASLANT = 50.0
"""Degrees; a face turned further is upright when the photo is turned by a quarter."""
TURNED = ("the photo stood upside down; it was turned upright", "the photo lay on its side; it was turned upright")
"""Notes for a photo that was turned by an even and by an odd number of quarter turns."""


@dataclass(frozen=True)
class UprightPhoto:
    """photo: (H, W, 3) uint8, turned by quarters until its largest face is upright. faces: people's, largest first. note: a
    sentence for the person who enrolls, "" when nothing had to be turned."""

    photo: NDArray[np.uint8]
    faces: list[Landmarks]
    note: str


def find_people(photo: NDArray[np.uint8]) -> UprightPhoto:
    """The faces of people in a photo (H, W, 3) uint8 sRGB. Raises `PhotoError` where there are none."""
    first = _TurnedPhoto.at(photo, 0)
    quarters = [] if first.sure else [1, 2, 3]
    if first.sure and abs(roll(first.sure[0])) > ASLANT:
        # the landmarks give the rotation of a lying face; all later stages need it upright
        quarters = [round(roll(first.sure[0]) / 90) % 4]
    turned = [_TurnedPhoto.at(photo, quarter) for quarter in quarters]
    best = max(turned, key=lambda t: t.score, default=first)
    if best.people and best.score > max(SURE_TURNED, first.score + BETTER if first.people else 0.0):
        return UprightPhoto(best.photo, best.people, TURNED[best.quarters % 2])
    if first.people:
        return UprightPhoto(photo, first.people, "")
    if first.anything:
        raise PhotoError(NO_PERSON)
    if np.mean(photo) < DARK:
        raise PhotoError("a photo of a person's face was expected, this one is too dark for that; use one taken in more light")
    raise PhotoError("a photo of a person's face was expected, no face was found in it; use one that faces the camera")


@dataclass(frozen=True)
class _TurnedPhoto:
    """The photo turned by `quarters` quarter turns counter-clockwise, and the faces in it.

    people: upright human faces, largest first. score: the best `human_face_score` of these, 0 without any. sure: faces of either
    orientation whose score is above `SURE`. anything: whether any face was detected, human or not."""

    photo: NDArray[np.uint8]
    quarters: int
    people: list[Landmarks]
    score: float
    sure: list[Landmarks]
    anything: bool

    @staticmethod
    def at(photo: NDArray[np.uint8], quarters: int) -> _TurnedPhoto:
        turned = np.ascontiguousarray(np.rot90(photo, quarters))
        judged = [(face, human_face_score(turned, face)) for face in detect_faces(turned)]
        upright = [(face, score) for face, score in judged if score > LEAST_HUMAN and abs(roll(face)) <= ASLANT]
        best = max((score for _, score in upright), default=0.0)
        sure = [face for face, score in judged if score > SURE]
        return _TurnedPhoto(turned, quarters, [face for face, _ in upright], best, sure, bool(judged))
