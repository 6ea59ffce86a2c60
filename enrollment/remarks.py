"""What is good and weak about an avatar, in plain words, and what to do about it: for whoever was enrolled."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from enrollment.portrait.portrait import CROWN, Portrait
from models.tracking.face_geometry import CHIN, FOREHEAD, face_height, turned_away, well_within
from models.tracking.landmarks import Landmarks
from models.types import Array

LARGE, SMALL = 320.0, 220.0
"""Height of the head, pixels of the photo, from which it is large enough, and under which it is small."""
MEASURED = 192
"""Height of the face, pixels, at which its sharpness is measured."""
SHARP, BLURRED = 0.03, 0.012
"""Mean square of the Laplacian in parts of the variance, from which a face is sharp, and under which it is blurred."""
EVEN, ONE_SIDED = 1.35, 1.8
"""Brightness of the face's lighter half in parts of the darker one."""
DIM, BLOWN = 0.22, 0.06
"""Brightness of a face, [0, 1], under which it is dark; and the part of it that is white, from which it is too bright."""
STRAIGHT, ASIDE = 12.0, 22.0
"""Degrees of turning away up to which a face looks straight ahead, and from which it looks aside."""
OPEN_MOUTH = 0.25
"""Height of the lips' opening in parts of the mouth's width."""
LIPS = (13, 14, 61, 291)
"""Landmarks: upper, lower, and both corners."""
CUT = 0.2
"""Part of the photo's upper edge, above the face, that is the person, from which the hair is cut off."""


@dataclass(frozen=True)
class Remark:
    """topic: covered, size, sharpness, light, direction, mouth, hair, sides, other. good: whether it helps. sentence: for the
    person. advice: what to do, one sentence; may be empty."""

    topic: str
    good: bool
    sentence: str
    advice: str = ""


def remarks(portrait: Portrait, warnings: tuple[str, ...] | list[str], *, filmed: bool, photos: int = 1) -> tuple[Remark, ...]:
    """What is weak first, then what is good. portrait: the leading one. warnings: of the enrollment. filmed: a clip was learned
    from, which shows the sides and how the face moves."""
    found = [*_warned(warnings, portrait), *_seen(portrait, filmed=filmed), _sides(filmed=filmed, photos=photos)]
    return tuple(sorted(found, key=lambda remark: remark.good))


def _warned(warnings: tuple[str, ...] | list[str], portrait: Portrait) -> list[Remark]:
    """The enrollment's own sentences, of the form 'what is weak; what to do'."""
    found = []
    for warning in dict.fromkeys(warnings):
        what, _, advice = warning.partition("; ")
        covered = any(word in what for word in ("covers", "cannot be seen"))
        found.append(Remark("covered" if covered else "other", False, what, advice))
    if not any(remark.topic == "covered" for remark in found):
        found.append(Remark("covered", True, "nothing covers the face"))
    return found


def _seen(portrait: Portrait, *, filmed: bool) -> list[Remark]:
    face, found = portrait.landmarks, []
    height = CROWN * face_height(face) / portrait.scale
    sharpness = sharpness_of(portrait)
    if height < SMALL and not filmed:
        found.append(Remark("size", False, f"the head is only {height:.0f} pixels high", "come closer, or use a larger photo"))
    elif sharpness < BLURRED:
        found.append(Remark("sharpness", False, "the face is not sharp", "hold still, wipe the lens, and look for more light"))
    elif sharpness >= SHARP and height >= LARGE:
        found.append(Remark("sharpness", True, "the face is large and sharp"))
    found += _light(portrait)
    turned = turned_away(face)
    if turned > ASIDE:
        sentence = "the face looks aside, so its far half was made up"
        found.append(Remark("direction", False, sentence, "look straight into the camera"))
    elif turned <= STRAIGHT:
        found.append(Remark("direction", True, "the face looks straight ahead"))
    if _opening(face) > OPEN_MOUTH and not filmed:
        found.append(Remark("mouth", False, "the mouth is open, so it may not close well", "close the mouth, and relax the face"))
    if hair_is_cut_off(portrait):
        found.append(Remark("hair", False, "the top of the hair is beyond the edge", "leave some air above the head"))
    return found


def _light(portrait: Portrait) -> list[Remark]:
    ratio, brightness, blown = light_of(portrait)
    if brightness < DIM and ratio < ONE_SIDED and _contrast(portrait) < 0.08:
        return [Remark("light", False, "the face is dark", "turn towards a light")]
    if blown > BLOWN:
        return [Remark("light", False, "a part of the face is too bright to show the skin", "turn away from the light a little")]
    if ratio > ONE_SIDED:
        return [Remark("light", False, "one side of the face lies in the shadow, which stays there", "turn towards the light")]
    return [Remark("light", True, "the light is even")] if ratio < EVEN else []


def _sides(*, filmed: bool, photos: int) -> Remark:
    if filmed:
        return Remark("sides", True, "the sides and how the face moves were learned from the clip")
    if photos > 1:
        return Remark("sides", True, f"{photos} photos show more than one side")
    return Remark("sides", False, "the sides and the back were made up, as one photo does not show them", "record the short clip")


def sharpness_of(portrait: Portrait) -> float:
    """Mean square of the Laplacian within the face in parts of the variance there, at a fixed size; 0 for an even picture. A
    photo that had to be enlarged is less sharp."""
    gray, inside = _face(portrait)
    laplacian = cv2.Laplacian(gray, cv2.CV_32F)[inside]
    variance = float(gray[inside].var())
    return float(np.mean(laplacian**2)) / variance if variance > 1e-5 else 0.0


def light_of(portrait: Portrait) -> tuple[float, float, float]:
    """Brightness of the lighter half in parts of the darker one; mean brightness, [0, 1]; and the part that is white."""
    gray, inside = _face(portrait)
    columns = np.flatnonzero(inside.any(axis=0))
    middle = int(columns.mean())
    halves = [float(gray[:, side][inside[:, side]].mean()) + 0.01 for side in (np.s_[:middle], np.s_[middle:])]
    return max(halves) / min(halves), float(gray[inside].mean()), float((gray[inside] > 0.98).mean())


def hair_is_cut_off(portrait: Portrait) -> bool:
    """Whether the person reaches the photo's upper edge above the face."""
    face = portrait.landmarks
    left, right = np.clip(np.sort(face.points[[234, 454], 0]).astype(int), 0, portrait.inside.shape[1] - 1)
    top = np.argmax(portrait.inside[:, left : right + 1], axis=0)
    first = portrait.matte[top, np.arange(left, right + 1)]
    return bool(np.mean(first > 0.5) > CUT) and bool(portrait.inside[:, left : right + 1].any())


def _contrast(portrait: Portrait) -> float:
    gray, inside = _face(portrait)
    return float(gray[inside].std())


def _opening(face: Landmarks) -> float:
    p = face.points[:, :2]
    upper, lower, left, right = (p[i] for i in LIPS)
    return float(np.linalg.norm(upper - lower) / (np.linalg.norm(left - right) + 1e-6))


def _face(portrait: Portrait) -> tuple[Array, np.ndarray]:
    """The face `MEASURED` pixels high, (H, W) float32 [0, 1], and what of it lies within the contour, (H, W) bool."""
    p = portrait.landmarks.points[:, :2]
    factor = MEASURED / max(float(np.linalg.norm(p[FOREHEAD] - p[CHIN])), 1.0)
    size = (max(8, round(portrait.image.shape[1] * factor)), max(8, round(portrait.image.shape[0] * factor)))
    gray = cv2.cvtColor(cv2.resize(portrait.image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    within = cv2.resize(well_within(portrait.landmarks, portrait.image.shape[:2]), size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(gray, np.float32) / 255, within > 0
