"""A clip as something to enroll from: its most telling picture as the portrait, and many as a capture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from enrollment.reconstruction.capture import OPENGL, Capture, Frame
from models import arkit
from models.avatar import Avatar, AvatarPoser
from models.errors import ClipError
from models.heads.base import HeadModel
from models.posture import pose_of
from models.splat.choose import best
from models.tracking.dense_alignment import Aligner
from models.tracking.face_geometry import turned_away
from models.tracking.face_tracker import FaceTracker
from models.tracking.landmarks import Landmarks
from models.tracking.matting import matte
from models.tracking.offline import Motion, Reenactment, track_clip
from models.types import Camera
from models.video.reader import Clip

Pixels = NDArray[np.uint8]

MOST = 64
"""Pictures of a clip that are learned from."""
LONGEST = 1800
"""Pictures of a clip that are looked at, a minute at 30 a second."""
OPEN_EYES = 0.25
"""Height of an eye's opening, part of its width, under which it is narrowed."""
OPEN_MOUTH, TURNED = 0.2, 15.0
"""Height of the mouth's opening, part of its width, and degrees of turning away that are as bad as shut eyes."""
LIDS = ((159, 145, 33, 133), (386, 374, 362, 263))
LIPS = (13, 14, 61, 291)
"""Landmarks: upper, lower, outer and inner end."""


def portrait_of(clip: Clip) -> Pixels:
    """The picture (H, W, 3) uint8 of the clip that shows the face most frontal, eyes open, mouth shut.

    Raises `ClipError` when none shows a face.
    """
    least, chosen = np.inf, None
    with FaceTracker() as tracker:
        for rgb, _ in islice(clip.frames(), LONGEST):
            face = tracker.track(rgb)
            if face is not None and (cost := _unsuitable(face)) < least:
                least, chosen = cost, rgb
    if chosen is None:
        raise ClipError(
            f"a clip that shows a face was expected, none was found in any picture of {clip.path.name}; choose another clip"
        )
    return chosen


def _unsuitable(face: Landmarks) -> float:
    """How bad a portrait this would be: turned away, lids lowered, mouth open; each 1 where it is plain to see."""
    shut = [max(0.0, 1 - _opening(face, a, b, c, d) / OPEN_EYES) for a, b, c, d in LIDS]
    return turned_away(face) / TURNED + sum(shut) + _opening(face, *LIPS) / OPEN_MOUTH


def _opening(face: Landmarks, upper: int, lower: int, left: int, right: int) -> float:
    p = face.points[:, :2]
    height, width = np.linalg.norm(p[upper] - p[lower]), np.linalg.norm(p[left] - p[right])
    return float(height / (width + 1e-6))


def capture_of(
    film: Iterable[tuple[Pixels, float]], again: Iterable[tuple[Pixels, float]], avatar: Avatar, model: HeadModel, *, own: bool
) -> Capture:
    """At most `MOST` pictures of a clip, evenly spread over those that show a face, each with pose and expression.

    film, again: the same pictures, (H, W, 3) uint8 sRGB with their times, read twice so that they need not all be kept.
    avatar: of the person in the clip; head and shoulders are aligned to it. own: whether that is known; where it is not, a
    clip of somebody else is refused. Raises `ClipError`, `CaptureError`.
    """
    motion = track_clip(film, avatar, model, known=Reenactment.SELF if own else None)
    if motion.reenactment is Reenactment.CROSS:
        raise ClipError("a clip of the person in the photos was expected, it shows somebody else; use a clip of the same person")
    return Capture.of_frames(_frames(motion, again, avatar, model), avatar.person(model))


def _frames(motion: Motion, film: Iterable[tuple[Pixels, float]], avatar: Avatar, model: HeadModel) -> Iterator[Frame]:
    poser = AvatarPoser(avatar, model)
    aligner = Aligner(poser, best())
    tracked = [i for i, face in enumerate(motion.faces) if face is not None]
    chosen = {tracked[i] for i in np.linspace(0, len(tracked) - 1, min(MOST, len(tracked))).round().astype(int)}
    for i, ((rgb, _), drive, face) in enumerate(zip(film, motion.drives, motion.faces, strict=False)):
        if i not in chosen or face is None:
            continue
        height, width = rgb.shape[:2]
        camera = Camera(width, height, motion.focal, motion.focal, width / 2, height / 2, OPENGL)
        person = matte(rgb)
        coefficients, pose = aligner.refine(
            rgb, person, face.points[:, :2], camera, drive.coefficients, pose_of(drive, poser.person.joints)
        )
        known = np.asarray(coefficients, np.float32).reshape(arkit.COUNT)
        yield Frame(rgb, person, camera, pose, known, name=f"picture {i + 1}").around(poser.person)
