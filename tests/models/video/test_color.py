"""Pictures of any colour encoding come as the sRGB that was meant."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import ClipError
from models.video import color
from models.video.color import ToSrgb
from models.video.reader import open_clip

COLORS = np.array(
    [[0, 0, 0], [30, 30, 30], [118, 118, 118], [170, 170, 170], [170, 60, 50], [60, 150, 70], [50, 60, 160], [224, 172, 140]]
)
"""Greys, saturated colours, and a light skin."""
LUMA = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
"""Matrix in H.273 -> weights of red and blue."""
TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
"""BT.709 to BT.2020 (ITU-R BT.2087, table 2)."""


def stripes(rgb: NDArray[np.floating], matrix: int, bits: int, full: bool) -> av.VideoFrame:
    """A frame of 4:4:4 YCbCr whose stripes of 8 columns have the colours (N, 3), signals in [0, 1]."""
    red, blue = LUMA[matrix]
    y = rgb @ [red, 1 - red - blue, blue]
    channels = [y, (rgb[:, 2] - y) / (2 - 2 * blue), (rgb[:, 0] - y) / (2 - 2 * red)]
    scale = 1 << (bits - 8)
    top = (1 << bits) - 1
    codes = [channels[0] * (top if full else 219 * scale) + (0 if full else 16 * scale)]
    codes += [c * (top if full else 224 * scale) + 128 * scale for c in channels[1:]]
    kind = np.uint8 if bits == 8 else np.uint16
    planes = np.stack([np.tile(np.repeat(np.round(c), 8), (16, 1)) for c in codes]).clip(0, top).astype(kind)
    frame = av.VideoFrame(8 * len(rgb), 16, "yuv444p" if bits == 8 else f"yuv444p{bits}le")
    for plane, values in zip(frame.planes, planes, strict=True):
        np.frombuffer(memoryview(plane), kind).reshape(16, -1)[:, : 8 * len(rgb)] = values
    frame.colorspace, frame.color_range = matrix, 2 if full else 1
    return frame


def shown(frame: av.VideoFrame) -> NDArray[np.int64]:
    """The stripes' colours as they are read."""
    return ToSrgb(frame.width, frame.height)(frame)[8, 4::8].astype(int)


def light_of(srgb: NDArray[np.int64]) -> NDArray[np.float64]:
    s = srgb / 255
    return np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)


def as_pq(nits: NDArray[np.floating]) -> NDArray[np.float64]:
    """SMPTE ST 2084, equation 5.2."""
    y = (nits / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375


def as_hlg(nits: NDArray[np.floating]) -> NDArray[np.float64]:
    """ARIB STD-B67 after the inverse OOTF of a display of 1000 cd/m² (BT.2100-2, note 5i)."""
    luminance = (nits @ [0.2627, 0.6780, 0.0593])[:, None] / 1000
    scene = nits / 1000 * np.maximum(luminance, 1e-9) ** (1 / 1.2 - 1)
    return np.where(
        scene <= 1 / 12, np.sqrt(3 * scene), 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    )


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("matrix", "bits"), [(1, 8), (5, 8), (6, 8), (9, 8), (1, 10), (9, 10), (1, 12)])
def test_matrices_ranges_and_depths(matrix: int, bits: int, full: bool) -> None:
    frame = stripes(COLORS / 255, matrix, bits, full)
    np.testing.assert_allclose(shown(frame), COLORS, atol=2)


@pytest.mark.parametrize("matrix", [2, 3])
@pytest.mark.parametrize(("width", "meant"), [(640, 6), (1280, 1)])
def test_a_matrix_that_is_not_named_follows_from_the_size(matrix: int, width: int, meant: int) -> None:
    colors = np.tile(COLORS, (width // 64, 1))
    frame = stripes(colors / 255, meant, 8, False)
    frame.colorspace = matrix
    np.testing.assert_allclose(shown(frame), colors, atol=2)


def test_a_matrix_that_is_not_known_is_told(tmp_path: Path) -> None:
    frame = stripes(COLORS / 255, 1, 8, False)
    frame.colorspace = 8
    with pytest.raises(ClipError, match=r"YCbCr by BT\.601, BT\.709 or BT\.2020 were expected"):
        open_clip(film(tmp_path / "a.mkv", [frame] * 2))


@pytest.mark.parametrize(("transfer", "signal"), [(16, as_pq), (18, as_hlg)])
def test_hdr_shows_what_was_graded_for_sdr(transfer: int, signal) -> None:  # type: ignore[no-untyped-def]
    """203 cd/m² are white (BT.2408). Up to half of that nothing changes; white itself makes room for what is brighter."""
    colors = np.concatenate([COLORS, [[255, 255, 255]]])
    frame = stripes(signal(203 * light_of(colors) @ TO_2020.T), 9, 10, False)
    frame.color_trc, frame.color_primaries = transfer, 9
    read = shown(frame)
    np.testing.assert_allclose(read[:-2], colors[:-2], atol=4)
    np.testing.assert_allclose(read[-2], colors[-2], atol=12)
    assert read[-1].min() >= 220 and np.ptp(read[-1]) <= 1


@pytest.mark.parametrize(("transfer", "signal"), [(16, as_pq), (18, as_hlg)])
def test_hdr_highlights_keep_their_order_and_hue(transfer: int, signal) -> None:  # type: ignore[no-untyped-def]
    nits = np.geomspace(0.05, 1000, 40)
    frame = stripes(signal(nits[:, None] * np.ones(3)), 9, 10, False)
    frame.color_trc, frame.color_primaries = transfer, 9
    read = shown(frame)
    assert (np.ptp(read, axis=1) <= 1).all(), "grey stays grey"
    assert (np.diff(read[:, 0]) >= 0).all() and (np.diff(read[(nits > 10) & (nits < 800), 0]) > 0).all()
    assert read[0, 0] <= 2 and read[-1, 0] >= 253
    orange = nits[:, None] * [1.0, 0.5, 0.25]
    frame = stripes(signal(orange @ TO_2020.T), 9, 10, False)
    frame.color_trc, frame.color_primaries = transfer, 9
    light = light_of(shown(frame))[nits > 20]
    np.testing.assert_allclose(light / light[:, :1], np.tile([1, 0.5, 0.25], (len(light), 1)), atol=0.03)


def test_beyond_the_brightest_is_white() -> None:
    frame = stripes(as_pq(np.array([[10_000.0] * 3, [4000, 4000, 4000], [10_000, 0, 0]])), 9, 10, False)
    frame.color_trc, frame.color_primaries = 16, 9
    read = shown(frame)
    assert (read[:2] >= 253).all() and read[2, 0] >= 253 and read[2, 1:].max() < 20


@pytest.mark.parametrize(
    ("primaries", "to_709"),
    [
        (9, np.linalg.inv(TO_2020)),
        (12, [[1.2249, -0.2249, 0.0], [-0.0420, 1.0420, 0.0], [-0.0196, -0.0786, 1.0983]]),  # Display P3
        (6, [[0.9395, 0.0502, 0.0103], [0.0178, 0.9658, 0.0164], [-0.0016, -0.0044, 1.0060]]),  # SMPTE 170M
    ],
)
def test_other_primaries(primaries: int, to_709: NDArray[np.float64]) -> None:
    """What is in both gamuts is shown exactly."""
    other = np.linalg.solve(to_709, light_of(COLORS).T).T
    signal = np.where(other <= 0.0031308, 12.92 * other, 1.055 * np.maximum(other, 0) ** (1 / 2.4) - 0.055)
    frame = stripes(signal, 9 if primaries == 9 else 1, 10, False)
    frame.color_primaries, frame.color_trc = primaries, 14 if primaries == 9 else 1
    np.testing.assert_allclose(shown(frame), COLORS, atol=3)


def test_linear_light() -> None:
    frame = stripes(light_of(COLORS), 1, 12, True)
    frame.color_trc = 8
    np.testing.assert_allclose(shown(frame)[1:], COLORS[1:], atol=4)


@pytest.mark.parametrize("pixels", ["rgb24", "bgr0", "gbrp", "gbrp10le", "rgb48le", "yuvj420p", "yuv422p", "nv12", "p010le"])
def test_other_layouts(pixels: str) -> None:
    picture = np.tile(np.repeat(COLORS, 8, axis=0).astype(np.uint8), (16, 1, 1))
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixels)
    np.testing.assert_allclose(shown(frame), COLORS, atol=3)


@pytest.mark.parametrize("pixels", ["gray", "gray10le", "ya8"])
def test_grey(pixels: str) -> None:
    grey = np.repeat(np.array([[0], [64], [128], [255]], np.uint8), 3, axis=1)
    picture = np.tile(np.repeat(grey, 8, axis=0), (16, 1, 1))
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixels)
    np.testing.assert_allclose(shown(frame), grey, atol=2)


def test_what_is_transparent_lies_on_white() -> None:
    rgba = np.zeros((16, 24, 4), np.uint8)
    rgba[..., 0], rgba[:, 8:16, 3], rgba[:, 16:, 3] = 200, 128, 255
    for pixels in ("rgba", "yuva444p"):
        read = shown(av.VideoFrame.from_ndarray(rgba, format="rgba").reformat(format=pixels))
        np.testing.assert_allclose(read, [[255, 255, 255], [227, 127, 127], [200, 0, 0]], atol=4)


def film(path: Path, frames: list[av.VideoFrame]) -> Path:
    """Without loss, with the first frame's colour tags."""
    with av.open(path, "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, frames[0].format.name
        for name in ("colorspace", "color_range", "color_trc", "color_primaries"):
            setattr(stream.codec_context, name, getattr(frames[0], name))
        for i, frame in enumerate(frames):
            frame.pts, frame.time_base = i, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_the_tags_of_a_file_are_honoured(tmp_path: Path) -> None:
    frame = stripes(as_hlg(203 * light_of(COLORS) @ TO_2020.T), 9, 10, False)
    frame.color_trc, frame.color_primaries = 18, 9
    rgb, _ = next(open_clip(film(tmp_path / "a.mkv", [frame] * 2)).frames())
    np.testing.assert_allclose(rgb[8, 4::8][:-1], COLORS[:-1], atol=4)


def test_the_curve_of_the_tone_map() -> None:
    """Its ends, its knee and its slope there: BT.2390-11, 5.4.1."""
    assert color.tone_map(np.array([0.0, 50.0, 85.0])) == pytest.approx([0, 50, 85])
    assert color.tone_map(np.array([1000.0])) == pytest.approx([203])
    light = np.geomspace(1, 1000, 500)
    slope = np.diff(np.log(color.tone_map(light))) / np.diff(np.log(light))
    assert (slope > 0).all() and (slope < 1.001).all() and np.abs(np.diff(slope)).max() < 0.05
