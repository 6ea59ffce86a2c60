"""A decoded picture of any colour encoding as 8-bit sRGB.

FFmpeg's scaler undoes the YCbCr matrix and the range. What it leaves is done here: other primaries, and the two transfer
functions of high dynamic range (ITU-R BT.2100: PQ and HLG), which the scaler can undo but not without cutting at white.

HDR: display light in cd/m², HLG through its OOTF for 1000 cd/m²; 203 cd/m² are sRGB's white (BT.2408-7, 2.1); above about half of
that the curve of BT.2390-11, 5.4.1, compresses towards white. It is applied to the largest of R, G, B, and the others keep their
ratio, so hues stay. What is outside of sRGB's gamut is cut. SDR is taken as sRGB whatever its transfer function says, as
players do; only linear light is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorTrc, Interpolation, VideoReformatter
from numpy.typing import NDArray

from models.jit import kernel
from models.types import Array, Array64

Pixels = NDArray[np.uint8]

CAREFUL = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
"""The fast conversion to RGB is 2 levels too dark on average and blurs the colours' edges."""
D65 = (0.3127, 0.3290)
BT601_525 = ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070))
P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
PRIMARIES = {
    ColorPrimaries.BT709: (((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)), D65),
    ColorPrimaries.BT470BG: (((0.640, 0.330), (0.290, 0.600), (0.150, 0.060)), D65),
    ColorPrimaries.SMPTE170M: (BT601_525, D65),
    ColorPrimaries.SMPTE240M: (BT601_525, D65),
    ColorPrimaries.BT2020: (((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)), D65),
    ColorPrimaries.SMPTE431: (P3, (0.314, 0.351)),
    ColorPrimaries.SMPTE432: (P3, D65),
    ColorPrimaries.EBU3213: (((0.630, 0.340), (0.295, 0.605), (0.155, 0.077)), D65),
}
"""xy of red, green and blue, and of white (ITU-T H.273, table 2). Others are taken for BT.709's."""
REFERENCE_WHITE, PEAK = 203.0, 1000.0
"""cd/m²: of sRGB's white, and of the brightest that is distinguished."""
DEPTH = 10
"""Bits of a component before the conversion."""
FINE = 4096
MATRICES = {0, 1, 4, 5, 6, 7, 9}
"""YCbCr matrices (H.273, table 4) that the scaler knows."""
RESERVED, UNSPECIFIED, BT709, BT601, BT2020, BT2020_CONSTANT = 3, 2, 1, 6, 9, 10
HD_WIDTH, HD_HEIGHT = 1280, 576
"""From that width, or above that height, a picture that does not name its matrix is taken for BT.709, as players do."""


class UnknownColorsError(Exception):
    """The picture's colours are encoded in a way that cannot be read; `args[0]` is the matrix's number in H.273, table 4."""


class ToSrgb:
    """Turns decoded pictures into (height, width, 3) uint8 sRGB of one size; transparent parts are over white."""

    def __init__(self, width: int, height: int) -> None:
        self._size = (width, height)
        self._reformatter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> Pixels:
        """The picture, as it is stored, scaled to the size. Raises `UnknownColorsError`."""
        _name_matrix(frame)
        curve = Curve.of(frame)
        if curve is not None:
            deep = self._reformat(frame, f"gbrp{DEPTH}le")
            out = np.empty((*deep.shape[:2], 3), np.uint8)
            _convert(deep, *curve.tables, out)
            return out
        if not any(component.is_alpha for component in frame.format.components) and frame.format.name != "pal8":
            return self._reformat(frame, "rgb24")
        rgba = self._reformat(frame, "rgba")
        alpha = rgba[..., 3:].astype(np.uint16)
        return ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)

    def _reformat(self, frame: av.VideoFrame, pixels: str) -> NDArray[Any]:
        return self._reformatter.reformat(frame, *self._size, format=pixels, interpolation=CAREFUL).to_ndarray()


def _name_matrix(frame: av.VideoFrame) -> None:
    """Set the matrix to one that the scaler knows."""
    matrix = frame.colorspace
    if matrix in (UNSPECIFIED, RESERVED):
        hd = frame.width >= HD_WIDTH or frame.height > HD_HEIGHT
        frame.colorspace = BT2020 if frame.color_primaries == ColorPrimaries.BT2020 else BT709 if hd else BT601
    elif matrix == BT2020_CONSTANT:
        frame.colorspace = BT2020
    elif matrix not in MATRICES:
        raise UnknownColorsError(matrix)


@dataclass(frozen=True)
class Curve:
    """A way from one RGB to sRGB. tables: light (2^DEPTH,) of a component, of which 1 is sRGB's white; weights (3,) of R, G, B
    for the OOTF's luminance; ootf (FINE,) and gain (FINE,), factors by the square root of the luminance and of the largest
    component, both a part of `most`; matrix (3, 3) to BT.709; most."""

    tables: tuple[Array, Array, Array, Array, Array, float]

    @staticmethod
    def of(frame: av.VideoFrame) -> Curve | None:
        """The picture's; None where it is sRGB already, as far as is known."""
        transfer = frame.color_trc
        if transfer not in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67, ColorTrc.LINEAR):
            transfer = ColorTrc.IEC61966_2_1
        primaries = frame.color_primaries if frame.color_primaries in PRIMARIES else ColorPrimaries.BT709
        if transfer == ColorTrc.IEC61966_2_1 and primaries == ColorPrimaries.BT709:
            return None
        return _curve(int(transfer), int(primaries))


@cache
def _curve(transfer: int, primaries: int) -> Curve:
    signal = np.arange(1 << DEPTH) / ((1 << DEPTH) - 1)
    ootf, gain, most = np.ones(FINE), np.ones(FINE), 1.0
    steps = np.maximum((np.arange(FINE) / (FINE - 1)) ** 2, 1e-12)
    if transfer == ColorTrc.SMPTE2084:
        light = pq_eotf(signal) / REFERENCE_WHITE
        most = float(light[-1]) * 2
    elif transfer == ColorTrc.ARIB_STD_B67:
        light, most = hlg_inverse_oetf(signal) * PEAK / REFERENCE_WHITE, PEAK / REFERENCE_WHITE * 2
        ootf = (steps * most * REFERENCE_WHITE / PEAK) ** 0.2
    elif transfer == ColorTrc.LINEAR:
        light = signal
    else:
        light = np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
    if transfer in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67):
        gain = tone_map(steps * most * REFERENCE_WHITE) / (steps * most * REFERENCE_WHITE)
    to_xyz = rgb_to_xyz(*PRIMARIES[ColorPrimaries(primaries)])
    matrix = np.linalg.inv(rgb_to_xyz(*PRIMARIES[ColorPrimaries.BT709])) @ to_xyz
    tables = [np.ascontiguousarray(t, np.float32) for t in (light, to_xyz[1], ootf, gain, matrix)]
    return Curve((tables[0], tables[1], tables[2], tables[3], tables[4], most))


def pq_eotf(signal: Array64) -> Array64:
    """PQ's signal [0, 1] to display light, cd/m² (BT.2100-2, table 4)."""
    power = np.power(np.clip(signal, 0, 1), 1 / M2)
    return np.asarray(10000 * np.power(np.maximum(power - C1, 0) / (C2 - C3 * power), 1 / M1))


def pq_inverse_eotf(light: Array64) -> Array64:
    """The inverse of `pq_eotf`."""
    y = np.power(np.clip(light, 0, None) / 10000, M1)
    return np.asarray(np.power((C1 + C2 * y) / (1 + C3 * y), M2))


M1, M2 = 2610 / 16384, 2523 / 4096 * 128
C1, C2, C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32


def hlg_inverse_oetf(signal: Array64) -> Array64:
    """HLG's signal [0, 1] to scene light [0, 1] (BT.2100-2, table 5)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


def tone_map(light: Array64) -> Array64:
    """Light of a display of `PEAK`, cd/m², to parts of sRGB's white times `REFERENCE_WHITE` (BT.2390-11, 5.4.1, step 4).

    Up to the knee nothing changes.
    """
    peak = pq_inverse_eotf(np.array(PEAK))
    most = pq_inverse_eotf(np.array(REFERENCE_WHITE)) / peak
    knee = 1.5 * most - 0.5
    e = np.minimum(pq_inverse_eotf(light) / peak, 1)
    t = np.maximum((e - knee) / (1 - knee), 0)
    bent = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    return np.where(e < knee, light, pq_eotf(bent * peak))


def rgb_to_xyz(primaries: tuple[tuple[float, float], ...], white: tuple[float, float]) -> Array64:
    """(3, 3): light of these primaries to CIE XYZ under D65 (SMPTE RP 177; white by Bradford's transform)."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    here, d65 = (np.array([x / y, 1, (1 - x - y) / y]) for x, y in (white, D65))
    cone = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    adapt = np.linalg.inv(cone) @ np.diag((cone @ d65) / (cone @ here)) @ cone
    return np.asarray(adapt @ (columns * np.linalg.solve(columns, here)))


_STEPS = (np.arange(FINE) / (FINE - 1)) ** 2
SRGB: NDArray[np.uint8] = np.round(
    255 * np.where(_STEPS <= 0.0031308, 12.92 * _STEPS, 1.055 * _STEPS ** (1 / 2.4) - 0.055)
).astype(np.uint8)  # fmt: skip
"""8-bit sRGB by the square root of the light, in `FINE` steps."""


@kernel(fastmath=True)
def _convert(source, light, weights, ootf, gain, matrix, most, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """source (H, W, 3) uint16 of `DEPTH` bits -> out (H, W, 3) uint8."""
    zero, one, half, last = np.float32(0), np.float32(1), np.float32(0.5), np.float32(FINE - 1)
    part = one / np.float32(most)
    for y in range(source.shape[0]):
        for x in range(source.shape[1]):
            r, g, b = light[source[y, x, 0]], light[source[y, x, 1]], light[source[y, x, 2]]
            luminance = weights[0] * r + weights[1] * g + weights[2] * b
            factor = ootf[np.uint32(np.sqrt(luminance * part) * last)]
            red = factor * (matrix[0, 0] * r + matrix[0, 1] * g + matrix[0, 2] * b)
            green = factor * (matrix[1, 0] * r + matrix[1, 1] * g + matrix[1, 2] * b)
            blue = factor * (matrix[2, 0] * r + matrix[2, 1] * g + matrix[2, 2] * b)
            largest = max(red, green, blue, zero)
            factor = gain[np.uint32(np.sqrt(min(largest * part, one)) * last)]
            out[y, x, 0] = SRGB[np.uint32(np.sqrt(min(max(red * factor, zero), one)) * last + half)]
            out[y, x, 1] = SRGB[np.uint32(np.sqrt(min(max(green * factor, zero), one)) * last + half)]
            out[y, x, 2] = SRGB[np.uint32(np.sqrt(min(max(blue * factor, zero), one)) * last + half)]
