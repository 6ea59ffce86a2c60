"""Quality gate for synthesised frames: a face must be detected where the pose puts one and nowhere else, and colours must be near
the photo's. Frames that fail get less weight in the optimisation or are dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from enrollment.portrait.portrait import Portrait
from enrollment.reconstruction.capture import Frame
from models.heads.base import PersonHead
from models.tracking.face_geometry import CONTOUR, face_height
from models.tracking.landmarks import Landmarks, detect_faces
from models.types import Array

FACING, AWAY = 45.0, 115.0
"""Angles between face and camera, degrees: up to the first a face must be detected, from the second on none may be."""
OFF, FAR_OFF = 0.04, 0.09
"""Root mean square error of the landmarks against those of the posed head, face heights, above which a frame gets less weight,
and above which it is dropped."""
INNER = np.setdiff1d(np.arange(468), CONTOUR)
"""Landmarks that are compared: without the contour, which slides along the cheek as the head turns."""
TONE = 0.12
"""Distance in sRGB to the nearest colour of the photo above which a pixel counts as off-colour."""
STRANGE, VERY_STRANGE = 0.15, 0.4
"""Part of the person's pixels that are off-colour, above which a frame gets less weight, and above which it is dropped."""
TONES = 2000
"""Colours of the photo that pixels are compared with."""
LESS = 0.3
"""Weight of a doubtful frame."""


@dataclass(frozen=True)
class FrameQuality:
    """Result for one frame. weight: 1 good, `LESS` doubtful, 0 dropped. reason: a clause with the frame as its subject; empty for
    good frames."""

    name: str
    weight: float
    reason: str


@dataclass(frozen=True)
class QualityReport:
    """Results of all frames, in order."""

    frames: tuple[FrameQuality, ...]

    @property
    def counts(self) -> dict[str, int]:
        weights = [v.weight for v in self.frames]
        dropped = weights.count(0.0)
        doubtful = sum(0 < w < 1 for w in weights)
        return {"frames": len(weights), "good": len(weights) - dropped - doubtful, "less_weight": doubtful, "dropped": dropped}

    def sentence(self) -> str:
        """For the person who enrolls."""
        c = self.counts
        reasons = sorted({v.reason for v in self.frames if v.reason})
        why = f" ({'; '.join(reasons)})" if reasons else ""
        used = f"{c['good']} are used, {c['less_weight']} count less, {c['dropped']} were left out"
        return f"of {c['frames']} synthesised views {used}{why}"


def apply_quality_gate(
    frames: Sequence[Frame], person: PersonHead, portrait: Portrait
) -> tuple[tuple[Frame, ...], QualityReport]:
    """Return the accepted frames, with their weights, and the report. person: the enrolled head. portrait: the leading
    photo's."""
    tones = _tones(portrait)
    qualities = [_frame_quality(frame, person, tones) for frame in frames]
    kept = tuple(replace(f, weight=f.weight * v.weight) for f, v in zip(frames, qualities, strict=True) if v.weight > 0)
    return kept, QualityReport(tuple(qualities))


def _frame_quality(frame: Frame, person: PersonHead, tones: cKDTree) -> FrameQuality:
    found = [v for v in (_face(frame, person), _colors(frame, tones)) if v is not None]
    problem = frame.problem()
    if problem is not None:
        found = [(0.0, problem)]
    weight, reason = min(found, default=(1.0, ""))
    return FrameQuality(frame.name, weight, reason)


def angle(frame: Frame) -> float:
    """Degrees between the direction of the face and the direction to the camera."""
    head = frame.pose.head
    toward = frame.camera.position - head[:3, 3]
    return float(np.degrees(np.arccos(np.clip(toward @ head[:3, 2] / np.linalg.norm(toward), -1, 1))))


def _face(frame: Frame, person: PersonHead) -> tuple[float, str] | None:
    turned = angle(frame)
    if FACING < turned < AWAY:
        return None
    matte = frame.matte[..., None]
    faces = detect_faces(np.round(frame.image * matte + 255 * (1 - matte)).astype(np.uint8))
    marks = person.landmarks(person.vertices(frame.coefficients, frame.pose))
    expected = frame.camera.project(marks)[INNER]
    if turned >= AWAY:
        return (0.0, "shows a face on the back of the head") if any(_on_head(f, expected) for f in faces) else None
    if not faces:
        return 0.0, "shows no face where one must be seen"
    miss = min(_miss(face, expected) for face in faces)
    if miss > FAR_OFF:
        return 0.0, "has its face in another place than its pose says"
    return (LESS, "has its face a little off its pose") if miss > OFF else None


def _miss(face: Landmarks, expected: np.ndarray) -> float:
    """Root mean square distance in face heights."""
    return float(np.sqrt(np.mean(np.sum((face.points[INNER, :2] - expected) ** 2, axis=1))) / max(face_height(face), 1.0))


def _on_head(face: Landmarks, expected: np.ndarray) -> bool:
    """Whether a found face lies on the head: a pattern of a shirt is none of ours."""
    middle, spread = expected.mean(axis=0), np.ptp(expected, axis=0).max()
    return bool(np.linalg.norm(face.points[INNER, :2].mean(axis=0) - middle) < 0.5 * spread)


def _tones(portrait: Portrait) -> cKDTree:
    """Colours of the person in the photo, and darker ones: the sides and the back may lie in shadow."""
    shown = (portrait.matte > 0.9) & portrait.inside
    colors = portrait.colors[shown]
    chosen = colors[np.linspace(0, len(colors) - 1, min(TONES, len(colors))).astype(int)]
    return cKDTree(np.concatenate([chosen * k for k in (1.0, 0.8, 0.6, 0.4)]))


def _colors(frame: Frame, tones: cKDTree) -> tuple[float, str] | None:
    pixels: Array = frame.image[frame.matte > 0.9][::7].astype(np.float32) / 255
    if not len(pixels):
        return 0.0, "shows nobody"
    strange = float((tones.query(pixels)[0] > TONE).mean())
    if strange > VERY_STRANGE:
        return 0.0, "has colours that the photo has not"
    return (LESS, "has some colours that the photo has not") if strange > STRANGE else None
