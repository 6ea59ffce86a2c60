"""The photo: read safely, the face found and judged, cropped around the head, matted.

Everything after this stage works on a `Portrait`, a square picture of at most `SIZE` pixels a side.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from models.errors import PhotoError
from models.landmarks import Landmarks, detect_faces
from models.types import Array

SIZE = 768
"""Side of the working picture, pixels."""
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "MPO")
MAX_PIXELS = 64_000_000
MAX_BYTES = 128 * 1024 * 1024
SMALLEST_FACE = 128
"""Pixels from the chin to the crown, in the photo as it came."""
CROP = 2.7
"""Side of the crop in face heights; hair, neck and shoulders fit in."""
MOST_TURN = 55.0
"""Degrees; a face turned further from the camera hides too much of itself."""
CROWN = 1.3
"""Chin to crown, in units of chin to forehead: how large a whole face is, judged from the landmarks."""
FOREHEAD, CHIN, LEFT_CHEEK, RIGHT_CHEEK = 10, 152, 454, 234


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


def read_photo(path: Path) -> tuple[NDArray[np.uint8], str]:
    """Pixels (H, W, 3) uint8 sRGB, upright, transparency on white; and the file's SHA-256.

    Raises `PhotoError` when the file is missing, no picture, damaged, or too large; sizes are checked before decoding.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise PhotoError(f"a photo of at most {MAX_BYTES >> 20} MB was expected, {path.name} has {size >> 20}; scale it down")
        data = path.read_bytes()
    except OSError as error:
        raise PhotoError(f"a photo was expected at {path}, which cannot be read ({error.strerror}); check the name") from None
    return decode_photo(data, path.name), hashlib.sha256(data).hexdigest()


def decode_photo(data: bytes, name: str = "the photo") -> NDArray[np.uint8]:
    """The bytes of a picture file as (H, W, 3) uint8 sRGB. Raises `PhotoError` as `read_photo` does."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
            if picture.width * picture.height > MAX_PIXELS:
                raise PhotoError(
                    f"a photo of at most {MAX_PIXELS // 1_000_000} megapixels was expected, {name} has "
                    f"{picture.width}x{picture.height}; scale it down"
                )
            picture.load()
            return _to_rgb(ImageOps.exif_transpose(picture))
    except (UnidentifiedImageError, Image.DecompressionBombError):
        raise PhotoError(f"a JPEG, PNG, WebP, TIFF or BMP photo was expected, {name} is none; export it as JPEG") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise PhotoError(f"{name} is damaged and cannot be decoded ({error}); export it again") from None


def _to_rgb(picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode in ("I", "I;16", "I;16B", "I;16L", "F"):  # 16 bit grey
        grey = np.asarray(picture, np.float64)
        top = 65535.0 if grey.max() > 255 else 255.0
        picture = Image.fromarray(np.uint8(np.clip(grey / top * 255, 0, 255)))
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return np.asarray(picture.convert("RGB"), np.uint8)


def prepare(photo: NDArray[np.uint8], photo_hash: str = "") -> Portrait:
    """Find the face, judge it, crop and matte. photo: (H, W, 3) uint8 sRGB.

    Several faces: the largest, with a warning. Raises `PhotoError` when no face is found, when it is under
    `SMALLEST_FACE` pixels high, or turned away by more than `MOST_TURN` degrees.
    """
    faces = detect_faces(photo)
    if not faces:
        raise PhotoError("a photo of a person's face was expected, no face was found in it; use one that shows the whole face")
    face, notes = faces[0], []
    if len(faces) > 1:
        notes.append(f"{len(faces)} faces were found; the largest is used")
    height = face_height(face)
    if height * CROWN < SMALLEST_FACE:
        raise PhotoError(
            f"a face at least {SMALLEST_FACE} pixels high was expected, this one has {height * CROWN:.0f}; "
            "use a larger or closer photo"
        )
    turn = turned_away(face)
    if turn > MOST_TURN:
        raise PhotoError(f"a face turned less than {MOST_TURN:.0f} degrees was expected, this one is in profile; face the camera")
    image, inside, face, scale, (left, top) = _crop(photo, face, height)
    alpha = matte(image) * inside
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
    matrix = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
    if scale < 0.7:  # shrink without aliasing
        photo = cv2.GaussianBlur(photo, (0, 0), 0.5 / scale)
    matrix[:, 2] += 0.5 * scale - 0.5  # warpAffine counts from pixel centres
    image = cv2.warpAffine(photo, matrix, (SIZE, SIZE), flags=cv2.INTER_CUBIC, borderValue=(255, 255, 255))
    ones = np.full(photo.shape[:2], 255, np.uint8)
    inside = cv2.warpAffine(ones, matrix, (SIZE, SIZE), flags=cv2.INTER_NEAREST, borderValue=0) > 0
    points = p.copy()
    points[:, :2] = (p[:, :2] - [left, top]) * scale
    points[:, 2] *= scale
    face = replace(face, points=points.astype(np.float32), width=SIZE, height=SIZE)
    return np.asarray(image, np.uint8), inside, face, float(scale), (float(left), float(top))


def matte(image: NDArray[np.uint8]) -> Array:
    """How much of each pixel is the person: (H, W, 3) uint8 -> (H, W) float32 in [0, 1].

    MediaPipe's selfie segmentation, its soft edge drawn onto the picture's own edges by a guided filter (He et al. 2013).
    """
    import mediapipe as mp

    with mp.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0) as segmenter:
        coarse = segmenter.process(np.ascontiguousarray(image)).segmentation_mask.astype(np.float32)
    guide = image.astype(np.float32) / 255
    radius = max(4, image.shape[0] // 64)
    fine = np.clip((cv2.ximgproc.guidedFilter(guide, coarse, radius, 1e-3) - 0.4) / 0.2, 0, 1)
    fine = cv2.ximgproc.guidedFilter(guide, fine, max(2, radius // 3), 1e-5)
    alpha = np.clip((fine - 0.2) / 0.6, 0, 1).astype(np.float32)
    count, label = cv2.connectedComponents(np.uint8(alpha > 0.1))
    if count > 2:  # a bright spot in the background is nobody
        largest = 1 + int(np.argmax(np.bincount(label.ravel(), minlength=count)[1:]))
        alpha[label != largest] = 0.0
    return alpha
