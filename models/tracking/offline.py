"""Tracking a recorded clip: one drive frame for each picture, solved offline and so without lag.

A recording says more than a webcam: the solver is run over it several times. The camera's focal length is estimated
(focal_length.py). Where the avatar does not look like the face in the clip (same_person.py) the clip is a cross-reenactment: then
the calmest pictures show the driver's resting face, and expressions are measured from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from models.avatar import Avatar, AvatarPoser
from models.errors import ClipError
from models.heads.base import HeadModel
from models.tracking.face_tracker import FaceTracker
from models.tracking.focal_length import estimate_focal, refine_focal
from models.tracking.landmarks import Landmarks, Pixels
from models.tracking.render_bias import measure_render_bias
from models.tracking.same_person import SolvedPicture, same_person
from models.tracking.solver import Solver
from models.types import DriveFrame

COMPARED = 6
"""Most pictures on which the avatar and the clip's face are compared."""
CALM = 0.1
"""Part of the pictures that is assumed to show the driver's resting face."""
SMOOTHING = 0.03
"""Seconds, one standard deviation, of `Motion.smoothed`."""


class Reenactment(StrEnum):
    """Whose face drives the avatar: that of the avatar's own person, or another person's."""

    SELF = "self"
    CROSS = "cross"


@dataclass(frozen=True)
class Motion:
    """drives: one for each picture, confidence 0 where no face was found. faces: landmarks found in each, or None.
    focal: of the clip's camera, pixels."""

    drives: tuple[DriveFrame, ...]
    faces: tuple[Landmarks | None, ...]
    focal: float
    reenactment: Reenactment

    def every(self, n: int) -> Motion:
        """Each n-th picture."""
        return replace(self, drives=self.drives[::n], faces=self.faces[::n])

    @property
    def faceless(self) -> int:
        """How many pictures show no face."""
        return sum(drive.confidence <= 0 for drive in self.drives)

    def smoothed(self, fps: float) -> Motion:
        """Low-passed by a Gaussian over the neighbours in time, without lag. Poses held through lost faces stay held."""
        out: list[DriveFrame] = []
        for lost, run in groupby(self.drives, key=lambda drive: drive.confidence <= 0):
            frames = list(run)
            if lost and out:
                out += [replace(out[-1], timestamp=frame.timestamp, confidence=0.0) for frame in frames]
            else:
                out += _smoothed(frames, SMOOTHING * fps)
        return replace(self, drives=tuple(out))


@dataclass(frozen=True)
class TimedFace:
    """face: landmarks found in a picture, or None. seconds: the picture's time in the clip."""

    face: Landmarks | None
    seconds: float


class EvenSample:
    """Keeps up to `most` of the pictures of a clip of unknown length, evenly spread."""

    def __init__(self, most: int) -> None:
        self.pictures: dict[int, Pixels] = {}
        self._most, self._apart, self._count = most, 1, 0

    def add(self, rgb: Pixels) -> None:
        """The next picture. The kept ones are in `pictures` by their number, from 0."""
        if self._count % self._apart == 0:
            self.pictures[self._count] = rgb
        if len(self.pictures) > self._most:
            self._apart *= 2
            self.pictures = {number: kept for number, kept in self.pictures.items() if number % self._apart == 0}
        self._count += 1


@dataclass(frozen=True)
class SeenClip:
    """What a clip shows, whoever it is. track: one for each picture, not all without a face. compared: a few pictures
    (H, W, 3) uint8 by their number, evenly spread."""

    track: tuple[TimedFace, ...]
    compared: dict[int, Pixels]


def see_clip(frames: Iterable[tuple[Pixels, float]], most: int | None = None) -> SeenClip:
    """Look for the face in a clip's pictures, (H, W, 3) uint8 each with its time in seconds. most: pictures that are compared,
    `COMPARED` at the most. Raises `ClipError` when there is no face in any picture."""
    sample = EvenSample(COMPARED if most is None else min(COMPARED, most))
    track: list[TimedFace] = []
    with FaceTracker() as tracker:
        for rgb, seconds in frames:
            sample.add(rgb)
            track.append(TimedFace(tracker.track(rgb), seconds))
    if all(timed.face is None for timed in track):
        raise ClipError("a clip that shows a face was expected, none was found in any picture; choose another clip")
    return SeenClip(tuple(track), sample.pictures)


def track_clip(
    frames: Iterable[tuple[Pixels, float]],
    avatar: Avatar,
    model: HeadModel,
    *,
    known: Reenactment | None = None,
    refine: bool = True,
) -> Motion:
    """Track the face through a clip's pictures and solve it on the avatar's head: `see_clip`, then `solve_clip`."""
    return solve_clip(see_clip(frames), avatar, model, known=known, refine=refine)


def solve_clip(
    seen: SeenClip, avatar: Avatar, model: HeadModel, *, known: Reenactment | None = None, refine: bool = True
) -> Motion:
    """Solve what a clip shows on the avatar's head.

    Where no face is found the last pose is held; before the first face, the pose of the first. known: what the caller knows of
    the clip; without it the pictures are compared with the avatar. refine: also estimate the focal length of a
    self-reenactment from the pictures, which takes seconds.
    """
    track = seen.track
    faces = [timed.face for timed in track if timed.face is not None]
    poser = AvatarPoser(avatar, model)
    size = faces[0].width, faces[0].height
    solver = estimate_focal(poser.person, measure_render_bias(avatar, model), faces)
    drives = _solved(solver, track)
    compared = [SolvedPicture(rgb, face, drives[i]) for i, rgb in seen.compared.items() if (face := track[i].face) is not None]
    reenactment = known or _recognise(poser, compared, solver.focal(*size))
    if reenactment is Reenactment.SELF and refine and compared:
        solver = refine_focal(poser, solver, [(picture.rgb, picture.face) for picture in compared])
        drives = _solved(solver, track)
    if reenactment is Reenactment.CROSS:
        calm = _calmest(drives)
        solver.calibrate(timed.face for timed, chosen in zip(track, calm, strict=True) if chosen and timed.face is not None)
        drives = _solved(solver, track)
    return Motion(_filled(drives), tuple(timed.face for timed in track), solver.focal(*size), reenactment)


def _recognise(poser: AvatarPoser, compared: list[SolvedPicture], focal: float) -> Reenactment:
    return Reenactment.SELF if same_person(poser, compared, focal) else Reenactment.CROSS


def _solved(solver: Solver, track: Sequence[TimedFace]) -> list[DriveFrame]:
    """A drive frame for each picture, held where there is no face."""
    solver.reset()
    return [solver.hold(timed.seconds) if timed.face is None else solver.solve(timed.face, timed.seconds) for timed in track]


def _calmest(drives: list[DriveFrame]) -> NDArray[np.bool_]:
    """Which drives are nearest to the face at its lowest: the 10th percentile of each coefficient."""
    coefficients = np.stack([drive.coefficients for drive in drives])
    seen = np.array([drive.confidence > 0 for drive in drives])
    if not seen.any():
        return seen
    excess = np.abs(coefficients - np.percentile(coefficients[seen], 10, axis=0)).sum(axis=1)
    return seen & (excess <= np.quantile(excess[seen], CALM))


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
