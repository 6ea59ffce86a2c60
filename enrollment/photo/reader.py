"""Read an untrusted photo file: any picture becomes upright sRGB pixels, anything else raises one `PhotoError`.

Sizes are checked before anything is decoded. Formats: those that cameras, phones and browsers write. Pixel formats and colours
are in `enrollment.photo.pixels`.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from enrollment.photo.deep_tiff import UnreadableTiff, needs_help, read_deep
from enrollment.photo.pixels import to_rgb
from models.errors import PhotoError
from models.tensor_file import open_regular

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "HEIF")
"""Pillow's names; its JPEG reader also opens the pairs of pictures (MPO) that some phones write. HEIF is pillow-heif's."""
MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*")
"""Magic bytes of the formats that have unmistakable ones."""
STILL_BRANDS = (b"hei", b"hev", b"mi", b"Mi", b"msf1", b"avi", b"crx")
"""How the brands of ISO media files (ISO 14496-12, `ftyp`) begin that hold pictures: HEIF, AVIF, CR3; others are films."""
MAX_PIXELS = 64_000_000
MAX_BYTES = 128 * 1024 * 1024
MOST_LOST = 0.1
"""Largest part of a photo's height that may be missing because the file is truncated."""
LEAST_LOST = 0.005
"""Part of the height from which a loss is reported."""
NEVER_DRAWN = {"JPEG": 128, "MPO": 128}
"""Pixel value that a decoder leaves where the file is truncated, by format; 0 for the others."""
DRAWN_OTHERWISE = ("BMP", "GIF")
"""Formats that may be decoded in another order than from top to bottom."""
END_OF_JPEG = b"\xff\xd9"
ORIENTATION = 274
"""EXIF's tag."""
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip
"""EXIF's orientation -> what makes the picture upright (EXIF 2.32, tag 274)."""


class Photo(NamedTuple):
    """pixels: (H, W, 3) uint8 sRGB, upright. digest: the file's SHA-256 (hex). warnings: sentences for the person."""

    pixels: NDArray[np.uint8]
    digest: str
    warnings: tuple[str, ...]


def read_photo(path: Path) -> Photo:
    """The picture in a file; transparency is seen on white.

    Raises `PhotoError` when the file is missing, no plain file, no picture, damaged, or too large.
    """
    try:
        with open_regular(path) as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PhotoError(f"a photo was expected at {str(path)!r}, which cannot be read ({reason}); check the name") from None
    if len(data) > MAX_BYTES:
        if _is_film(data):
            raise _film(path.name)
        raise PhotoError(f"a photo of at most {MAX_BYTES >> 20} MB was expected, {path.name} has more; scale it down")
    pixels, notes = decode(data, path.name)
    return Photo(pixels, hashlib.sha256(data).hexdigest(), notes)


def decode(data: bytes, name: str) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """The bytes of a picture file as (H, W, 3) uint8 sRGB, and warnings; of an animation the first picture, of several pictures
    the one that the file calls its primary one. name: for messages.

    Raises `PhotoError` as `read_photo` does.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd files
            if needs_help(data, MAX_PIXELS):
                return read_deep(data), ()
            picture, lost = _whole(data, name)
            pixels = to_rgb(_upright(picture))
    except PhotoError:
        raise
    except UnreadableTiff as error:
        raise PhotoError(f"a TIFF of a common kind was expected, {name} {error}; export it as JPEG") from None
    except Image.DecompressionBombError:
        raise _too_large(name, "far more") from None
    except UnidentifiedImageError:
        if _is_film(data):
            raise _film(name) from None
        if data.startswith(MAGIC) or data[4:8] == b"ftyp":
            raise _damaged(name, "no reader makes sense of it") from None
        raise PhotoError(
            f"a JPEG, PNG, WebP, HEIC, AVIF, TIFF or BMP photo was expected, {name} is none; export it as JPEG"
        ) from None
    except Exception as error:  # a damaged file makes the decoders raise whatever they stumble over, struct.error to KeyError
        raise _damaged(name, str(error).partition("\n")[0].rstrip(".") or type(error).__name__) from None
    return pixels, (lost,) if lost else ()


def _is_film(data: bytes) -> bool:
    """Whether these are the first bytes of an MP4, QuickTime, Matroska, WebM, AVI or MPEG file."""
    if data[4:8] == b"ftyp":
        return not data[8:12].startswith(STILL_BRANDS)
    is_avi = data.startswith(b"RIFF") and data[8:12] == b"AVI "
    return is_avi or data[4:8] in (b"moov", b"mdat") or data.startswith((b"\x1aE\xdf\xa3", b"\0\0\x01\xba", b"\0\0\x01\xb3"))


def _film(name: str) -> PhotoError:
    return PhotoError(f"a photo was expected, {name} is a film; give a picture, or the film as a clip")


def _too_large(name: str, has: str) -> PhotoError:
    return PhotoError(f"a photo of at most {MAX_PIXELS // 1_000_000} megapixels was expected, {name} has {has}; scale it down")


def _damaged(name: str, reason: str) -> PhotoError:
    return PhotoError(f"a whole picture was expected, {name} is damaged ({reason}); export it again")


def _opened(data: bytes, name: str) -> ImageFile.ImageFile:
    """The picture with its size known and its pixels not yet decoded."""
    import pi_heif

    pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    picture = Image.open(io.BytesIO(data), formats=FORMATS)
    if picture.width * picture.height > MAX_PIXELS:
        raise _too_large(name, f"{picture.width}x{picture.height}")
    return picture


def _whole(data: bytes, name: str) -> tuple[Image.Image, str]:
    """The decoded picture; what is missing of it because the file was cut off, in words, "" for nothing. That is cut away.

    Pillow has a switch for files that are cut off, but it holds for the whole process.
    """
    picture = _opened(data, name)
    try:
        picture.load()
        return picture, ""
    except (OSError, SyntaxError) as error:
        damage = error
    if picture.format in NEVER_DRAWN:
        picture = _opened(data + END_OF_JPEG, name)
        picture.load()
    elif picture._im is None or picture.info.get("interlace"):
        raise damage
    picture.tile = []  # what there is, is decoded
    first, last, lost = _drawn_rows(picture)
    if lost > MOST_LOST:
        raise _damaged(name, f"{lost:.0%} of its height are missing")
    part = picture.crop((0, first, picture.width, last))
    part.info = picture.info | {"orientation": _orientation(picture)}
    if lost >= LEAST_LOST:
        return part, f"{name} ends too soon; {lost:.0%} of its height are missing"
    return part, f"{name} ends too soon; its finest detail may be missing" if picture.info.get("progressive") else ""


def _drawn_rows(picture: ImageFile.ImageFile) -> tuple[int, int, float]:
    """Of a picture that its decoder did not finish: the first row that it drew, the one after the last, and the part missing."""
    rows = np.asarray(picture)
    drawn = (rows != NEVER_DRAWN.get(picture.format or "", 0)).reshape(len(rows), -1).any(axis=1)
    if not drawn.any():
        return 0, 0, 1.0
    first, last = int(drawn.argmax()), len(rows) - int(drawn[::-1].argmax())
    if picture.format in DRAWN_OTHERWISE:
        return first, last, float(1 - drawn.mean())
    return 0, last, 1 - last / len(rows)


def _upright(picture: Image.Image) -> Image.Image:
    """Turned as the camera says. HEIF's own turns are already made by its reader, which then takes EXIF's away."""
    turn = UPRIGHT.get(_orientation(picture))
    if turn is None:
        return picture
    info = picture.info
    picture = picture.transpose(turn)
    picture.info = info
    return picture


def _orientation(picture: Image.Image) -> int:
    """1 to 8; 1 where EXIF says nothing that can be understood. The rest of EXIF may be as broken as it likes."""
    if "orientation" in picture.info:
        return int(picture.info["orientation"])
    try:
        return int(picture.getexif().get(ORIENTATION, 1))
    except Exception:  # see `decode`
        return 1
