"""Reading: every kind of picture file comes out as the same upright RGB, and everything else as one sentence."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zlib
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms

from enrollment.photo import reader
from enrollment.photo.reader import decode, read_photo
from models.errors import PhotoError

RAMP = np.stack([*np.meshgrid(np.linspace(20, 230, 48), np.linspace(10, 200, 32)), np.full((32, 48), 90.0)], axis=2)
PICTURE = np.asarray(RAMP, np.uint8)
"""(32, 48, 3): no symmetry, so that a wrong turn shows."""


def decode_photo(data: bytes) -> NDArray[np.uint8]:
    return decode(data, "the photo")[0]


def encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def close(a: NDArray[np.uint8], b: NDArray[np.uint8], most: float) -> bool:
    return a.shape == b.shape and float(np.abs(a.astype(float) - b.astype(float)).mean()) <= most


def one_sentence(error: pytest.ExceptionInfo[PhotoError]) -> str:
    """The message, which says what was expected and what to do."""
    text = str(error.value)
    assert "\n" not in text and "expected" in text and "; " in text
    return text


@pytest.mark.parametrize(("form", "most"), [("PNG", 0), ("BMP", 0), ("TIFF", 0), ("JPEG", 4), ("WEBP", 4), ("GIF", 8)])
def test_common_formats_are_read(form: str, most: float) -> None:
    assert close(decode_photo(encoded(Image.fromarray(PICTURE), form)), PICTURE, most)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_orientations_come_out_upright(orientation: int) -> None:
    """EXIF 2.32, tag 274: the stored picture is the upright one, turned and mirrored."""
    stored = {
        1: PICTURE, 2: PICTURE[:, ::-1], 3: PICTURE[::-1, ::-1], 4: PICTURE[::-1], 5: PICTURE.transpose(1, 0, 2),
        6: np.rot90(PICTURE), 7: PICTURE[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(PICTURE, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[274] = orientation
    data = encoded(Image.fromarray(np.ascontiguousarray(stored)), "PNG", exif=exif.tobytes())
    assert np.array_equal(decode_photo(data), PICTURE)


def test_grey_palette_cmyk_and_bilevel_pictures_become_rgb() -> None:
    picture = Image.fromarray(PICTURE)
    grey = np.asarray(picture.convert("L"))
    assert np.array_equal(decode_photo(encoded(picture.convert("L"), "PNG")), np.repeat(grey[..., None], 3, axis=2))
    assert close(decode_photo(encoded(picture.quantize(128), "PNG")), PICTURE, 8)
    assert close(decode_photo(encoded(picture.convert("CMYK"), "JPEG", quality=95)), PICTURE, 6)
    assert set(np.unique(decode_photo(encoded(picture.convert("1"), "PNG")))) == {0, 255}


def test_deep_grey_keeps_its_brightness() -> None:
    grey = np.linspace(0, 1, 32 * 48, dtype=np.float32).reshape(32, 48)
    eight = np.repeat((grey * 255)[..., None], 3, axis=2).astype(np.uint8)
    assert close(decode_photo(encoded(Image.fromarray((grey * 65535).astype(np.uint16)), "PNG")), eight, 1)
    assert close(decode_photo(encoded(Image.fromarray((grey * 65535).astype(np.uint16)), "TIFF")), eight, 1)
    assert close(decode_photo(encoded(Image.fromarray(grey), "TIFF")), eight, 1)
    assert decode_photo(encoded(Image.fromarray(np.full((8, 8), np.nan, np.float32)), "TIFF")).max() == 0


def test_transparency_is_seen_on_white() -> None:
    alpha = np.full((32, 48, 1), 255, np.uint8)
    alpha[:, :10] = 0
    alpha[0] = alpha[-1] = 0
    data = encoded(Image.fromarray(np.concatenate([PICTURE, alpha], axis=2)), "PNG")
    out = decode_photo(data)
    assert (out[:, :10] == 255).all() and (out[0] == 255).all()
    assert np.array_equal(out[1:-1, 10:], PICTURE[1:-1, 10:])


def test_transparent_palette_colour_is_white() -> None:
    picture = Image.new("P", (8, 8), 0)
    picture.putpalette([10, 20, 30] * 256)
    picture.putpixel((0, 0), 1)
    out = decode_photo(encoded(picture, "PNG", transparency=0))
    assert out[0, 0].tolist() == [10, 20, 30] and (out[1:] == 255).all()


def test_first_picture_of_a_pair_is_read() -> None:
    """MPO, as phones with two cameras write it."""
    second = Image.fromarray(255 - PICTURE)
    data = encoded(Image.fromarray(PICTURE), "MPO", save_all=True, append_images=[second])
    assert close(decode_photo(data), PICTURE, 4)


def test_first_picture_of_an_animation_is_read() -> None:
    frames = [Image.new("RGB", (16, 16), c) for c in ("red", "blue")]
    out = decode_photo(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert out[0, 0].tolist() == [255, 0, 0]


def test_colours_mean_what_the_profile_says() -> None:
    """A file in a linear-light profile of sRGB's primaries, or with a broken one."""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    odd = encoded(Image.fromarray(PICTURE), "PNG", icc_profile=lab.tobytes())
    assert np.array_equal(decode_photo(odd), PICTURE), "a profile that does not fit the picture is ignored"
    broken = encoded(Image.fromarray(PICTURE), "PNG", icc_profile=b"no profile at all")
    assert np.array_equal(decode_photo(broken), PICTURE)
    same = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert close(decode_photo(encoded(Image.fromarray(PICTURE), "PNG", icc_profile=same)), PICTURE, 1)
    assert close(decode_photo(encoded(Image.fromarray(PICTURE), "PNG", icc_profile=_without_gamma(same))), _encoded_srgb(), 2)


def _without_gamma(profile: bytes) -> bytes:
    """The same profile with its tone curves replaced by the identity (ICC.1:2022, 10.6: a `curv` of no entries)."""
    data, count = bytearray(profile), struct.unpack(">I", profile[128:132])[0]
    for i in range(count):
        name, offset, _ = struct.unpack(">4sII", profile[132 + 12 * i : 144 + 12 * i])
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            data[offset : offset + 12] = b"curv" + bytes(8)
            data[140 + 12 * i : 144 + 12 * i] = struct.pack(">I", 12)
    return bytes(data)


def _encoded_srgb() -> NDArray[np.uint8]:
    """PICTURE taken for linear light, in sRGB (IEC 61966-2-1)."""
    c = PICTURE / 255
    return np.asarray(np.round(np.where(c <= 0.0031308, 12.92 * c, 1.055 * c ** (1 / 2.4) - 0.055) * 255), np.uint8)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def huge_png(width: int, height: int) -> bytes:
    """A valid header for a picture of zeros, and the first megabytes of its pixels."""
    packed = zlib.compress(bytes(4_000_000))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed)


@pytest.mark.parametrize("size", [(30_000, 30_000), (9_000, 9_000), (65_000, 1_000), (2**31 - 1, 1)])
def test_enormous_pictures_are_refused_before_they_are_decoded(size: tuple[int, int]) -> None:
    data = huge_png(*size)
    tracemalloc.start()
    try:
        with pytest.raises(PhotoError) as error:
            decode_photo(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000
    assert "megapixels" in one_sentence(error) and "scale it down" in str(error.value)


def test_too_many_bytes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_BYTES", 1 << 20)
    path = tmp_path / "large.jpg"
    with path.open("wb") as stream:
        stream.truncate((1 << 20) + 1)
    with pytest.raises(PhotoError) as error:
        read_photo(path)
    assert "1 MB" in one_sentence(error)


def _bad_files(folder: Path) -> dict[str, Path]:
    """Name of the case -> path."""
    jpeg = encoded(Image.fromarray(PICTURE), "JPEG")
    files = {"empty": b"", "text": b"dear all, my photo", "svg": b"<svg/>", "cut off": jpeg[: len(jpeg) // 2], "start": jpeg[:20]}
    out = {}
    for name, data in files.items():
        out[name] = folder / f"{name}.jpg"
        out[name].write_bytes(data)
    out["folder"] = folder
    out["missing"] = folder / "nobody.jpg"
    out["loop"] = folder / "loop.jpg"
    out["loop"].symlink_to(out["loop"])
    out["pipe"] = folder / "pipe.jpg"
    os.mkfifo(out["pipe"])
    out["device"] = Path("/dev/zero")
    out["no name"] = Path("a\0b.jpg")
    out["long name"] = folder / ("x" * 5000)
    return out


def test_what_is_no_picture_is_refused_in_one_sentence(tmp_path: Path) -> None:
    for name, path in _bad_files(tmp_path).items():
        with pytest.raises(PhotoError) as error:
            read_photo(path)
        text = one_sentence(error)
        assert "KeyError" not in text, name
        if name in ("empty", "text", "svg"):
            assert "is none; export it as JPEG" in text, name
        if name == "cut off":
            assert "is damaged" in text, name


@pytest.mark.parametrize("form", ["mp4", "mov", "matroska", "webm", "avi", "mpeg"])
def test_a_film_is_called_a_film(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"film.{form}"
    codec = {"webm": "libvpx", "mpeg": "mpeg1video"}.get(form, "mpeg4")
    with av.open(str(path), "w", format=form) as film:
        stream = film.add_stream(codec, rate=25, width=64, height=64, pix_fmt="yuv420p")
        film.mux([*stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))), *stream.encode()])
    for most in (reader.MAX_BYTES, 64):
        monkeypatch.setattr(reader, "MAX_BYTES", most)
        with pytest.raises(PhotoError, match=r"film\.\w+ is a film; give a picture, or the film as a clip"):
            read_photo(path)


@pytest.mark.parametrize("brand", [b"heic", b"MiHB", b"crx "])
def test_a_picture_of_a_kind_that_nobody_reads_is_no_film(brand: bytes) -> None:
    with pytest.raises(PhotoError, match="is damaged"):
        decode(b"\0\0\0\x18ftyp" + brand + bytes(100), "picture")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret.jpg"
    path.write_bytes(encoded(Image.fromarray(PICTURE), "JPEG"))
    path.chmod(0)
    with pytest.raises(PhotoError) as error:
        read_photo(path)
    assert "denied" in one_sentence(error)


def test_hash_is_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.png"
    path.write_bytes(encoded(Image.new("RGB", (1, 1)), "PNG"))
    pixels, digest, _ = read_photo(path)
    assert pixels.shape == (1, 1, 3) and len(digest) == 64


BYTES = [encoded(Image.fromarray(PICTURE), form) for form in ("JPEG", "PNG", "WEBP", "TIFF", "GIF")]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes_raise_nothing_else(data: bytes) -> None:
    with pytest.raises(PhotoError):
        decode_photo(data)


DAMAGE = st.lists(st.tuples(st.integers(0, 10**6), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(BYTES), DAMAGE, st.integers(0, 200))
def test_damaged_pictures_raise_nothing_else(data: bytes, damage: list[tuple[int, bytes]], cut: int) -> None:
    hurt = bytearray(data)
    for at, what in damage:
        at %= len(hurt)
        hurt[at : at + len(what)] = what
    with suppress(PhotoError):
        out = decode_photo(bytes(hurt[: len(hurt) - cut]))
        assert out.dtype == np.uint8 and out.ndim == 3 and out.shape[2] == 3
