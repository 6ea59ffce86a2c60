"""Matting: how much of each pixel of a picture is the person."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.errors import PhotoError
from models.tracking.closed_form import closed_form_alpha, foreground_colors
from models.tracking.face_geometry import CHIN, face_height, well_within
from models.tracking.landmarks import Landmarks, quiet
from models.tracking.parsing import Parsing, parse
from models.types import Array

LEAST_MATTED = 0.5
"""Part of the face that the matte must cover; else the segmentation has taken something else for the person."""
SUPPORT = 0.35
"""What the selfie segmentation adds to the parsing's probability below the chin, where the parsing is in doubt about dark or
drawn clothes."""
HOLE, DOUBT = 0.002, 0.25
"""A hole in the person is filled when it is smaller than this part of the picture, or when the probability in it is larger than
this."""
HAIR_BAND, BAND = 0.08, 0.032
"""Distance from the parsing's outline within which the edge is looked for in the picture's colours, face heights: where hair is
near, and elsewhere."""
STEEP = 1.25
"""How much steeper than the parsing's probability the guess for an unknown pixel is."""

ALONE = 512
"""Pixels across of a picture to which an avatar's is compared."""
MOST_FACE = 240
"""Height of a face, pixels, from which a clip's picture is matted smaller."""


@dataclass(frozen=True)
class Matte:
    """alpha: (H, W) float32 in [0, 1], how much of a pixel is the person. parsing: None when the parsing sees no person."""

    alpha: Array
    parsing: Parsing | None


def matte(image: NDArray[np.uint8], face: Landmarks | None = None) -> Array:
    """How much of each pixel is the person, quickly: (H, W, 3) uint8 -> (H, W) float32 in [0, 1].

    MediaPipe's selfie segmentation, its soft edge drawn onto the picture's own edges by a guided filter (He et al. 2013).
    face: whose face it is, in pixels of `image`; without it the largest person is taken. Raises `PhotoError` when the
    segmentation does not see a person where the face is.
    """
    guide = image.astype(np.float32) / 255
    radius = max(4, image.shape[0] // 64)
    fine = np.clip((cv2.ximgproc.guidedFilter(guide, selfie_share(image), radius, 1e-3) - 0.4) / 0.2, 0, 1)
    fine = cv2.ximgproc.guidedFilter(guide, fine, max(2, radius // 3), 1e-5)
    alpha = np.clip((fine - 0.2) / 0.6, 0, 1).astype(np.float32)
    head = np.zeros(alpha.shape, np.uint8)
    if face is not None:
        head = well_within(face, alpha.shape)
        if alpha[head > 0].mean() < LEAST_MATTED:
            raise PhotoError("a person before a background was expected, the two cannot be told apart; use a plainer background")
        alpha = np.maximum(alpha, head)
    alpha[~_connected(alpha > 0.1, head > 0)] = 0.0  # a bright spot in the background, or somebody else
    return alpha


def matte_photo(image: NDArray[np.uint8], face: Landmarks) -> Matte:
    """The matte of a photo with all care, its soft edge from the photo's colours: (H, W, 3) uint8 -> `Matte`; about a second.

    The parsing says where the person is, closed-form matting where the edge lies. Falls back to `matte`, and raises `PhotoError`
    as it does, when the parsing does not see a person where the face is.
    """
    parsing = parse_person(image, face)
    if parsing is None:
        return Matte(matte(image, face), None)
    head = well_within(face, image.shape[:2]) > 0
    height = face_height(face)
    below = np.arange(image.shape[0])[:, None] > face.points[CHIN, 1]
    share = np.clip(parsing.person + SUPPORT * selfie_share(image) * below, 0, 1)
    person = _without_holes(_connected((share > 0.5) | head, head), share)
    hair = ndimage.distance_transform_edt(~parsing.most("hair")) < HAIR_BAND * height
    away = np.where(person, ndimage.distance_transform_edt(person), ndimage.distance_transform_edt(~person))
    unknown = (away <= np.where(hair, HAIR_BAND, BAND) * height) & ~head
    guess = np.where(unknown, np.clip(STEEP * (share - 0.5) + 0.5, 0, 1), person).astype(np.float32)
    alpha = closed_form_alpha(image.astype(np.float32) / 255, guess, unknown)
    alpha[~_connected(alpha > 0.1, head)] = 0.0
    return Matte(alpha, parsing)


def matte_frame(image: NDArray[np.uint8], face: Landmarks | None) -> Array:
    """How much of each pixel of a clip's picture is the person, as careful as in a photo: (H, W, 3) uint8 -> (H, W) float32.

    A face larger than `MOST_FACE` pixels is matted in a smaller picture, so that the time is bounded. A picture without a face,
    or in which the person cannot be told from the background, is matted as `matte` does it; none is refused.
    """
    height, width = image.shape[:2]
    by = 1.0 if face is None else min(1.0, MOST_FACE / max(face_height(face), 1.0))
    size = max(1, round(width * by)), max(1, round(height * by))
    small = image if by == 1.0 else np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    try:
        if face is None:
            raise PhotoError("a face was expected")
        points = face.points * np.array([size[0] / width, size[1] / height, by], np.float32)
        alpha = matte_photo(small, replace(face, points=points, width=size[0], height=size[1])).alpha
    except PhotoError:
        alpha = matte(small)
    if by < 1.0:
        alpha = np.clip(cv2.resize(alpha, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
    return np.asarray(alpha, np.float32)


def person_alone(image: NDArray[np.uint8], alpha: Array) -> tuple[NDArray[np.uint8], Array]:
    """`person_colors` of a picture (H, W, 3), and its matte (H, W), both shrunk to at most `ALONE` pixels across."""
    by = min(1.0, ALONE / image.shape[1])
    size = max(1, round(by * image.shape[1])), max(1, round(by * image.shape[0]))
    image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    alpha = np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), np.float32)
    return person_colors(image, alpha), alpha


def person_colors(image: NDArray[np.uint8], alpha: Array) -> NDArray[np.uint8]:
    """The person's colours without the background's, (H, W, 3) uint8. alpha: (H, W) in [0, 1]."""
    return np.asarray(np.round(255 * foreground_colors(image.astype(np.float32) / 255, alpha)), np.uint8)


def parse_person(image: NDArray[np.uint8], face: Landmarks) -> Parsing | None:
    """The mean parsing of a picture (H, W, 3) and of its mirror image, which is steadier than one alone; None when it does not
    see a person where the face is."""
    mirrored = parse(image[:, ::-1]).shares[:, ::-1]
    parsing = Parsing(0.5 * (parse(image).shares + mirrored))
    head = well_within(face, image.shape[:2]) > 0
    return parsing if head.any() and parsing.person[head].mean() >= LEAST_MATTED else None


def selfie_share(image: NDArray[np.uint8]) -> Array:
    """Probability that a pixel is a person by MediaPipe's selfie segmentation, (H, W) float32, blurred."""
    import mediapipe as mp

    with quiet(), mp.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0) as segmenter:
        return np.asarray(segmenter.process(np.ascontiguousarray(image)).segmentation_mask, np.float32)


def _connected(person: NDArray[np.bool_], head: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The one connected part of `person` (H, W) that covers most of `head`; the largest one when there is no head."""
    count, label = cv2.connectedComponents(np.uint8(person))
    if count <= 2:
        return person
    pixels = np.bincount(label[head] if head.any() else label.ravel(), minlength=count)
    return np.asarray(label == 1 + int(np.argmax(pixels[1:])))


def _without_holes(person: NDArray[np.bool_], share: Array) -> NDArray[np.bool_]:
    """`person` (H, W) without the holes that are doubtful: a white shirt is one, the gap between arm and chest is not."""
    closed = np.pad(person, ((0, 1), (0, 0)), constant_values=True)  # the chest goes on below the picture
    holes, count = ndimage.label(ndimage.binary_fill_holes(closed)[:-1] & ~person)
    if not count:
        return person
    index = np.arange(1, count + 1)
    size, mean = ndimage.sum_labels(np.ones_like(share), holes, index), ndimage.mean(share, holes, index)
    filled = index[(size < HOLE * person.size) | (mean > DOUBT)]
    return np.asarray(person | np.isin(holes, filled))
