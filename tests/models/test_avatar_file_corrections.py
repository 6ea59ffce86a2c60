"""Files with corrections (version 2), and that files without them (version 1) are as they always were."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import avatar_file, tensor_file
from models.avatar import Avatar, AvatarPoser
from models.corrections import WIDTH, Basis, Corrections
from models.errors import AvatarFileError
from tests.models import makers
from tests.models.test_avatar_file import refused

HEAD = makers.random_head()
PLAIN = makers.avatar(HEAD)
CORRECTIONS = makers.corrections(HEAD)
AVATAR = replace(PLAIN, corrections=CORRECTIONS)
DATA = avatar_file.encode(AVATAR)
GAUSSIANS, VERTICES = CORRECTIONS.gaussians, CORRECTIONS.vertices
assert GAUSSIANS is not None and VERTICES is not None


def parts(data: bytes) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Metadata and tensors of a safetensors file."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    meta = header.pop("__metadata__")
    body = data[8 + length :]
    tensors = {
        name: np.frombuffer(body[slice(*e["data_offsets"])], tensor_file.DTYPES[e["dtype"]]).reshape(e["shape"])
        for name, e in header.items()
    }
    return meta, tensors


def with_hash(meta: dict[str, str], tensors: dict[str, np.ndarray]) -> bytes:
    """A file whose hash fits, as anybody can write it; the hash as the page describes it."""
    meta = {name: value for name, value in meta.items() if name != "sha256"}
    names = sorted(tensors)
    shapes = [(name, tensor_file.NAMES[tensors[name].dtype], tensors[name].shape) for name in names]
    digest = hashlib.sha256(json.dumps([sorted(meta.items()), shapes]).encode())
    for name in names:
        digest.update(tensors[name].tobytes())
    return tensor_file.write(tensors, meta | {"sha256": digest.hexdigest()})


def hashed(drop: tuple[str, ...] = (), version: str = "2", **changed: np.ndarray) -> bytes:
    meta, tensors = parts(DATA)
    tensors = {name: tensor for name, tensor in (tensors | changed).items() if name not in drop}
    return with_hash(meta | {"version": version}, tensors)


def same(a: Corrections | None, b: Corrections | None) -> None:
    assert a is not None and b is not None and a.loss_db == b.loss_db
    np.testing.assert_array_equal(a.active, b.active)
    for one, other in ((a.gaussians, b.gaussians), (a.vertices, b.vertices)):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            np.testing.assert_array_equal(one.directions, other.directions)
            np.testing.assert_array_equal(one.mixing, other.mixing)
            assert one.directions.dtype == one.mixing.dtype == np.float32 and one.directions.flags.c_contiguous


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "a.avatar"
    for corrections in (
        CORRECTIONS,
        replace(CORRECTIONS, vertices=None),
        replace(CORRECTIONS, gaussians=None, active=np.zeros(0, np.int32)),
    ):
        avatar_file.save(replace(AVATAR, corrections=corrections), path)
        back = avatar_file.load(path, HEAD)
        same(back.corrections, corrections)
        expression = np.random.default_rng(0).uniform(size=52)
        got = AvatarPoser(back, HEAD).pose(expression)
        want = AvatarPoser(replace(AVATAR, corrections=corrections), HEAD).pose(expression)
        np.testing.assert_allclose(got.means, want.means, atol=1e-4)
        np.testing.assert_allclose(got.colors, want.colors, atol=1e-3)


def test_without_corrections_a_file_is_what_it_was_in_version_1() -> None:
    """The layout of version 1, written down here once more and without `avatar_file`."""
    g, f16 = PLAIN.gaussians, np.float16
    tensors = {
        "identity": PLAIN.identity, "offset": PLAIN.offset, "face": g.face.astype(np.uint16), "means": g.means,
        "rotations": g.rotations.astype(f16), "log_scales": np.log(g.scales).astype(f16), "opacities": g.opacities.astype(f16),
        "colors": g.colors.astype(f16), **{f"preview.{n}": np.frombuffer(p, np.uint8) for n, p in PLAIN.previews.items()},
    }  # fmt: skip
    provenance = json.dumps(PLAIN.provenance, sort_keys=True)
    old = with_hash({"format": "visavis-avatar", "version": "1", "head": "random", "provenance": provenance}, tensors)
    back = avatar_file.decode(old)
    assert back.corrections is None and back.provenance == PLAIN.provenance
    np.testing.assert_array_equal(back.gaussians.means, g.means)
    assert avatar_file.encode(PLAIN) == old
    assert parts(DATA)[0]["version"] == "2"


def test_the_same_avatar_gives_the_same_bytes() -> None:
    assert avatar_file.encode(replace(makers.avatar(HEAD), corrections=makers.corrections(HEAD))) == DATA


def test_a_direction_takes_28_bytes_a_gaussian() -> None:
    sizes = [
        len(avatar_file.encode(replace(PLAIN, corrections=replace(makers.corrections(HEAD, active=a), vertices=None))))
        for a in (10, 40)
    ]
    assert (sizes[1] - sizes[0]) / 30 == pytest.approx(4 * 28 + 4, abs=0.5)


def _basis(change: Any, of: Basis | None = GAUSSIANS) -> Basis:
    assert of is not None
    return replace(of, **{name: f(getattr(of, name)) for name, f in change.items()})


@pytest.mark.parametrize(
    "change",
    [
        {"active": CORRECTIONS.active[::-1]},
        {"active": CORRECTIONS.active + 40},
        {"active": CORRECTIONS.active - 10},
        {"active": CORRECTIONS.active + (1 << 40)},
        {"active": np.zeros_like(CORRECTIONS.active)},
        {"active": CORRECTIONS.active[:-1]},
        {"gaussians": None, "vertices": None, "active": np.zeros(0, np.int32)},
        {"gaussians": _basis({"directions": lambda d: d * np.nan})},
        {"gaussians": _basis({"directions": lambda d: d * 1e9})},
        {"gaussians": _basis({"directions": lambda d: d[..., :13]})},
        {"gaussians": _basis({"directions": lambda d: d[:0], "mixing": lambda m: m[:, :0]})},
        {"gaussians": _basis({"directions": lambda d: np.tile(d, (9, 1, 1)), "mixing": lambda m: np.tile(m, (1, 9))})},
        {"gaussians": _basis({"mixing": lambda m: m[:, :-1]})},
        {"gaussians": _basis({"mixing": lambda m: m[:-1]})},
        {"gaussians": _basis({"mixing": lambda m: m * np.inf})},
        {"vertices": _basis({"directions": lambda d: d[:, :-1]}, VERTICES)},
        {"vertices": _basis({"mixing": lambda m: m * 1e9}, VERTICES)},
        {"loss_db": float("nan")},
        {"loss_db": -1.0},
    ],
)
def test_what_could_not_be_opened_is_not_saved(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "a.avatar"
    path.write_bytes(b"old")
    with np.errstate(invalid="ignore"), pytest.raises(AvatarFileError) as error:
        avatar_file.save(replace(AVATAR, corrections=replace(CORRECTIONS, **change)), path)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == b"old"


F16, F32 = np.float16, np.float32


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (hashed(active=np.arange(40, 60, dtype=np.int32)), "not of different ones of its 50 Gaussians"),
        (hashed(active=np.full(20, 3, np.int32)), "not of different ones"),
        (hashed(active=np.arange(-1, 19, dtype=np.int32)), "not of different ones"),
        (hashed(active=np.array([*range(19), 2**31 - 1], np.int32)), "not of different ones"),
        (hashed(active=np.arange(20, dtype=np.uint16)), "'active' is U16"),
        (hashed(active=np.arange(19, dtype=np.int32)), "'gaussian_directions' is"),
        (hashed(gaussian_directions=np.full((4, 20, WIDTH), np.nan, F16)), "not finite"),
        (hashed(gaussian_directions=np.full((4, 20, WIDTH), 2000, F16)), "-1000 to 1000"),
        (hashed(gaussian_directions=np.zeros((4, 20, WIDTH), F32)), "'gaussian_directions' is F32"),
        (hashed(gaussian_directions=np.zeros((4, 20, 13), F16)), "'gaussian_directions' is"),
        (hashed(gaussian_mixing=np.full((52, 4), -np.inf, F32)), "not finite"),
        (hashed(gaussian_mixing=np.full((52, 4), -1e30, F32)), "-1000 to 1000"),
        (hashed(gaussian_mixing=np.zeros((51, 4), F32)), "'gaussian_mixing' is"),
        (hashed(vertex_directions=np.zeros((4, 41, 3), F16)), "'vertex_directions' is"),
        (hashed(vertex_mixing=np.zeros((52, 5), F32)), "'vertex_mixing' is"),
        (hashed(loss_db=np.full(1, np.nan, F32)), "not finite"),
        (hashed(loss_db=np.full(1, -1, F32)), "negative"),
        (hashed(loss_db=np.zeros(2, F32)), "'loss_db' is"),
        (hashed(drop=("loss_db",)), "lacks or should not have the tensor 'loss_db'"),
        (hashed(drop=("active",)), "'active'"),
        (hashed(drop=("gaussian_mixing",)), "'gaussian_mixing'"),
        (hashed(drop=("vertex_directions",)), "'vertex_directions'"),
        (hashed(drop=tuple(avatar_file.OF_GAUSSIANS) + tuple(avatar_file.OF_VERTICES)), "'active'"),
        (hashed(version="1"), "should not have the tensor 'active'"),
        (hashed(version="3"), "lacks or should not have the tensor 'deformation."),
        (hashed(version="4"), "version '4' where this Visavis reads versions '1' to '3'"),
        (hashed(active=np.zeros(0, np.int32), gaussian_directions=np.zeros((4, 0, WIDTH), F16)), "0 Gaussians with corrections"),
        (hashed(gaussian_directions=np.zeros((0, 20, WIDTH), F16), gaussian_mixing=np.zeros((52, 0), F32)), "0 directions"),
        (hashed(gaussian_directions=np.zeros((33, 20, WIDTH), F16), gaussian_mixing=np.zeros((52, 33), F32)), "1 to 32"),
        (hashed(vertex_directions=np.zeros((33, 40, 3), F16), vertex_mixing=np.zeros((52, 33), F32)), "1 to 32"),
    ],
)
def test_a_fitting_hash_does_not_help_bad_values(tmp_path: Path, data: bytes, reason: str) -> None:
    refused(tmp_path / "a", data, reason)


def test_nothing_is_allocated_for_corrections_that_ask_for_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = avatar_file.MAX_ACTIVE + 1
    wide = hashed(active=np.arange(many, dtype=np.int32), gaussian_directions=np.zeros((4, many, WIDTH), F16))

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("room was made before the header was checked")

    monkeypatch.setattr(np, "frombuffer", refuse)
    refused(tmp_path / "a", wide, f"{many} Gaussians with corrections where 1 to {avatar_file.MAX_ACTIVE} are allowed")


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "a.avatar"


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_numbers_under_a_fitting_hash_are_refused_or_pose(scratch: Path, data: st.DataObject) -> None:
    """Whatever bits the corrections are made of: either one sentence, or a finite pose."""
    name = data.draw(st.sampled_from([*avatar_file.OF_GAUSSIANS, *avatar_file.OF_VERTICES, "loss_db"]))
    tensor = parts(DATA)[1][name]
    raw = bytearray(tensor.tobytes())
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255)), max_size=8)):
        raw[place] = value
    scratch.write_bytes(hashed(**{name: np.frombuffer(bytes(raw), tensor.dtype).reshape(tensor.shape)}))
    try:
        avatar: Avatar = avatar_file.load(scratch, HEAD)
    except AvatarFileError:
        return
    posed = AvatarPoser(avatar, HEAD).pose(np.ones(52))
    assert np.isfinite(posed.scales).all() and np.isfinite(posed.colors).all() and np.isfinite(posed.opacities).all()
