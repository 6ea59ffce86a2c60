"""The face's motion in a recorded clip: one drive frame for each picture, solved offline and so without lag.

A recording says more than a webcam: the solver is run over it several times. The camera's focal length is found
(focal_length.py). Where the avatar does not look like the face in the clip (same_person.py) it is another person's: then the
calmest pictures show the driver's resting face, and expressions are counted from there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from models.avatar import Avatar, AvatarPoser
from models.errors import ClipError
from models.heads.base import HeadModel
from models.tracking import focal_length, render_bias, same_person
from models.tracking.face_tracker import FaceTracker
from models.tracking.landmarks import Landmarks
from models.tracking.solver import Solver
from models.types import DriveFrame

Pixels = NDArray[np.uint8]
Look = tuple[Landmarks | None, float]
"""What the tracker saw in one picture, and the picture's time in seconds."""

COMPARED = 6
"""Most pictures on which the avatar and the clip's face are compared."""
CALM = 0.1
"""Part of the pictures that is taken to show the driver's resting face."""
SMOOTHING = 0.03
"""Seconds, one standard deviation, of `Motion.smoothed`."""


@dataclass(frozen=True)
class Motion:
    """drives: one for each picture, confidence 0 where no face was found. faces: what the tracker saw in each, or None.
    focal: of the clip's camera, pixels. transferred: the driver was taken for another person than the head's."""

    drives: tuple[DriveFrame, ...]
    faces: tuple[Landmarks | None, ...]
    focal: float
    transferred: bool

    def every(self, n: int) -> Motion:
        """Each n-th moment."""
        return replace(self, drives=self.drives[::n], faces=self.faces[::n])

    @property
    def faceless(self) -> int:
        """How many pictures show no face."""
        return sum(drive.confidence <= 0 for drive in self.drives)

    def smoothed(self, fps: float) -> Motion:
        """Calmer, by a Gaussian over the neighbours in time: nothing lags. What was held through lost faces stays held."""
        out: list[DriveFrame] = []
        for lost, run in groupby(self.drives, key=lambda drive: drive.confidence <= 0):
            frames = list(run)
            if lost and out:
                out += [replace(out[-1], timestamp=frame.timestamp, confidence=0.0) for frame in frames]
            else:
                out += _smoothed(frames, SMOOTHING * fps)
        return replace(self, drives=tuple(out))


def motion_of(
    frames: Iterable[tuple[Pixels, float]], avatar: Avatar, model: HeadModel, *, own: bool | None = None, exact: bool = True
) -> Motion:
    """Follow the face through a clip's pictures, (H, W, 3) uint8 each with its time, and solve it on the avatar's head.

    Where no face is found the last pose is held, before the first face that one's. own: whether the clip shows the avatar's
    own person, where that is known. exact: find the focal length from the pictures too, which takes seconds.
    Raises `ClipError` when there is no face in any picture.
    """
    kept: dict[int, Pixels] = {}
    with FaceTracker() as tracker:
        looks = [(tracker.track(rgb), seconds) for rgb, seconds in same_person.evenly(frames, kept, COMPARED)]
    seen = [(face, seconds) for face, seconds in looks if face is not None]
    if not seen:
        raise ClipError("a clip that shows a face was expected, none was found in any picture; choose another clip")
    poser, size = AvatarPoser(avatar, model), (seen[0][0].width, seen[0][0].height)
    solver = focal_length.by_landmarks(poser.person, render_bias.offset(avatar, model), [face for face, _ in seen])
    drives = _solved(solver, looks)
    shown = [(rgb, face, drives[i]) for i, rgb in kept.items() if (face := looks[i][0]) is not None]
    if own is None:
        own = same_person.same_person(poser, shown, solver.focal(*size))
    if own and exact and shown:
        solver = focal_length.by_pictures(poser, solver, [(rgb, face) for rgb, face, _ in shown])
        drives = _solved(solver, looks)
    if not own:
        calm = _calmest(drives)
        rest = [face for (face, _), chosen in zip(looks, calm, strict=True) if chosen and face is not None]
        _count_from(solver, rest)
        drives = _solved(solver, looks)
    return Motion(_filled(drives), tuple(face for face, _ in looks), solver.focal(*size), transferred=not own)


def _solved(solver: Solver, looks: list[Look]) -> list[DriveFrame]:
    """A drive frame for each look, held where there is no face."""
    solver.reset()
    return [solver.hold(seconds) if face is None else solver.solve(face, seconds) for face, seconds in looks]


def _calmest(drives: list[DriveFrame]) -> NDArray[np.bool_]:
    """Which drives are nearest to the face at its lowest: the 10th percentile of each coefficient."""
    coefficients = np.stack([drive.coefficients for drive in drives])
    seen = np.array([drive.confidence > 0 for drive in drives])
    if not seen.any():
        return seen
    excess = np.abs(coefficients - np.percentile(coefficients[seen], 10, axis=0)).sum(axis=1)
    return seen & (excess <= np.quantile(excess[seen], CALM))


def _count_from(solver: Solver, faces: list[Landmarks]) -> None:
    """Expressions and gaze of `solver` are counted from these resting faces from now on."""
    rests = [rest for face in faces if (rest := solver.rest(face)) is not None]
    if rests:
        solver.offset = solver.offset + np.median([rest.misfit for rest in rests], axis=0)


def _filled(drives: list[DriveFrame]) -> tuple[DriveFrame, ...]:
    """The frames before the first face take that one's pose."""
    first = next((drive for drive in drives if drive.confidence > 0), drives[0])
    start = drives.index(first)
    return (*(replace(first, timestamp=drive.timestamp, confidence=0.0) for drive in drives[:start]), *drives[start:])


def _smoothed(drives: list[DriveFrame], sigma: float) -> list[DriveFrame]:
    def calm(values: list[NDArray[np.floating]]) -> NDArray[np.floating]:
        return np.asarray(gaussian_filter1d(np.stack(values), sigma, axis=0, mode="nearest"))

    turns = np.stack([drive.rotation for drive in drives])
    turns = turns * np.where(turns @ turns[0] < 0, -1.0, 1.0)[:, None]  # q and -q are one rotation
    rotation = calm(list(turns))
    rows = zip(
        drives, rotation / np.linalg.norm(rotation, axis=1, keepdims=True), calm([d.translation for d in drives]),
        calm([d.coefficients for d in drives]), calm([d.gaze for d in drives]), strict=True,
    )  # fmt: skip
    return [replace(d, rotation=r, translation=t, coefficients=c, gaze=g) for d, r, t, c, g in rows]
