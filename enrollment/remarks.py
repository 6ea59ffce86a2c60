"""What is good and weak about an avatar, in plain words, and what to do about it: for whoever was enrolled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from enrollment.likeness import Likeness, face_of, fine_detail
from enrollment.portrait.accessories import AT_EAR, AT_NECK, BEFORE_FACE, GLASSES, HAT, ON_HEAD, worn
from enrollment.portrait.portrait import CROWN, Portrait
from models.tracking.face_geometry import CHIN, FOREHEAD, face_height, turned_away, well_within
from models.tracking.landmarks import Landmarks

LARGE, SMALL = 320.0, 220.0
"""Height of the head, pixels of the photo, from which it is large enough, and under which it is small."""
SHARP, BLURRED = 0.03, 0.012
"""Fine detail (`enrollment.likeness`) from which a face is sharp, and under which it is blurred."""
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
HIDDEN, BELOW = 0.12, 0.3
"""Part of the face that hair hides, from which it is told; where the brows are, along the face's axis from 0 at the forehead to 1
at the chin: a fringe above them is no harm."""
OUTLINE, OFF = 0.7, 1.5
"""How far an avatar's outline may be from the photo's, pixels at 512x512, to be called the same, and from which it is off."""
ALIKE, UNLIKE = 0.05, 0.09
"""The same for the difference of the colours in the face, [0, 1]."""
CRISP, SOFT = 0.6, 0.4
"""Part of the photo's fine detail that a sharp avatar keeps, and under which it is soft."""

WITHOUT = "use a photo without it, if the avatar shall have none"
WORN = {
    GLASSES: ("the glasses lie flat on the avatar's face", "use a photo without them, if the avatar shall have none"),
    HAT: ("a hat or a scarf stays on the avatar, and nothing is known of what is under it", WITHOUT),
    ON_HEAD: ("something on the head (a band, headphones) stays on the avatar", WITHOUT),
    AT_EAR: ("something at an ear (an earring, headphones) stays on the avatar", WITHOUT),
    AT_NECK: ("something at the neck (a necklace, a cord) stays on the avatar", WITHOUT),
    BEFORE_FACE: ("something before the face lies flat on the avatar's face", "use a photo without it"),
}
"""Sentence and advice for each of `accessories`' names."""


@dataclass(frozen=True)
class Remark:
    """topic: likeness, detail, covered, worn, size, sharpness, light, direction, mouth, hair, sides, other. good: whether it
    helps. sentence: for the person. advice: what to do, one sentence; may be empty."""

    topic: str
    good: bool
    sentence: str
    advice: str = ""


def remarks(
    portrait: Portrait, warnings: tuple[str, ...] | list[str], *, filmed: bool, photos: int = 1, like: Likeness | None = None
) -> tuple[Remark, ...]:
    """What is weak first, then what is good. portrait: the leading one. warnings: of the enrollment. filmed: a clip was learned
    from, which shows the sides and how the face moves. like: how like the avatar is."""
    found = [*_warned(warnings, portrait), *_seen(portrait, filmed=filmed), _sides(filmed=filmed, photos=photos)]
    found = [*(_alike(like) if like is not None else []), *found, *_worn(portrait, warnings)]
    return tuple(sorted(found, key=lambda remark: remark.good))


def _alike(like: Likeness) -> list[Remark]:
    """What the avatar looks like where the photo can tell."""
    found = []
    if like.outline > OFF:
        sentence = "the avatar's outline is not the photo's everywhere"
        found.append(Remark("likeness", False, sentence, "use a photo before a plain wall that hair and clothes stand out from"))
    if like.colors > UNLIKE:
        sentence = "the colours of the avatar's face are not quite the photo's"
        found.append(Remark("likeness", False, sentence, "use a photo in soft, even light"))
    if not found and like.outline <= OUTLINE and like.colors <= ALIKE:
        found.append(Remark("likeness", True, "seen as in the photo, the avatar has its outline and its colours"))
    if like.detail < SOFT:
        sentence = "the avatar's face is softer than the photo"
        found.append(Remark("detail", False, sentence, "let it be improved, or enroll with a better quality"))
    elif like.detail >= CRISP:
        found.append(Remark("detail", True, "the avatar's face keeps most of the photo's fine detail"))
    return found


def _worn(portrait: Portrait, warnings: tuple[str, ...] | list[str]) -> list[Remark]:
    """What is worn; glasses that cover the eyes are told already."""
    dark = any("covers the eyes" in warning for warning in warnings)
    return [Remark("worn", False, *WORN[name]) for name in worn(portrait) if not (dark and name == GLASSES)]


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
    sharpness = fine_detail(portrait, portrait.image)
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
    if hidden_by_hair(portrait) > HIDDEN:
        found.append(Remark("hair", False, "hair hides a part of the face", "put it back from the face for the photo"))
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


def light_of(portrait: Portrait) -> tuple[float, float, float]:
    """Brightness of the lighter half in parts of the darker one; mean brightness, [0, 1]; and the part that is white."""
    gray, inside = face_of(portrait, portrait.image)
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


def hidden_by_hair(portrait: Portrait) -> float:
    """Which part of the face below the brows is hair; 0 where the parsing sees no person."""
    if portrait.parsing is None:
        return 0.0
    p = portrait.landmarks.points[:, :2]
    down = p[CHIN] - p[FOREHEAD]
    row, column = np.mgrid[: portrait.matte.shape[0], : portrait.matte.shape[1]]
    along = ((column - p[FOREHEAD, 0]) * down[0] + (row - p[FOREHEAD, 1]) * down[1]) / max(float(down @ down), 1e-6)
    face = (well_within(portrait.landmarks, portrait.matte.shape) > 0) & (along > BELOW)
    return float(portrait.parsing.most("hair")[face].mean()) if face.any() else 0.0


def _contrast(portrait: Portrait) -> float:
    gray, inside = face_of(portrait, portrait.image)
    return float(gray[inside].std())


def _opening(face: Landmarks) -> float:
    p = face.points[:, :2]
    upper, lower, left, right = (p[i] for i in LIPS)
    return float(np.linalg.norm(upper - lower) / (np.linalg.norm(left - right) + 1e-6))
