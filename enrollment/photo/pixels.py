"""Pixel formats and colour management: all of Pillow's modes, ICC profiles and gamma values become 8-bit sRGB."""

from __future__ import annotations

import io
import struct

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

SEE_THROUGH = ("RGBA", "LA", "PA", "La", "RGBa")
WHITE_IS_ZERO = 0
"""Of TIFF's tag 262, photometric interpretation."""
PHOTOMETRIC = 262
USUAL_GAMMA = 1 / 2.2
"""A PNG's gAMA value for sRGB pixels."""
GAMMA_TOLERANCE = 0.02


def to_rgb(picture: Image.Image) -> NDArray[np.uint8]:
    """A decoded picture of any mode as (H, W, 3) uint8 sRGB, transparency on white."""
    profile = picture.info.get("icc_profile")
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        grey = eight_bits(np.asarray(picture))
        if getattr(picture, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO:
            grey = np.invert(grey)
        return rgb_of(grey[..., None], profile)
    gamma = None if profile or "srgb" in picture.info else picture.info.get("gamma")
    if picture.mode in SEE_THROUGH or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    if picture.mode not in ("L", "CMYK"):
        picture = picture.convert("RGB")
    pixels = np.asarray(_in_srgb(picture, profile).convert("RGB"), np.uint8)
    return pixels if gamma is None else _without_gamma(pixels, float(gamma))


def rgb_of(channels: NDArray[np.uint8], profile: bytes | None) -> NDArray[np.uint8]:
    """(H, W, 1 or 3) uint8, as an ICC profile means them or in sRGB, as (H, W, 3) uint8 sRGB."""
    picture = Image.fromarray(channels[..., 0] if channels.shape[2] == 1 else channels)
    return np.asarray(_in_srgb(picture, profile).convert("RGB"), np.uint8)


def eight_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Any numbers as 8 bits of the same shape: whole ones fill the range of 8 or of 16 bits (of more if they are more), floating
    point ones [0, 1] or one of these; highlights beyond that are cut."""
    whole = np.issubdtype(values.dtype, np.integer)
    numbers = np.nan_to_num(values.astype(np.float32), posinf=0, neginf=0)
    largest = float(numbers.max()) if whole else float(np.quantile(numbers, 0.99)) / 2
    ranges = (255.0, 65535.0, float(2**32 - 1)) if whole else (1.0, 255.0, 65535.0)
    top = next((top for top in ranges if largest <= top), ranges[-1])
    return np.asarray(np.clip(numbers * np.float32(255 / top), 0, 255), np.uint8)


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Colours as the file's ICC profile means them (phones write Display P3); as they are when it has none or a broken one."""
    if not profile:
        return picture
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError, struct.error):
        return picture
    return picture if converted is None else converted


def _without_gamma(pixels: NDArray[np.uint8], gamma: float) -> NDArray[np.uint8]:
    """PNG's gAMA (PNG specification, third edition, 11.3.2.2): a pixel is light to the power of `gamma`."""
    if not 0.05 < gamma < 20 or abs(gamma - USUAL_GAMMA) < GAMMA_TOLERANCE:
        return pixels
    light = np.linspace(0, 1, 256) ** (1 / gamma)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.round(255 * encoded), np.uint8)[pixels]
