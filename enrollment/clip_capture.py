"""Enroll from a clip: select its best picture as the portrait, and track many of its pictures as a capture for the optimiser."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from enrollment.options import LEARNED_FRAMES, MOST_CLIP_FRAMES
from enrollment.reconstruction.capture import OPENGL, Capture, Frame
from enrollment.reconstruction.rarity import weighed
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
from models.tracking.matting import matte_frame, person_alone, person_colors
from models.tracking.offline import Motion, Reenactment, SeenClip, see_clip, solve_clip
from models.tracking.synthesis import Synthesis
from models.types import Camera
from models.video.reader import Clip

Pixels = NDArray[np.uint8]

OPEN_EYES = 0.25
"""Aspect ratio (height by width) of an eye under which it counts as narrowed."""
OPEN_MOUTH, TURNED = 0.2, 15.0
"""Aspect ratio of the mouth, and degrees of turning away from the camera, that cost as much as one shut eye."""
LIDS = ((159, 145, 33, 133), (386, 374, 362, 263))
LIPS = (13, 14, 61, 291)
"""Landmarks of each eyelid pair and of the lips: upper, lower, and both corners."""


def thinned(clip: Clip, most: int = MOST_CLIP_FRAMES, rate: float = math.inf) -> Iterator[tuple[Pixels, float]]:
    """Of the clip's first `most` pictures so many that at least `rate` come in a second, evenly spread."""
    every = max(1, int(clip.fps / rate))
    return islice(clip.frames(every), -(-most // every))


def select_portrait(clip: Clip, most: int = MOST_CLIP_FRAMES, rate: float = math.inf) -> Pixels:
    """The picture (H, W, 3) uint8 among the clip's first `most` that shows the face most frontal, eyes open, mouth shut. rate:
    see `thinned`.

    Raises `ClipError` when no picture shows a face.
    """
    least, chosen = np.inf, None
    with FaceTracker() as tracker:
        for rgb, _ in thinned(clip, most, rate):
            face = tracker.track(rgb)
            if face is not None and (cost := portrait_cost(face)) < least:
                least, chosen = cost, rgb
    if chosen is None:
        raise ClipError(
            f"a clip that shows a face was expected, none was found in any picture of {clip.path.name}; choose another clip"
        )
    return chosen


def portrait_cost(face: Landmarks) -> float:
    """Cost of a picture as the portrait: turned away, eyelids lowered, mouth open, each 1 at the thresholds above."""
    shut = [max(0.0, 1 - _aspect_ratio(face, a, b, c, d) / OPEN_EYES) for a, b, c, d in LIDS]
    return turned_away(face) / TURNED + sum(shut) + _aspect_ratio(face, *LIPS) / OPEN_MOUTH


def _aspect_ratio(face: Landmarks, upper: int, lower: int, left: int, right: int) -> float:
    p = face.points[:, :2]
    height, width = np.linalg.norm(p[upper] - p[lower]), np.linalg.norm(p[left] - p[right])
    return float(height / (width + 1e-6))


def capture_clip(
    pictures: Callable[[], Iterable[tuple[Pixels, float]]],
    avatar: Avatar,
    model: HeadModel,
    *,
    verify_person: bool,
    most: int = LEARNED_FRAMES,
    seen: SeenClip | None = None,
    mattes: dict[int, Pixels] | None = None,
) -> Capture:
    """At most `most` pictures of a clip, evenly spread over those that show a face, each with pose and expression; the rarer the
    expression, the more weight.

    pictures: returns the clip's pictures, (H, W, 3) uint8 sRGB with their times in seconds; called twice, so that not all
    pictures need to be kept. seen: of these pictures, for whoever has looked at them already. mattes: (H, W) uint8 of pictures by
    their number; the missing ones are added. avatar: of the person in the clip; head and shoulders are aligned to it.
    verify_person: refuse a clip that shows somebody else. Raises `ClipError`, `CaptureError`.
    """
    seen = see_clip(pictures()) if seen is None else seen
    motion = solve_clip(seen, avatar, model, known=None if verify_person else Reenactment.SELF)
    if motion.reenactment is Reenactment.CROSS:
        raise ClipError("a clip of the person in the photos was expected, it shows somebody else; use a clip of the same person")
    frames = _aligned_frames(motion, pictures(), avatar, model, most, {} if mattes is None else mattes)
    capture = Capture.of_frames(frames, avatar.person(model))
    return replace(capture, frames=weighed(capture.frames))


def _aligned_frames(
    motion: Motion,
    pictures: Iterable[tuple[Pixels, float]],
    avatar: Avatar,
    model: HeadModel,
    most: int,
    mattes: dict[int, Pixels],
) -> Iterator[Frame]:
    """The chosen pictures as frames, pose and expression refined by dense alignment and analysis by synthesis."""
    poser = AvatarPoser(avatar, model)
    tracked = [i for i, face in enumerate(motion.faces) if face is not None]
    chosen = {tracked[i] for i in np.linspace(0, len(tracked) - 1, min(most, len(tracked))).round().astype(int)}
    aligner = Aligner(poser, best())
    with Synthesis(aligner) as synthesis:
        for i, ((rgb, _), drive, face) in enumerate(zip(pictures, motion.drives, motion.faces, strict=False)):
            if i not in chosen or face is None:
                continue
            height, width = rgb.shape[:2]
            camera = Camera(width, height, motion.focal, motion.focal, width / 2, height / 2, OPENGL)
            if i not in mattes:
                mattes[i] = np.round(255 * matte_frame(rgb, face)).astype(np.uint8)
            person = mattes[i].astype(np.float32) / 255
            pose = pose_of(drive, poser.person.joints)
            aligned = aligner.refine(*person_alone(rgb, person), face.points[:, :2], camera, drive.coefficients, pose)
            coefficients, pose = synthesis.refine(rgb, face, camera, *aligned)
            found = np.asarray(coefficients, np.float32).reshape(arkit.COUNT)
            frame = Frame(rgb, person, camera, pose, found, name=f"picture {i + 1}").around(poser.person)
            yield replace(frame, image=person_colors(frame.image, frame.matte))
