from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import avatar_file, binding
from models.avatar import AvatarPoser
from models.binding import BoundGaussians
from models.errors import AvatarFileError
from models.exchange import gaussian_avatars as ga
from models.exchange import ply
from models.heads.anny import AnnyHead
from models.heads.base import rotation_matrix
from tests.models import makers
from tests.models.exchange import making

HEAD = making.flame_like()
AVATAR = making.flame_avatar(HEAD)
MEMBERS, LEFT_OUT = ga.encode(AVATAR, HEAD)
FRAMES = 3


def folder(at: Path, drop: str = "", **arrays: Any) -> Path:
    """A folder as GaussianAvatars writes it after training, with other arrays where they are given."""
    at.mkdir(exist_ok=True)
    rng = np.random.default_rng(5)
    parameters = {
        "shape": rng.normal(size=300).astype(np.float32), "expr": np.zeros((FRAMES, 100), np.float32),
        "rotation": np.zeros((FRAMES, 3), np.float32), "neck_pose": np.zeros((FRAMES, 3), np.float32),
        "jaw_pose": np.zeros((FRAMES, 3), np.float32), "eyes_pose": np.zeros((FRAMES, 6), np.float32),
        "translation": np.zeros((FRAMES, 3), np.float32),
        "static_offset": rng.normal(0, 1e-3, (1, ga.THEIR_VERTICES, 3)).astype(np.float32),
        "dynamic_offset": np.zeros((FRAMES, ga.THEIR_VERTICES, 3), np.float32),
    }  # fmt: skip
    parameters |= arrays
    parameters.pop(drop, None)
    np.savez(at / ga.PARAMETERS, **parameters)
    (at / ga.POINTS).write_bytes(ga.write_bound(AVATAR.gaussians))
    return at


def same(a: BoundGaussians, b: BoundGaussians) -> None:
    np.testing.assert_array_equal(a.face, b.face)
    np.testing.assert_array_equal(a.means, b.means)
    np.testing.assert_allclose(a.rotations, b.rotations, atol=1e-6)
    np.testing.assert_allclose(a.scales, b.scales, rtol=2e-6)
    np.testing.assert_allclose(a.opacities, b.opacities, atol=2e-6)
    np.testing.assert_allclose(a.colors, b.colors, atol=2e-6)


def test_our_frames_are_those_of_the_paper() -> None:
    """Section 3.2, and the code's scale, written down once more: r' = R r, mu' = k R mu + T, s' = k s."""
    rng = np.random.default_rng(0)
    vertices = rng.normal(0, 0.1, (60, 3)).astype(np.float32)
    faces = np.stack([rng.permutation(60)[:3] for _ in range(40)]).astype(np.int32)
    bound = makers.bound_gaussians(80, 40)
    ours = binding.to_world(bound, binding.frames(vertices, faces))
    for n, f in enumerate(bound.face):
        v0, v1, v2 = vertices[faces[f]].astype(np.float64)
        a0 = (v1 - v0) / np.linalg.norm(v1 - v0)
        a1 = np.cross(a0, v2 - v0)
        a1 /= np.linalg.norm(a1)
        a2 = -np.cross(a1, a0)
        turn = np.stack([a0, a1, a2], axis=1)
        k = (np.linalg.norm(v1 - v0) + abs(a2 @ (v2 - v0))) / 2
        np.testing.assert_allclose(ours.means[n], k * turn @ bound.means[n] + (v0 + v1 + v2) / 3, atol=1e-5)
        np.testing.assert_allclose(ours.scales[n], k * bound.scales[n], rtol=1e-4)
        np.testing.assert_allclose(rotation_matrix(ours.rotations[n]), turn @ rotation_matrix(bound.rotations[n]), atol=2e-4)


def test_what_training_wrote_is_imported_without_flame(tmp_path: Path) -> None:
    at = folder(tmp_path / "trained")
    back = ga.load(at)
    assert back.head == "flame2023"
    assert back.provenance["imported"]["left_out_on_teeth"] == 20
    same(back.gaussians, AVATAR.gaussians.select(AVATAR.gaussians.face < ga.FLAME_FACES))
    with np.load(at / ga.PARAMETERS, allow_pickle=False) as theirs:
        np.testing.assert_array_equal(back.identity, theirs["shape"])
        np.testing.assert_array_equal(back.offset[: ga.FLAME_VERTICES], theirs["static_offset"][0, : ga.FLAME_VERTICES])
    assert not back.offset[ga.FLAME_VERTICES :].any()
    avatar_file.check(back, HEAD)
    avatar_file.save(back, tmp_path / "a.avatar")
    assert np.isfinite(AvatarPoser(back, HEAD).pose(np.zeros(52, np.float32)).means).all()


def test_the_ply_alone_finds_its_parameters(tmp_path: Path) -> None:
    at = folder(tmp_path / "trained", static_offset=np.ones((ga.FLAME_VERTICES, 3)), shape=np.ones(100, np.float32))
    back = ga.load(at / ga.POINTS, "flame2020")
    assert back.head == "flame2020"
    assert back.offset[: ga.FLAME_VERTICES].min() == 1
    assert list(np.unique(back.identity[:100])) == [1] and not back.identity[100:].any()


@pytest.mark.parametrize("name", ["out.zip", "out"])
def test_what_is_exported_is_what_was_there(tmp_path: Path, name: str) -> None:
    assert ga.save(AVATAR, HEAD, tmp_path / name) == LEFT_OUT == 20
    back = ga.load(tmp_path / name)
    same(back.gaussians, AVATAR.gaussians.select(AVATAR.gaussians.face < ga.FLAME_FACES))
    np.testing.assert_array_equal(back.identity, AVATAR.identity)
    np.testing.assert_array_equal(back.offset[: ga.FLAME_VERTICES], AVATAR.offset[: ga.FLAME_VERTICES])


def test_the_export_is_what_its_loader_asks_for() -> None:
    columns = ply.read_columns(MEMBERS[ga.POINTS])
    assert sum(name.startswith("f_rest_") for name in columns) == 45
    assert list(columns)[-1] == "binding_0"
    assert columns["binding_0"].max() < ga.FLAME_FACES
    with np.load(io.BytesIO(MEMBERS[ga.PARAMETERS]), allow_pickle=False) as p:
        shapes = {name: p[name].shape for name in p}
        assert all(p[name].dtype == np.float32 for name in p)
    v = ga.THEIR_VERTICES
    assert shapes == {
        "shape": (300,), "expr": (1, 100), "rotation": (1, 3), "neck_pose": (1, 3), "jaw_pose": (1, 3), "eyes_pose": (1, 6),
        "translation": (1, 3), "static_offset": (1, v, 3), "dynamic_offset": (1, v, 3),
    }  # fmt: skip
    assert b"20 Gaussians on the teeth" in MEMBERS[ga.README]


def test_an_avatar_on_the_default_head_comes_back_whole(tmp_path: Path) -> None:
    head = AnnyHead()
    avatar = makers.avatar(head, 200)
    assert ga.save(avatar, head, tmp_path / "a.zip") == 0
    back = ga.load(tmp_path / "a.zip")
    avatar_file.check(back, head)
    same(back.gaussians, avatar.gaussians)
    np.testing.assert_array_equal(back.identity, avatar.identity)
    np.testing.assert_array_equal(back.offset, avatar.offset)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert b"not FLAME's" in archive.read(ga.README)
        with np.load(io.BytesIO(archive.read(ga.HEAD)), allow_pickle=False) as mesh:
            frames = binding.frames(mesh["vertices"], mesh["faces"])
    posed = binding.to_world(
        ga.read_bound(ply.read_columns(ply.write_columns({**columns_of(avatar.gaussians)})), 1 << 16), frames
    )
    np.testing.assert_allclose(posed.means, AvatarPoser(avatar, head).pose(np.zeros(52, np.float32)).means, atol=1e-6)


def columns_of(bound: BoundGaussians) -> ply.Columns:
    return ply.read_columns(ga.write_bound(bound))


def test_the_same_avatar_gives_the_same_bytes() -> None:
    assert ga.encode(AVATAR, HEAD)[0] == MEMBERS


def test_a_still_ply_is_refused(tmp_path: Path) -> None:
    ply.save(making.world(), tmp_path / "still.ply")
    with pytest.raises(AvatarFileError, match="still head"):
        ga.load(tmp_path / "still.ply")


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"static_offset": np.zeros((7, 3), np.float32)}, "static_offset"),
        ({"shape": np.full(300, np.nan)}, "cannot be"),
        ({"shape": np.array([{"a": 1}], object)}, "not a"),
        ({"shape": np.array(["a", "b"])}, "plain numbers"),
        ({"shape": np.zeros(0)}, "empty"),
    ],
)
def test_parameters_that_cannot_be_are_refused(tmp_path: Path, arrays: dict[str, Any], reason: str) -> None:
    with pytest.raises(AvatarFileError, match=reason) as error:
        ga.load(folder(tmp_path / "a", **arrays))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("face", [-1.0, 0.5, float(ga.THEIR_FACES), np.nan, 1e30])
def test_triangles_that_are_not_there_are_refused(tmp_path: Path, face: float) -> None:
    at = folder(tmp_path / "a")
    columns = columns_of(AVATAR.gaussians)
    columns["binding_0"] = np.full(len(AVATAR.gaussians), face)
    (at / ga.POINTS).write_bytes(ply.write_columns(columns))
    with pytest.raises(AvatarFileError, match="triangle"):
        ga.load(at)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    at = folder(tmp_path / "a")
    (at / ga.PARAMETERS).unlink()
    with pytest.raises(AvatarFileError, match="flame_param"):
        ga.load(at)
    (at / ga.POINTS).unlink()
    with pytest.raises(AvatarFileError, match="point_cloud"):
        ga.load(at)
    with pytest.raises(AvatarFileError, match="cannot be read"):
        ga.load(tmp_path / "none.zip")


def test_a_header_that_promises_more_than_there_is_makes_no_room(tmp_path: Path) -> None:
    at = folder(tmp_path / "a")
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40,)})
    with zipfile.ZipFile(at / ga.PARAMETERS, "w") as archive:
        archive.writestr("shape.npy", stream.getvalue())
    with pytest.raises(AvatarFileError, match="of the size that it says"):
        ga.load(at)


SMALL_NPZ = ga._npz({"shape": np.zeros(10, np.float32)})


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(SMALL_NPZ) - 1), st.integers(0, 255)), min_size=1, max_size=5), st.integers(0, 400))
def test_damaged_archives_never_break_it(changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(SMALL_NPZ)
    for at, value in changes:
        data[at] = value
    for variant in (bytes(data), bytes(data[:cut])):
        try:
            ga._arrays(variant, ("shape",))
        except ga.MalformedError:
            continue
