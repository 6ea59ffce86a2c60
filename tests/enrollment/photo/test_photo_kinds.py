"""The kinds of photo files that phones, scanners and programs write beyond the plain ones of test_reader.py, and broken ones."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms

from enrollment.photo import deep_tiff, reader
from enrollment.photo.reader import read_photo
from models.errors import PhotoError
from tests.enrollment.photo.test_reader import (
    PICTURE,
    _chunk,
    _encoded_srgb,
    _without_gamma,
    close,
    decode_photo,
    encoded,
    one_sentence,
)

pillow_heif.register_heif_opener()
UPRIGHT = np.ascontiguousarray(PICTURE.repeat(4, axis=0).repeat(4, axis=1))
"""(128, 192, 3): large enough for what codecs blur."""
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif(orientation: int, *, broken: bool = False) -> bytes:
    """EXIF with an orientation, and with a resolution whose type no program knows how to write again."""
    entries = struct.pack(">HHIHH", 274, 3, 1, orientation, 0)
    if broken:
        entries += struct.pack(">HHII", 282, 10, 1, 60) + struct.pack(">HHII", 283, 10, 1, 60)
    count = 3 if broken else 1
    body = b"MM\0*" + struct.pack(">IH", 8, count) + entries + struct.pack(">I", 0)
    return b"Exif\0\0" + body.ljust(60, b"\0") + struct.pack(">II", 72, 0xFFFFFFFF)


@pytest.mark.parametrize("form", ["HEIF", "AVIF"])
def test_what_phones_write_is_read(form: str) -> None:
    assert close(decode_photo(encoded(Image.fromarray(UPRIGHT), form, quality=95)), UPRIGHT, 4)
    linear = encoded(Image.fromarray(UPRIGHT), form, quality=95, icc_profile=_without_gamma(SRGB))
    assert close(decode_photo(linear), _encoded_srgb().repeat(4, axis=0).repeat(4, axis=1), 6)


@pytest.mark.parametrize("form", ["HEIF", "AVIF", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", [1, 3, 5, 6, 8])
def test_a_turn_is_made_once(form: str, orientation: int) -> None:
    """HEIF and AVIF keep it in a box of their own (irot, imir), and often in EXIF too."""
    stored = {1: UPRIGHT, 3: UPRIGHT[::-1, ::-1], 5: UPRIGHT.transpose(1, 0, 2), 6: np.rot90(UPRIGHT), 8: np.rot90(UPRIGHT, -1)}
    picture = Image.fromarray(np.ascontiguousarray(stored[orientation]))
    assert close(decode_photo(encoded(picture, form, quality=95, exif=exif(orientation))), UPRIGHT, 6)


def test_exif_as_broken_as_it_likes_still_says_which_way_up(tmp_path: Path) -> None:
    data = encoded(Image.fromarray(np.ascontiguousarray(np.rot90(UPRIGHT))), "JPEG", quality=95, exif=exif(6, broken=True))
    assert close(decode_photo(data), UPRIGHT, 4)
    nonsense = encoded(Image.fromarray(UPRIGHT), "JPEG", quality=95, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert close(decode_photo(nonsense), UPRIGHT, 4)


def test_of_several_pictures_the_primary_one_is_read() -> None:
    file = pillow_heif.from_pillow(Image.fromarray(255 - UPRIGHT))
    file.add_from_pillow(Image.fromarray(UPRIGHT))
    stream = io.BytesIO()
    file.save(stream, quality=95, primary_index=1)
    assert close(decode_photo(stream.getvalue()), UPRIGHT, 4)


def test_ten_bits_are_read_as_eight() -> None:
    deep = (UPRIGHT.astype(np.uint16) * 257).tobytes()
    file = pillow_heif.from_bytes("RGB;16", (UPRIGHT.shape[1], UPRIGHT.shape[0]), deep)
    stream = io.BytesIO()
    file.save(stream, quality=95)
    assert pillow_heif.open_heif(stream, convert_hdr_to_8bit=False).info["bit_depth"] == 10
    assert close(decode_photo(stream.getvalue()), UPRIGHT, 4)


@pytest.mark.parametrize("form", ["HEIF", "AVIF"])
def test_their_size_is_known_before_they_are_decoded(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.fromarray(UPRIGHT), form)
    monkeypatch.setattr(reader, "MAX_PIXELS", 10_000)
    monkeypatch.setattr(Image.Image, "frombytes", None)
    with pytest.raises(PhotoError) as error:
        decode_photo(data)
    assert "192x128" in one_sentence(error)


@pytest.mark.parametrize("cut", [1, 2, 30])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "GIF", "TIFF", "progressive"])
def test_a_file_cut_off_at_its_end_is_read_as_far_as_it_goes(form: str, cut: int, tmp_path: Path) -> None:
    options = {"form": "JPEG", "progressive": True} if form == "progressive" else {"form": form}
    data = encoded(Image.fromarray(UPRIGHT), **options)  # type: ignore[arg-type]
    path = tmp_path / "me.x"
    path.write_bytes(data[:-cut])
    pixels, _, notes = read_photo(path)
    kept = len(pixels)
    assert kept >= 0.9 * len(UPRIGHT)
    whole = decode_photo(data)
    assert close(pixels, whole[:kept] if form != "BMP" else whole[-kept:], 3)
    assert all("me.x ends too soon" in note for note in notes)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP"])
def test_a_file_of_which_half_is_missing_is_refused(form: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, UPRIGHT.shape, dtype=np.uint8)
    data = encoded(Image.fromarray(noise), form)
    with pytest.raises(PhotoError) as error:
        decode_photo(data[: len(data) // 2])
    assert "of its height are missing" in one_sentence(error)


DEEP = {"uint16": 65535.0, "uint32": 4294967295.0, "float32": 1.0, "float64": 1.0, "float16": 1.0}


@pytest.mark.parametrize("kind", DEEP)
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("packed", [None, "zlib"])
def test_deep_colours_keep_their_place_and_brightness(kind: str, planar: str, packed: str | None) -> None:
    values = (PICTURE / 255 * DEEP[kind]).astype(kind)
    stored = values if planar == "contig" else np.ascontiguousarray(values.transpose(2, 0, 1))
    stream = io.BytesIO()
    tifffile.imwrite(stream, stored, photometric="rgb", planarconfig=planar, compression=packed)
    assert close(decode_photo(stream.getvalue()), PICTURE, 1.1)


def test_deep_tiffs_have_profiles_turns_highlights_and_transparency() -> None:
    stream = io.BytesIO()
    profile = _without_gamma(SRGB)
    turned = np.ascontiguousarray(np.rot90(PICTURE / 255)).astype(np.float32)
    turned[0, 0] = 30.0
    tags = [(274, 3, 1, 6, True), (34675, 7, len(profile), profile, True)]
    tifffile.imwrite(stream, turned, photometric="rgb", extratags=tags)
    assert close(decode_photo(stream.getvalue()), _encoded_srgb(), 2)
    stream = io.BytesIO()
    clear = np.concatenate([np.full(PICTURE.shape, 0.2), np.zeros((32, 48, 1))], axis=2).astype(np.float32)
    tifffile.imwrite(stream, clear, photometric="rgb", extrasamples=["unassalpha"])
    assert decode_photo(stream.getvalue()).min() == 255


def test_a_deep_tiff_that_unpacks_to_more_than_it_says_is_refused() -> None:
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.zeros((64, 64, 3), np.float32), photometric="rgb", compression="zlib", rowsperstrip=64)
    data = bytearray(stream.getvalue())
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        offset, tag = file.pages.first.dataoffsets[0], file.pages.first.tags["StripByteCounts"]
    assert tag.valueoffset < offset
    bomb = zlib.compress(bytes(50_000_000))
    data[tag.valueoffset : tag.valueoffset + 4] = struct.pack("<I", len(bomb))[: 2 if tag.dtype == 3 else 4]
    tracemalloc.start()
    try:
        with pytest.raises(PhotoError) as error:
            decode_photo(bytes(data[:offset] + bomb))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "unpacks to more" in one_sentence(error) and peak < 2_000_000


def test_a_deep_tiff_packed_in_a_way_that_is_not_read_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO()
    planes = np.ascontiguousarray((PICTURE / 255).astype(np.float32).transpose(2, 0, 1))
    tifffile.imwrite(stream, planes, photometric="rgb", planarconfig="separate", compression="zlib")
    monkeypatch.setattr(deep_tiff, "DEFLATE", ())
    with pytest.raises(PhotoError) as error:
        decode_photo(stream.getvalue())
    assert "export it as JPEG" in one_sentence(error)


def _png(kind: int, bits: int, rows: NDArray[np.generic], *chunks: bytes) -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", rows.shape[1], rows.shape[0], bits, kind, 0, 0, 0))
    body = b"".join(b"\0" + row.tobytes() for row in rows)
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + _chunk(b"IDAT", zlib.compress(body)) + _chunk(b"IEND", b"")


def test_png_of_sixteen_bits_and_with_a_tone_curve() -> None:
    deep = (PICTURE.astype(np.uint16) * 257).astype(">u2")
    assert close(decode_photo(_png(2, 16, deep)), PICTURE, 1)
    assert close(decode_photo(_png(6, 16, np.concatenate([deep, np.full((32, 48, 1), 65535, ">u2")], axis=2))), PICTURE, 1)
    usual, linear = (_chunk(b"gAMA", struct.pack(">I", round(100_000 * g))) for g in (0.45455, 1.0))
    assert np.array_equal(decode_photo(_png(2, 8, PICTURE, usual)), PICTURE)
    assert close(decode_photo(_png(2, 8, PICTURE, linear)), _encoded_srgb(), 1)
    assert np.array_equal(decode_photo(_png(2, 8, PICTURE, _chunk(b"sRGB", b"\0"), linear)), PICTURE), "sRGB has the last word"


def test_further_modes_become_rgb() -> None:
    picture = Image.fromarray(PICTURE)
    grey = np.repeat(np.asarray(picture.convert("L"))[..., None], 3, axis=2)
    assert close(decode_photo(encoded(picture.convert("LA"), "PNG")), grey, 1)
    lab = ImageCms.profileToProfile(picture, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB")
    assert lab is not None and close(decode_photo(encoded(lab, "TIFF")), PICTURE, 4)
    assert close(decode_photo(encoded(picture.convert("YCbCr"), "TIFF")), PICTURE, 4)
    white_is_zero = io.BytesIO()
    tifffile.imwrite(white_is_zero, (65535 - grey[..., 0].astype(np.uint16) * 257), photometric="miniswhite")
    assert close(decode_photo(white_is_zero.getvalue()), grey, 1)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "AVIF"])
def test_of_every_animation_the_first_picture_is_read(form: str) -> None:
    frames = [Image.fromarray(np.full((64, 64, 3), c, np.uint8)) for c in (200, 20)]
    out = decode_photo(encoded(frames[0], form, save_all=True, append_images=frames[1:]))
    assert abs(int(out[32, 32, 0]) - 200) < 6


def test_what_begins_as_a_picture_is_called_damaged() -> None:
    for data in (encoded(Image.fromarray(UPRIGHT), "HEIF")[:200], b"\x89PNG\r\n\x1a\n" + bytes(50), b"II*\0" + bytes(9)):
        with pytest.raises(PhotoError) as error:
            decode_photo(data)
        assert "is damaged" in one_sentence(error)
