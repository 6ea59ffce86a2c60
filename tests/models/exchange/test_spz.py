from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import AvatarFileError
from models.exchange import spz
from models.tensor_file import MalformedError
from models.types import Gaussians
from tests.models import makers
from tests.models.exchange import making

WORLD = making.world(3000)
SMALL = making.world(20)


def turned(a: Gaussians, b: Gaussians) -> np.ndarray:
    """Radians between rotations; by the sine, which is exact near 0."""
    p, q = a.rotations.astype(np.float64), b.rotations.astype(np.float64)
    q = q * np.where((p * q).sum(1, keepdims=True) < 0, -1, 1)
    return 4 * np.arcsin(np.clip(np.linalg.norm(p - q, axis=1) / 2, 0, 1))


@pytest.mark.parametrize(("version", "angle"), [(3, 0.005), (2, 0.25)])
def test_what_packing_costs(tmp_path: Path, version: int, angle: float) -> None:
    path = tmp_path / "a.spz"
    spz.save(WORLD, path, version)
    back = spz.load(path)
    assert np.abs(back.means - WORLD.means).max() <= 2**-17 + 1e-9
    assert np.abs(back.opacities - WORLD.opacities).max() <= 0.5 / 255 + 1e-6
    assert np.abs(back.colors - WORLD.colors).max() <= 0.0037
    assert np.abs(np.log(back.scales / WORLD.scales)).max() <= 1 / 32 + 1e-6
    assert turned(back, WORLD).max() <= angle
    assert np.median(turned(back, WORLD)) <= (0.02 if version == 2 else 0.003)
    np.testing.assert_allclose(np.linalg.norm(back.rotations, axis=1), 1, atol=1e-6)


def test_packing_again_changes_nothing() -> None:
    once = spz.encode(spz.decode(spz.encode(WORLD)))
    assert spz.encode(spz.decode(once)) == once


def test_the_bytes_are_where_the_page_says() -> None:
    one = Gaussians(
        np.array([[1.5, -0.25, 2.0]], np.float32), np.array([[0.1, 0.7, -0.5, 0.5]], np.float32),
        np.exp(np.array([[-10, -2, 1]], np.float32)), np.array([0.2], np.float32), np.array([[0.5, 1, 0]], np.float32),
    )  # fmt: skip
    raw = gzip.decompress(spz.encode(one))
    assert struct.unpack("<4sIIBBBB", raw[:16]) == (b"NGSP", 3, 1, 0, 16, 0, 0)
    fixed = [int.from_bytes(raw[16 + 3 * i : 19 + 3 * i], "little", signed=True) / 65536 for i in range(3)]
    assert fixed == [1.5, -0.25, 2.0]
    assert raw[25] == 51
    assert list(raw[26:29]) == [128, 195, 60]
    assert list(raw[29:32]) == [0, 128, 176]
    word = int.from_bytes(raw[32:36], "little")
    assert word >> 30 == 0  # x of x y z w is the largest
    assert [word >> 29 & 1, word >> 19 & 1, word >> 9 & 1] == [1, 0, 0]
    assert [word >> 20 & 511, word >> 10 & 511, word & 511] == [361, 361, 72]


def test_large_scenes_take_fewer_fractional_bits() -> None:
    far = making.world(10)
    far = Gaussians(far.means * 10000, far.rotations, far.scales, far.opacities, far.colors)
    back = spz.decode(spz.encode(far))
    assert np.abs(back.means - far.means).max() <= np.abs(far.means).max() / (1 << 22)


@pytest.mark.parametrize("seed", range(3))
def test_rotations_of_any_sign(seed: int) -> None:
    rng = np.random.default_rng(seed)
    corners = np.array(np.meshgrid(*[[-1, 0, 1]] * 4)).reshape(4, -1).T
    corners = corners[np.abs(corners).sum(1) > 0]
    q = np.concatenate([corners / np.linalg.norm(corners, axis=1, keepdims=True), makers.quaternions(rng, 200)]).astype(
        np.float32
    )
    g = making.world(len(q))
    g = Gaussians(g.means, q, g.scales, g.opacities, g.colors)
    assert turned(spz.decode(spz.encode(g)), g).max() < 0.005


def file(version: int = 3, count: int = 20, degree: int = 0, fraction: int = 12, flags: int = 0, body: int = 20) -> bytes:
    head = struct.pack("<4sIIBBBB", b"NGSP", version, count, degree, fraction, flags, 0)
    return gzip.compress(head + bytes(body * min(count, 1000)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "ends before its header"),
        (b"hello, this is text", "gzip"),
        (gzip.compress(b"short"), "ends before its header"),
        (gzip.compress(bytes(100)), "not an SPZ"),
        (file(version=1), "version 1"),
        (file(version=4), "version 4"),
        (file(count=0), "are allowed"),
        (file(count=1 << 31), "are allowed"),
        (file(count=1_999_999), "ends before its 1999999"),
        (file(degree=9), "degree"),
        (file(fraction=40), "precision"),
        (file(flags=2), "extensions"),
        (file(degree=3), "ends before"),
        (spz.encode(SMALL)[:-40], "ends before|damaged"),
    ],
)
def test_what_is_no_spz_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "a.spz"
    path.write_bytes(data)
    with pytest.raises(AvatarFileError, match=reason) as error:
        spz.load(path)
    assert "\n" not in str(error.value)


def test_harmonics_are_skipped() -> None:
    raw = gzip.decompress(spz.encode(SMALL))
    with_sh = gzip.compress(raw[:12] + b"\2" + raw[13:] + bytes([128] * 24 * 20))
    np.testing.assert_array_equal(spz.decode(with_sh).means, spz.decode(spz.encode(SMALL)).means)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=80), st.integers(0, 500), st.booleans())
def test_damaged_files_never_break_it(noise: bytes, at: int, inside: bool) -> None:
    whole = spz.encode(SMALL)
    if inside:
        raw = bytearray(gzip.decompress(whole))
        raw[at % len(raw) : at % len(raw) + len(noise)] = noise
        whole = gzip.compress(bytes(raw), 1)
    else:
        whole = whole[: at % len(whole)] + noise
    try:
        g = spz.decode(whole)
    except MalformedError:
        return
    assert np.isfinite(g.means).all() and np.isfinite(g.rotations).all()
