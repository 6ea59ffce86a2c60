"""The face in a photo: found and judged, cropped around the head, matted.

Everything after this stage works on a `Portrait`, a square picture of at most `SIZE` pixels a side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import PhotoError
from models.landmarks import Landmarks, detect_faces, quiet
from models.types import Array, Array64

SIZE = 768
"""Side of the working picture, pixels."""
SMALLEST_FACE = 128
"""Pixels from the chin to the crown, in the photo as it came."""
CROP = 2.7
"""Side of the crop in face heights; hair, neck and shoulders fit in."""
MOST_TURN = 55.0
"""Degrees; a face turned further from the camera hides too much of itself."""
CROWN = 1.3
"""Chin to crown, in units of chin to forehead: how large a whole face is, judged from the landmarks."""
LOOKS, LOOK_SIZE = (1.6, 2.0, 2.6, 3.5), 256
"""Sides, in face heights, of the upright views in which a face is judged once more; and in pixels."""
LEAST_HUMAN = 0.45
"""Mean score of the face detectors over those views. People (also painted and drawn ones) get 0.56 to 0.93, cats at most 0.37."""
MOST_MISSING = 0.08
"""Part of the landmarks that may lie beyond the photo's edge, where they are guesses."""
LEAST_MATTED = 0.5
"""Part of the face that the matte must take for the person, or it has mistaken who that is."""
SHRUNK = 0.7
"""Scale under which a picture is blurred before it is sampled."""
FOREHEAD, CHIN, LEFT_CHEEK, RIGHT_CHEEK = 10, 152, 454, 234
LEFT_EYE, RIGHT_EYE = 263, 33
"""Landmarks; left is the person's."""
CONTOUR = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136,
    172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""The landmarks around the face, from the forehead by the person's left."""
WITHIN = 0.03
"""Face heights inwards from the contour, where a pixel begins to be surely the person's."""


@dataclass(frozen=True)
class Portrait:
    """One photo of one face, ready for fitting.

    image: (S, S, 3) uint8 sRGB, where the photo ended: white. inside: (S, S) bool, what the photo shows.
    matte: (S, S) float32 in [0, 1], how much of a pixel is the person. landmarks: of the face, in pixels of `image`.
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


def prepare(photo: NDArray[np.uint8], photo_hash: str = "", warnings: tuple[str, ...] = ()) -> Portrait:
    """Find the face, judge it, crop and matte. photo: (H, W, 3) uint8 sRGB. warnings: what is known of it already.

    Several faces: the largest, with a warning. Raises `PhotoError` when there is no person's face, when it is under
    `SMALLEST_FACE` pixels high, turned away by more than `MOST_TURN` degrees, cut off, or lost in the background.
    """
    found = detect_faces(photo)
    if not found:
        raise PhotoError("a photo of a person's face was expected, no face was found in it; use one that faces the camera")
    faces = [face for face in found if humanity(photo, face) > LEAST_HUMAN]
    if not faces:
        raise PhotoError(
            "a photo of a person's face was expected, what was found looks more like an animal or only a part of a face; "
            "use one that shows a person's whole face"
        )
    face = faces[0]
    notes = [*warnings, f"{len(faces)} faces were found; the largest is used"] if len(faces) > 1 else [*warnings]
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
    image, inside, face, scale, (left, top) = _crop(photo, face, height)
    alpha = _matte_shown(image, inside, face)
    rows, columns = photo.shape[:2]
    principal = ((columns / 2 - left) * scale, (rows / 2 - top) * scale)
    side = scale * max(rows, columns)
    return Portrait(image, inside, alpha.astype(np.float32), face, principal, scale, side, photo_hash, tuple(notes))


def face_height(face: Landmarks) -> float:
    """Pixels between forehead and chin, independent of a tilt in the picture; at least as large as the cheeks are apart."""
    p = face.points[:, :2]
    return float(max(np.linalg.norm(p[FOREHEAD] - p[CHIN]), np.linalg.norm(p[LEFT_CHEEK] - p[RIGHT_CHEEK])))


def turned_away(face: Landmarks) -> float:
    """How far the face is turned to the side, degrees: the line between the cheeks against the picture plane."""
    across = face.points[LEFT_CHEEK] - face.points[RIGHT_CHEEK]
    return float(np.degrees(np.arctan2(abs(across[2]), np.linalg.norm(across[:2]))))


def missing(photo: NDArray[np.uint8], face: Landmarks) -> float:
    """Which part of the landmarks lies beyond the photo's edge, [0, 1]."""
    p = face.points[:, :2]
    return float(np.mean((p < 0).any(axis=1) | (p >= [photo.shape[1], photo.shape[0]]).any(axis=1)))


def humanity(photo: NDArray[np.uint8], face: Landmarks) -> float:
    """How sure MediaPipe's two face detectors are, [0, 1], the mean over upright views of the face in several widths.

    One look alone takes many a cat for a person; an animal does not fool both detectors at all widths.
    """
    import mediapipe as mp

    detection = mp.solutions.face_detection.FaceDetection
    with quiet(), detection(0.5, 0) as near, detection(0.5, 1) as far:
        views = [_upright(photo, face, side) for side in LOOKS]
        return float(np.mean([_score(detector.process(view).detections or []) for view in views for detector in (near, far)]))


def _upright(photo: NDArray[np.uint8], face: Landmarks, side: float) -> NDArray[np.uint8]:
    """A square view of `side` face heights around the face, its eyes level, grey beyond the photo."""
    p = face.points[:, :2]
    eyes, middle = p[LEFT_EYE] - p[RIGHT_EYE], 0.5 * (p[FOREHEAD] + p[CHIN])
    scale = LOOK_SIZE / (side * face_height(face))
    level = float(np.degrees(np.arctan2(eyes[1], eyes[0])))
    matrix = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), level, scale)
    matrix[:, 2] += LOOK_SIZE / 2 - middle
    return _square(photo, matrix, LOOK_SIZE, 128)[0]


def _score(detections: list[Any]) -> float:
    """The best score of a face in the middle half of the view, 0 for none."""
    best = 0.0
    for hit in detections:
        box = hit.location_data.relative_bounding_box
        if max(abs(box.xmin + box.width / 2 - 0.5), abs(box.ymin + box.height / 2 - 0.5)) < 0.25:
            best = max(best, float(hit.score[0]))
    return best


def _square(photo: NDArray[np.uint8], matrix: Array64, side: int, beyond: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A square of `side` pixels out of the photo, shrunk without aliasing, grey value `beyond` where the photo ended; and
    where it did not, (side, side) bool. matrix: (2, 3), photo -> square, (0, 0) is the corner of both."""
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    corners = cv2.invertAffineTransform(matrix) @ np.array([[0, side, 0, side], [0, 0, side, side], [1, 1, 1, 1]])
    margin, end = 4 + 4 / scale, [photo.shape[1], photo.shape[0]]
    low = np.clip(np.floor(corners.min(axis=1) - margin), 0, end).astype(int)
    high = np.clip(np.ceil(corners.max(axis=1) + margin), 0, end).astype(int)
    part = photo[low[1] : high[1], low[0] : high[0]]
    if scale < SHRUNK:
        part = cv2.GaussianBlur(part, (0, 0), 0.5 / scale)
    matrix = matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ (low + 0.5) - 0.5  # warpAffine counts from pixel centres
    square = cv2.warpAffine(part, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.full(part.shape[:2], 255, np.uint8), matrix, (side, side), flags=cv2.INTER_NEAREST) > 0
    square[~inside] = beyond
    return np.asarray(square, np.uint8), inside


def _crop(
    photo: NDArray[np.uint8], face: Landmarks, height: float
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], Landmarks, float, tuple[float, float]]:
    """A square around the head, scaled to `SIZE`; what lies beyond the photo is white and not `inside`.

    Also the scale, and the left top corner of the square in the photo.
    """
    p = face.points
    middle = 0.5 * (p[FOREHEAD, :2] + p[CHIN, :2])
    side = CROP * height
    left, top = middle[0] - side / 2, middle[1] - 0.5 * side
    scale = SIZE / side
    image, inside = _square(photo, np.array([[scale, 0, -left * scale], [0, scale, -top * scale]]), SIZE, 255)
    points = p.copy()
    points[:, :2] = (p[:, :2] - [left, top]) * scale
    points[:, 2] *= scale
    face = replace(face, points=points.astype(np.float32), width=SIZE, height=SIZE)
    return image, inside, face, float(scale), (float(left), float(top))


def _matte_shown(image: NDArray[np.uint8], inside: NDArray[np.bool_], face: Landmarks) -> Array:
    """`matte` of the part that the photo shows: white padding would mislead the segmentation."""
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    shifted = replace(face, points=face.points - np.array([columns[0], rows[0], 0], np.float32))
    alpha = np.zeros(inside.shape, np.float32)
    alpha[window] = matte(image[window], shifted)
    return alpha * inside


def well_within(face: Landmarks, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """1 within the face's contour, `WITHIN` from it, else 0; shape: (H, W)."""
    out = np.zeros(shape, np.uint8)
    cv2.fillPoly(out, [np.round(face.points[list(CONTOUR), :2]).astype(np.int32)], 1)
    size = 2 * round(WITHIN * face_height(face)) + 1
    return np.asarray(cv2.erode(out, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))), np.uint8)


def matte(image: NDArray[np.uint8], face: Landmarks | None = None) -> Array:
    """How much of each pixel is the person: (H, W, 3) uint8 -> (H, W) float32 in [0, 1].

    MediaPipe's selfie segmentation, its soft edge drawn onto the picture's own edges by a guided filter (He et al. 2013).
    face: whose face it is, in pixels of `image`; without it the largest person is taken. Raises `PhotoError` when the
    segmentation does not see a person where the face is.
    """
    import mediapipe as mp

    with quiet(), mp.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0) as segmenter:
        coarse = segmenter.process(np.ascontiguousarray(image)).segmentation_mask.astype(np.float32)
    guide = image.astype(np.float32) / 255
    radius = max(4, image.shape[0] // 64)
    fine = np.clip((cv2.ximgproc.guidedFilter(guide, coarse, radius, 1e-3) - 0.4) / 0.2, 0, 1)
    fine = cv2.ximgproc.guidedFilter(guide, fine, max(2, radius // 3), 1e-5)
    alpha = np.clip((fine - 0.2) / 0.6, 0, 1).astype(np.float32)
    head = np.zeros(alpha.shape, np.uint8)
    if face is not None:
        head = well_within(face, alpha.shape)
        if alpha[head > 0].mean() < LEAST_MATTED:
            raise PhotoError("a person before a background was expected, the two cannot be told apart; use a plainer background")
        alpha = np.maximum(alpha, head)
    count, label = cv2.connectedComponents(np.uint8(alpha > 0.1))
    if count > 2:  # a bright spot in the background, or somebody else
        pixels = np.bincount(label[head > 0] if face is not None else label.ravel(), minlength=count)
        alpha[label != 1 + int(np.argmax(pixels[1:]))] = 0.0
    return alpha
