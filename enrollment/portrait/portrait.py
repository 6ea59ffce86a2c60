"""The face in a photo: found and judged, cropped around the head, matted.

Everything after this stage works on a `Portrait`, a square picture of at most `SIZE` pixels a side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from enrollment.portrait.far_contour import on_outline
from enrollment.portrait.occlusion import occlusion_warnings
from enrollment.portrait.one_person import without_others
from enrollment.portrait.raised_arms import hidden_head, without_raised_arms
from enrollment.portrait.spill import without_spill
from enrollment.portrait.turned_bias import unbiased
from enrollment.portrait.upright import find_people
from models.errors import PhotoError
from models.tracking.closed_form import foreground_colors
from models.tracking.face_geometry import around, face_height, missing, roll, square, turned_away
from models.tracking.landmarks import Landmarks
from models.tracking.matting import Matte, matte_photo
from models.tracking.parsing import CLASSES, Parsing
from models.types import Array, Array64

SIZE = 768
"""Side of the working picture, pixels."""
SMALLEST_FACE = 128
"""Least height of the face from chin to crown, pixels of the original photo."""
CROP = 2.7
"""Side of the crop in face heights; hair, neck and shoulders fit in."""
MOST_TURN = 55.0
"""Largest angle between face and camera, degrees: a face turned further hides too much of itself."""
CROWN = 1.3
"""Distance from chin to crown, relative to chin to forehead, which the landmarks give."""
MOST_MISSING = 0.08
"""Part of the landmarks that may lie beyond the photo's edge, where they are extrapolated."""
FIRM, STRANDS = 3, 0.03
"""Width of the rim of skin and cloth whose colour is taken from further inwards, pixels; reach of strands around what the parsing
takes for hair, picture sides."""
MOST_TILT, LEAST_TILT = 25.0, 5.0
"""Roll of the head, degrees, from which the photo is taken to be rotated and is rotated until the head is upright; the lower
threshold holds for a photo that was already turned by quarters."""


@dataclass(frozen=True)
class Portrait:
    """One photo of one face, ready for fitting.

    image: (S, S, 3) uint8 sRGB, where the photo ended: white. inside: (S, S) bool, what the photo shows, but for
    an arm before the head.
    matte: (S, S) float32 in [0, 1], how much of a pixel is the person. parsing: of the picture, background where the photo ended;
    None where the parsing sees no person. landmarks: of the face, in pixels of `image`.
    principal: (2,) pixels, where the photo's middle lies in `image`. scale: pixels of `image` per pixel of the photo.
    photo_side: larger side of the photo, pixels of `image`.
    photo_hash: SHA-256 of the file (hex). warnings: sentences for the person who enrolls.
    """

    image: NDArray[np.uint8]
    inside: NDArray[np.bool_]
    matte: Array
    landmarks: Landmarks
    principal: tuple[float, float]
    scale: float
    photo_side: float
    photo_hash: str = ""
    warnings: tuple[str, ...] = ()
    parsing: Parsing | None = None

    @cached_property
    def colors(self) -> Array:
        """The person's colours without the background's, (S, S, 3) float32 in [0, 1]; outside of the person the nearest.

        Strands of hair get their own (`foreground_colors`, `without_spill`), the firm edge of skin and cloth the colour a few
        pixels inwards.
        """
        picture = self.image.astype(np.float32) / 255
        fused = foreground_colors(picture, self.matte)
        if self.hairy.any():
            fused = without_spill(fused, picture, self.matte, self.hairy, self.inside)
        sure = ndimage.binary_erosion(self.matte > 0.95, iterations=FIRM, border_value=1)
        firm = ~sure if self.parsing is None else ~sure & ~self.hairy
        if not sure.any():
            return fused
        nearest = ndimage.distance_transform_edt(~sure, return_distances=False, return_indices=True)
        return np.where(firm[..., None], fused[nearest[0], nearest[1]], fused)

    @cached_property
    def hairy(self) -> NDArray[np.bool_]:
        """(S, S) bool, hair and what lies around it, where a soft edge is strands; nothing where the parsing sees no person."""
        if self.parsing is None:
            return np.zeros(self.matte.shape, bool)
        away = ndimage.distance_transform_edt(~self.parsing.most("hair"))
        skin = self.parsing.most("face_skin", "body_skin", "clothes") & (self.matte > 0.5)
        return np.asarray((away < STRANDS * self.matte.shape[0]) & ~skin)


def prepare(photo: NDArray[np.uint8], photo_hash: str = "", warnings: tuple[str, ...] = ()) -> Portrait:
    """Find the face, judge it, crop and matte. photo: (H, W, 3) uint8 sRGB. warnings: of the photo's reader.

    Several faces: the largest, with a warning. Raises `PhotoError` when there is no person's face, when it is under
    `SMALLEST_FACE` pixels high, turned away by more than `MOST_TURN` degrees, cut off, or lost in the background.
    """
    found = find_people(photo)
    photo, face = found.photo, found.faces[0]
    notes = [*warnings, *([found.note] if found.note else [])]
    if len(found.faces) > 1:
        notes.append(f"{len(found.faces)} faces were found; the largest is used")
    height = face_height(face)
    if height * CROWN < SMALLEST_FACE:
        raise PhotoError(
            f"a face at least {SMALLEST_FACE} pixels high was expected, this one has {height * CROWN:.0f}; "
            "use a larger or closer photo"
        )
    if turned_away(face) > MOST_TURN:
        raise PhotoError(f"a face turned less than {MOST_TURN:.0f} degrees was expected, this one is in profile; face the camera")
    if missing(photo, face) > MOST_MISSING:
        raise PhotoError("a whole face was expected, this one is cut off by the photo's edge; use one with air around the head")
    tilt = roll(face)
    level = tilt if abs(tilt) > (LEAST_TILT if found.note else MOST_TILT) else 0.0
    if level and not found.note:
        notes.append(f"the head was tilted by {abs(tilt):.0f} degrees; the photo was turned until it stood upright")
    image, inside, face, matrix = _crop(photo, face, level)
    matte = _matte_shown(image, inside, face)
    alpha = without_others(image, matte.alpha, face, [_moved(other, matrix) for other in found.faces[1:]])
    alpha, arms = without_raised_arms(alpha, matte.parsing, face)
    inside &= ~hidden_head(arms, face)
    if arms.any():
        notes.append("an arm is raised beside the head; it was left out, use a photo with the arms down")
    face = on_outline(unbiased(face), alpha, inside)
    notes += occlusion_warnings(image, face)
    rows, columns = photo.shape[:2]
    principal = matrix @ (columns / 2, rows / 2, 1.0)
    scale = _scale(matrix)
    side, middle = scale * max(rows, columns), (float(principal[0]), float(principal[1]))
    return Portrait(image, inside, alpha, face, middle, scale, side, photo_hash, tuple(notes), matte.parsing)


def _crop(
    photo: NDArray[np.uint8], face: Landmarks, level: float
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], Landmarks, Array64]:
    """A square around the head, scaled to `SIZE`, turned `level` degrees against the clock; what lies beyond the photo is white
    and not `inside`. Also the way from the photo to it, (2, 3)."""
    matrix = around(face, CROP, SIZE, level)
    image, inside = square(photo, matrix, SIZE, 255)
    return image, inside, _moved(face, matrix), matrix


def _moved(face: Landmarks, matrix: Array64) -> Landmarks:
    """A face of the photo in the crop. matrix: (2, 3), photo -> crop."""
    points = face.points.copy()
    points[:, :2] = face.points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    points[:, 2] *= _scale(matrix)
    return replace(face, points=points.astype(np.float32), width=SIZE, height=SIZE)


def _scale(matrix: Array64) -> float:
    return float(np.sqrt(np.linalg.det(matrix[:, :2])))


def _matte_shown(image: NDArray[np.uint8], inside: NDArray[np.bool_], face: Landmarks) -> Matte:
    """`matte_photo` of the part that the photo shows: white padding would mislead the networks."""
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    shifted = replace(face, points=face.points - np.array([columns[0], rows[0], 0], np.float32))
    found = matte_photo(np.ascontiguousarray(image[window]), shifted)
    alpha = np.zeros(inside.shape, np.float32)
    alpha[window] = found.alpha
    if found.parsing is None:
        return Matte(alpha * inside, None)
    shares = np.zeros((*inside.shape, len(CLASSES)), np.float32)
    shares[..., 0] = 1.0
    shares[window] = found.parsing.shares
    return Matte(alpha * inside, Parsing(shares))
