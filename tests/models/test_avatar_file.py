from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from models import avatar_file, tensor_file
from models.avatar import Avatar
from models.errors import AvatarFileError
from tests.models import makers

HEAD = makers.random_head()
AVATAR = makers.avatar(HEAD)
DATA = avatar_file.encode(AVATAR)
HEADER = int.from_bytes(DATA[:8], "little")


def refused(path: Path, data: bytes, reason: str = "cannot be opened because") -> None:
    path.write_bytes(data)
    with pytest.raises(AvatarFileError, match=reason) as error:
        avatar_file.load(path)
    assert "\n" not in str(error.value)


def rewritten(change: Any) -> bytes:
    """The file with its header changed in place by `change`, the data as they were."""
    header = json.loads(DATA[8 : 8 + HEADER])
    header = change(header) or header
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + DATA[8 + HEADER :]


def hashed(avatar: Avatar = AVATAR, drop: str = "", **tensors: np.ndarray) -> bytes:
    """A file with other tensors but a hash that fits, as somebody with ill will would write it."""
    kept: dict[str, Any] = {}
    original = avatar_file._hash
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(avatar_file, "_hash", lambda meta, t: kept.update(t) or "")
        avatar_file.encode(avatar)
    kept.update(tensors)
    kept.pop(drop, None)
    meta = {"format": "visavis-avatar", "version": "1", "head": avatar.head, "provenance": "{}"}
    return tensor_file.write(kept, meta | {"sha256": original(meta, kept)})


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "a.avatar"
    avatar_file.save(AVATAR, path)
    back = avatar_file.load(path, HEAD)
    assert (back.head, back.provenance, back.previews) == (AVATAR.head, AVATAR.provenance, AVATAR.previews)
    for name in ("identity", "offset"):
        np.testing.assert_array_equal(getattr(back, name), getattr(AVATAR, name))
    for name in ("face", "means"):
        np.testing.assert_array_equal(getattr(back.gaussians, name), getattr(AVATAR.gaussians, name))
    for name in ("face", "means", "rotations", "scales", "opacities", "colors"):
        a, b = getattr(back.gaussians, name), getattr(AVATAR.gaussians, name)
        assert (a.dtype, a.shape, a.flags.writeable, a.flags.c_contiguous) == (b.dtype, b.shape, True, True)


def test_the_loss_is_what_the_page_says() -> None:
    avatar = replace(AVATAR, gaussians=makers.bound_gaussians(20000, len(HEAD.faces), 1))
    a, b = avatar.gaussians, avatar_file.decode(avatar_file.encode(avatar)).gaussians
    angle = 2 * np.linalg.norm(a.rotations - b.rotations, axis=1)
    assert angle.max() < 1e-3
    np.testing.assert_allclose(np.linalg.norm(b.rotations, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(b.scales, a.scales, rtol=4e-3)
    np.testing.assert_allclose(b.opacities, a.opacities, atol=1 / 4096)
    np.testing.assert_allclose(b.colors, a.colors, atol=1 / 4096)


def test_a_gaussian_takes_36_bytes() -> None:
    sizes = [len(avatar_file.encode(makers.avatar(HEAD, count))) for count in (1000, 2000)]
    assert (sizes[1] - sizes[0]) / 1000 == pytest.approx(36, abs=0.1)


def test_a_scale_of_nothing_is_stored_as_very_small() -> None:
    flat = replace(AVATAR.gaussians, scales=np.zeros_like(AVATAR.gaussians.scales))
    back = avatar_file.decode(avatar_file.encode(replace(AVATAR, gaussians=flat)))
    assert 0 < back.gaussians.scales.max() < 1e-8


def test_the_same_avatar_gives_the_same_bytes() -> None:
    assert avatar_file.encode(makers.avatar(HEAD)) == DATA


def test_the_safetensors_library_reads_it_too(tmp_path: Path) -> None:
    path = tmp_path / "a.avatar"
    avatar_file.save(AVATAR, path)
    tensors = load_file(path)
    np.testing.assert_array_equal(tensors["means"], AVATAR.gaussians.means)
    assert tensors["preview.front"].tobytes() == AVATAR.previews["front"]


@pytest.mark.parametrize(
    "change",
    [
        {"provenance": {"at": float("nan")}},
        {"provenance": {"at": object()}},
        {"provenance": {"at": "x" * 70000}},
        {"previews": {"front": b""}},
        {"previews": {"front": b"GIF89a" + bytes(40)}},
        {"previews": {"front": makers.png(5000, 1)}},
        {"previews": {"../front": makers.png()}},
        {"previews": {f"p{i}": makers.png() for i in range(17)}},
        {"head": ""},
        {"identity": np.array([np.nan, 0, 0], np.float32)},
        {"offset": np.zeros((HEAD.vertex_count, 2), np.float32)},
        {"gaussians": makers.bound_gaussians(0, 60)},
        {"gaussians": replace(AVATAR.gaussians, face=AVATAR.gaussians.face - 100)},
        {"gaussians": replace(AVATAR.gaussians, face=AVATAR.gaussians.face + (1 << 16))},
        {"gaussians": replace(AVATAR.gaussians, means=AVATAR.gaussians.means * np.inf)},
        {"gaussians": replace(AVATAR.gaussians, rotations=AVATAR.gaussians.rotations * 0)},
        {"gaussians": replace(AVATAR.gaussians, scales=-AVATAR.gaussians.scales)},
        {"gaussians": replace(AVATAR.gaussians, scales=AVATAR.gaussians.scales * 1e9)},
        {"gaussians": replace(AVATAR.gaussians, opacities=AVATAR.gaussians.opacities + 1)},
        {"gaussians": replace(AVATAR.gaussians, colors=AVATAR.gaussians.colors - 1)},
        {"gaussians": replace(AVATAR.gaussians, colors=AVATAR.gaussians.colors[:-1])},
    ],
)
def test_what_could_not_be_opened_is_not_saved(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "a.avatar"
    path.write_bytes(b"old")
    with np.errstate(invalid="ignore"), pytest.raises(AvatarFileError):
        avatar_file.save(replace(AVATAR, **change), path)
    assert path.read_bytes() == b"old"


def test_too_many_gaussians() -> None:
    many = makers.bound_gaussians(1, 60).select(np.zeros(avatar_file.MAX_GAUSSIANS + 1, np.int64))
    with pytest.raises(tensor_file.MalformedError, match="500001 Gaussians"):
        avatar_file.decode(avatar_file.encode(replace(AVATAR, gaussians=many)))


@pytest.mark.parametrize("place", ["missing", "folder", "device", "pipe"])
def test_what_is_no_plain_file(tmp_path: Path, place: str) -> None:
    paths = {"missing": tmp_path / "no", "folder": tmp_path, "device": Path("/dev/zero"), "pipe": tmp_path / "pipe"}
    os.mkfifo(paths["pipe"])
    with pytest.raises(AvatarFileError, match="was expected at"):
        avatar_file.load(paths[place])


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.avatar"
    with path.open("wb") as stream:
        stream.write(DATA)
        stream.truncate(1 << 40)  # sparse: takes no room
    with pytest.raises(AvatarFileError, match="at most"):
        avatar_file.load(path)


def test_nothing_is_allocated_for_a_header_that_asks_for_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("room was made before the header was checked")

    monkeypatch.setattr(np, "frombuffer", refuse)
    size = 1 << 40

    def grow(header: dict[str, Any]) -> None:
        header["offset"] = {"dtype": "F32", "shape": [size, 3], "data_offsets": [0, size * 12]}

    refused(tmp_path / "a", rewritten(grow))
    refused(tmp_path / "a", (1 << 62).to_bytes(8, "little") + DATA[8:], "ends before its header")
    large = avatar_file.MAX_HEADER_BYTES + 1
    refused(tmp_path / "a", large.to_bytes(8, "little") + b"{" + b" " * large, "header takes")


def _set(path: str, value: Any) -> Any:
    def change(header: dict[str, Any]) -> None:
        *parents, last = path.split(":")
        at: Any = header
        for p in parents:
            at = at[p]
        at[last] = value

    return change


ENTRY = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_set("__metadata__:format", "visavis-head-1"), "not a Visavis avatar"),
        (_set("__metadata__:version", "4"), "version '4'"),
        (_set("__metadata__:version", "2"), "lacks"),
        (_set("__metadata__:head", "other"), "altered"),
        (_set("__metadata__:provenance", '{"by": "somebody else"}'), "altered"),
        (_set("__metadata__:more", "x"), "entries"),
        (_set("__metadata__:head", 3), "not text"),
        (_set("__metadata__", []), "not text"),
        (lambda h: h.pop("__metadata__") and None, "not a Visavis avatar"),
        (_set("extra", ENTRY), "should not have the tensor 'extra'"),
        (_set("preview.more", ENTRY), "altered"),
        (_set("preview.a/b", ENTRY), "not named"),
        (_set("means:dtype", "F64"), "unknown dtype"),
        (_set("means:dtype", ["F32"]), "unknown dtype"),
        (_set("means:dtype", "I32"), "'means' is I32"),
        (_set("means:shape", [150]), "'means' is F32"),
        (_set("means:shape", [-50, -3]), "impossible"),
        (_set("means:shape", [True, 150]), "impossible"),
        (_set("means:shape", [1e300, 3]), "impossible"),
        (_set("means:shape", [1 << 47, 1 << 47]), "another number of bytes"),
        (_set("means:shape", None), "impossible"),
        (_set("means:data_offsets", [0, 600]), "overlap"),
        (_set("means:data_offsets", [600, 0]), "another number of bytes"),
        (_set("means:data_offsets", [10**9, 10**9 + 600]), "overlap"),
        (_set("means", 3), "not described"),
        (_set("means", {"dtype": "F32"}), "not described"),
        (lambda h: list(h), "not a JSON object"),
        (lambda h: "text", "not a JSON object"),
    ],
)
def test_a_header_altered_by_hand(tmp_path: Path, change: Any, reason: str) -> None:
    refused(tmp_path / "a", rewritten(change), reason)


def test_a_name_that_appears_twice(tmp_path: Path) -> None:
    text = DATA[8 : 8 + HEADER].rstrip().replace(b'{"__metadata__"', b'{"means":{},"__metadata__"')
    refused(tmp_path / "a", len(text).to_bytes(8, "little") + text + DATA[8 + HEADER :], "JSON")


def test_deeply_nested_headers(tmp_path: Path) -> None:
    for text in (b"[" * 100_000, b'{"a":' * 40_000):
        refused(tmp_path / "a", len(text).to_bytes(8, "little") + text, "JSON")


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({"means": np.full((50, 3), np.nan, np.float32)}, "not finite"),
        ({"colors": np.full((50, 3), np.inf, np.float16)}, "not finite"),
        ({"rotations": np.zeros((50, 4), np.float16)}, "without length"),
        ({"log_scales": np.full((50, 3), 100, np.float16)}, "scale"),
        ({"opacities": np.full(50, 2, np.float16)}, "opacities"),
        ({"preview.front": np.zeros(9, np.uint8)}, "PNG"),
        ({"extra": np.zeros(9, np.uint8)}, "extra"),
        ({"loss_db": np.zeros(1, np.float32)}, "loss_db"),
        ({"drop": "means"}, "means"),
    ],
)
def test_a_fitting_hash_does_not_help_bad_values(tmp_path: Path, tensors: dict[str, Any], reason: str) -> None:
    refused(tmp_path / "a", hashed(**tensors), reason)


def test_a_provenance_that_is_no_record(tmp_path: Path) -> None:
    for text in ("[]", "{", '{"a": NaN}', '{"a": "\\ud800"}', "[" * 50_000):
        kept: dict[str, Any] = {}
        original = avatar_file._hash
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(avatar_file, "_hash", lambda meta, t: kept.update(t) or "")  # noqa: B023
            avatar_file.encode(AVATAR)
        meta = {"format": "visavis-avatar", "version": "1", "head": "random", "provenance": text}
        refused(tmp_path / "a", tensor_file.write(kept, meta | {"sha256": original(meta, kept)}), "provenance")


def test_an_avatar_for_another_head(tmp_path: Path) -> None:
    path = tmp_path / "a"
    avatar_file.save(AVATAR, path)
    with pytest.raises(AvatarFileError, match="'other' was expected, this one is on 'random'"):
        avatar_file.load(path, replace(HEAD, name="other"))
    for other in (makers.random_head(faces=10), makers.random_head(vertices=41), makers.random_head(identities=4)):
        with pytest.raises(AvatarFileError, match="another release"):
            avatar_file.load(path, other)
