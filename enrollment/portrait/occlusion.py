"""Occlusion of the face in a photo: dark glasses, a mask, a hand. It would become part of the avatar, so the person is warned.

The landmark network finds a whole face under any occlusion, so pixels are tested: an eye and a mouth have contrast, and the
regions around an eye and under the nose have the colour of the rest of the skin.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.tracking.face_geometry import CHIN, FOREHEAD, face_height, well_within
from models.tracking.landmarks import Landmarks, quiet
from models.types import Array

EYES = {"left": (263, 362), "right": (33, 133)}
"""Outer and inner corner; left is the person's."""
RIMS = {
    "left": (362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382),
    "right": (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
}
LENS = (0.62, 0.45, 0.12)
"""Half width and half height of a lens, and how far its centre lies under the eye's centre, eye widths."""
DARK, MOSTLY = 0.5, 0.75
"""Brightness relative to the skin under which a pixel is dark; and part of a lens that is dark in sunglasses."""
SMOOTH, VEILED = 0.2, 0.25
"""Least contrast of an open eye, relative to the skin's brightness (80 faces: 0.23 to 1.8); and largest mean contrast of both
eyes behind dark glasses."""
CORNERS, LIPS = (61, 291), (13, 14)
"""Landmarks at the corners of the mouth, and at the middle of the lips."""
ALONG = np.linspace(0.15, 0.85, 9)
"""Positions along the mouth, 0 to 1, at which the contrast across the mouth is measured."""
REACH = 0.11
"""Extent of each measurement above and below the mouth, face heights."""
FLAT = 0.17
"""Least contrast of two thirds of a mouth, relative to the skin's brightness (80 faces: 0.19)."""
UPPER = (151, 9, 108, 337, 6, 197, 101, 330)
"""Landmarks that a mask does not cover: forehead, bridge of the nose, under the eyes."""
LOWER = ((164, 167, 393), (0, 17, 37, 267, 84, 314), (199, 200, 175), (212, 432, 57, 287))
"""Groups of landmarks that a mask covers: over the lip, the lips, the chin, beside the mouth."""
PATCH = 0.015
"""Radius around a landmark of which its colour is the median, face heights."""
CLOTH, ALIKE = 0.17, 0.12
"""Color distance (`_color_distance`) from the skin above which a region is not skin; and largest distance between the regions of
one mask (a beard's differ more)."""
FINGERS = 4
"""Landmarks of a hand, of 21, that lie on a covered face."""


def occlusion_warnings(image: NDArray[np.uint8], face: Landmarks) -> list[str]:
    """Warnings for the person about what covers a part of the face; image: (S, S, 3) uint8 sRGB, landmarks in its pixels."""
    out = []
    measured = OcclusionMeasurements.of(image, face)
    hidden = [side for side, contrast in measured.eyes.items() if contrast < SMOOTH]
    if min(measured.dark.values()) > MOSTLY and np.mean(list(measured.eyes.values())) < VEILED:
        out.append("something dark covers the eyes (sunglasses?); take it off for a better avatar")
    elif hidden:
        eyes = "the eyes cannot" if len(hidden) == 2 else f"the {hidden[0]} eye cannot"
        out.append(f"{eyes} be seen (closed, or under hair or a hand?); use a photo that shows both, open")
    if hand_on_face(image, face):
        out.append("a hand covers a part of the face; use a photo without it, or it stays on the avatar")
    elif measured.masked or measured.mouth < FLAT:
        out.append("something covers the mouth (a mask, a hand, a cup?); use a photo without it, or it stays on the avatar")
    return out


@dataclass(frozen=True)
class OcclusionMeasurements:
    """Pixel statistics of one face. dark: by eye, the part of a lens over the eye that is dark. eyes: by eye, the contrast
    relative to the skin's brightness. mouth: contrast of the third of the mouth that has the least, relative to the skin's
    brightness. masked: whether mouth, chin and cheeks have one colour that is not the skin's."""

    dark: dict[str, float]
    eyes: dict[str, float]
    mouth: float
    masked: bool

    @staticmethod
    def of(image: NDArray[np.uint8], face: Landmarks) -> OcclusionMeasurements:
        colors: Array = cv2.GaussianBlur(image, (0, 0), 0.004 * face_height(face)).astype(np.float32) / 255
        light = colors.mean(axis=2)
        upper = _tone(colors, face, UPPER)
        bright = max(float(upper.mean()), 0.05)
        dark = {side: float((light[_lens(face, side, light.shape)] < DARK * bright).mean()) for side in EYES}
        eyes = {side: _contrast(light[_polygon(face, rim, light.shape)]) / bright for side, rim in RIMS.items()}
        profile = np.sort(_mouth_profile(light, face)) / bright
        lower = [_tone(colors, face, marks) for marks in LOWER]
        strange = min(_color_distance(tone, upper) for tone in lower) > CLOTH
        uniform = max(_color_distance(a, b) for a in lower for b in lower) < ALIKE
        return OcclusionMeasurements(dark, eyes, float(profile[len(profile) // 3 - 1]), strange and uniform)


def hand_on_face(image: NDArray[np.uint8], face: Landmarks) -> bool:
    """Whether MediaPipe's hand network, which the wheel carries, sees a hand with some fingers on the face."""
    import mediapipe as mp

    within = well_within(face, image.shape[:2])
    side = np.array([image.shape[1], image.shape[0]])
    with quiet(), mp.solutions.hands.Hands(static_image_mode=True, max_num_hands=2, min_detection_confidence=0.6) as hands:
        found = hands.process(np.ascontiguousarray(image)).multi_hand_landmarks or []
    for hand in found:
        at = np.array([(p.x, p.y) for p in hand.landmark]) * side
        column, row = np.clip(at.astype(int), 0, side - 1).T
        if within[row, column].sum() >= FINGERS:
            return True
    return False


def _tone(colors: Array, face: Landmarks, marks: tuple[int, ...]) -> Array:
    """The median colour (3,) around some landmarks."""
    spot = np.zeros(colors.shape[:2], np.uint8)
    radius = max(1, round(PATCH * face_height(face)))
    for x, y in np.round(face.points[list(marks), :2]).astype(int):
        cv2.circle(spot, (int(x), int(y)), radius, 1, -1)
    return np.asarray(np.median(colors[spot > 0], axis=0) if spot.any() else colors.mean(axis=(0, 1)), np.float32)


def _color_distance(a: Array, b: Array) -> float:
    """Distance of two colours (3,), half as much for brightness as for hue."""
    grey = a.mean() - b.mean()
    return float(np.linalg.norm(a - b - grey) + 0.5 * abs(grey))


def _polygon(face: Landmarks, rim: tuple[int, ...], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    out = np.zeros(shape, np.uint8)
    cv2.fillPoly(out, [np.round(face.points[list(rim), :2]).astype(np.int32)], 1)
    return out > 0


def _lens(face: Landmarks, side: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """(S, S) where a lens before an eye would be."""
    outer, inner = face.points[list(EYES[side]), :2]
    middle, width = 0.5 * (outer + inner), float(np.linalg.norm(outer - inner))
    middle = middle - LENS[2] * width * _up(face)
    axes = (max(1, round(LENS[0] * width)), max(1, round(LENS[1] * width)))
    out = np.zeros(shape, np.uint8)
    across = outer - inner
    tilt = float(np.degrees(np.arctan2(across[1], across[0])))
    cv2.ellipse(out, (round(float(middle[0])), round(float(middle[1]))), axes, tilt, 0, 360, 1, -1)
    return out > 0


def _up(face: Landmarks) -> Array:
    up = face.points[FOREHEAD, :2] - face.points[CHIN, :2]
    return np.asarray(up / max(float(np.linalg.norm(up)), 1e-6), np.float32)


def _contrast(values: Array) -> float:
    return float(np.subtract(*np.quantile(values, [0.95, 0.05]))) if values.size else 0.0


def _mouth_profile(light: Array, face: Landmarks) -> Array:
    """Contrast across the mouth at `ALONG`, from the person's right to the left, (9,)."""
    right, left = face.points[list(CORNERS), :2]
    curvature = face.points[list(LIPS), :2].mean(axis=0) - 0.5 * (right + left)
    across = _up(face) * REACH * face_height(face)
    steps = np.linspace(-1, 1, 41)
    middle = right + ALONG[:, None] * (left - right) + (4 * ALONG * (1 - ALONG))[:, None] * curvature
    at = (middle[:, None] + steps[None, :, None] * across).astype(np.float32)
    drawn = cv2.remap(light, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    bow = np.polynomial.polynomial.polyfit(steps, drawn.T, 1)  # a gradient of the light is not contrast
    level = drawn - np.polynomial.polynomial.polyval(steps, bow)
    return np.asarray(level.max(axis=1) - level.min(axis=1), np.float32)
