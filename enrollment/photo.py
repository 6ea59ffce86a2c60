"""A photo file read with suspicion: any picture becomes upright sRGB pixels, anything else one `PhotoError`.

Sizes are checked before anything is decoded. Formats: the ones that cameras, phones and browsers write.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from models.errors import PhotoError
from models.tensor_file import open_regular

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
"""Pillow's names; its JPEG reader also opens the pairs of pictures (MPO) that some phones write."""
MAX_PIXELS = 64_000_000
MAX_BYTES = 128 * 1024 * 1024
DEEP = ("I", "I;16", "I;16B", "I;16L", "F")
"""Pillow's modes of one channel with more than 8 bits."""
SEE_THROUGH = ("RGBA", "LA", "PA", "La", "RGBa")


def read_photo(path: Path) -> tuple[NDArray[np.uint8], str]:
    """Pixels (H, W, 3) uint8 sRGB, upright, transparency on white; and the file's SHA-256.

    Raises `PhotoError` when the file is missing, no plain file, no picture, damaged, or too large.
    """
    try:
        with open_regular(path) as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PhotoError(f"a photo was expected at {str(path)!r}, which cannot be read ({reason}); check the name") from None
    if len(data) > MAX_BYTES:
        raise PhotoError(f"a photo of at most {MAX_BYTES >> 20} MB was expected, {path.name} has more; scale it down")
    return decode_photo(data, path.name), hashlib.sha256(data).hexdigest()


def decode_photo(data: bytes, name: str = "the photo") -> NDArray[np.uint8]:
    """The bytes of a picture file as (H, W, 3) uint8 sRGB; of an animation the first picture.

    Raises `PhotoError` as `read_photo` does.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd files
            picture: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
            if picture.width * picture.height > MAX_PIXELS:
                raise _too_large(name, f"{picture.width}x{picture.height}")
            picture.load()
            return _to_rgb(ImageOps.exif_transpose(picture))
    except PhotoError:
        raise
    except Image.DecompressionBombError:
        raise _too_large(name, "far more") from None
    except UnidentifiedImageError:
        raise PhotoError(f"a JPEG, PNG, WebP, TIFF or BMP photo was expected, {name} is none; export it as JPEG") from None
    except Exception as error:  # a damaged file makes the decoders raise whatever they stumble over, struct.error to KeyError
        reason = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
        raise PhotoError(f"a whole picture was expected, {name} is damaged ({reason}); export it again") from None


def _too_large(name: str, has: str) -> PhotoError:
    return PhotoError(f"a photo of at most {MAX_PIXELS // 1_000_000} megapixels was expected, {name} has {has}; scale it down")


def _to_rgb(picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode in DEEP:
        return np.repeat(_eight_bits(np.asarray(picture, np.float64))[..., None], 3, axis=2)
    profile = picture.info.get("icc_profile")
    if picture.mode in SEE_THROUGH or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    if picture.mode not in ("L", "CMYK"):
        picture = picture.convert("RGB")
    return np.asarray(_in_srgb(picture, profile).convert("RGB"), np.uint8)


def _eight_bits(grey: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Values in [0, 1] (floating point files), of 8 bits or of 16, whichever range they fill, to 8 bits."""
    grey = np.nan_to_num(grey, posinf=0, neginf=0)
    largest = grey.max()
    top = 1.0 if largest <= 1 else 255.0 if largest <= 255 else 65535.0
    return np.asarray(np.clip(grey / top * 255, 0, 255), np.uint8)


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Colours as the file's ICC profile means them (phones write Display P3); as they are when it has none or a broken one."""
    if not profile:
        return picture
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return picture
    return picture if converted is None else converted
