from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import arkit
from models.avatar import AvatarPoser
from models.errors import AvatarFileError
from models.exchange import glb, lam, ply
from models.heads.anny import AnnyHead
from models.heads.base import HEAD, JOINTS, Pose
from models.tensor_file import MalformedError
from tests.models import makers

MODEL = AnnyHead()
AVATAR = makers.avatar(MODEL, 301)
AVATAR.gaussians.opacities[:5] = 0
AVATAR.gaussians.means[:] *= 0.1
EYES = np.flatnonzero(MODEL.region_faces("left_eye"))
AVATAR.gaussians.face[10:20] = EYES[:10]
MEMBERS = lam.encode(AVATAR, MODEL)
VISIBLE = AVATAR.gaussians.opacities >= lam.MIN_OPACITY
COUNT = int(VISIBLE.sum())
DOCUMENT, BINARY = glb.check(MEMBERS["skin.glb"])
PRIMITIVE = DOCUMENT["meshes"][0]["primitives"][0]


def array(number: int) -> np.ndarray:
    return glb.values(DOCUMENT, BINARY, number)


def shown(name: str = "") -> np.ndarray:
    """Where LAM's viewer puts the Gaussians with one coefficient at 1, before the skeleton: vertex + offset + target."""
    columns = ply.read_columns(MEMBERS["offset.ply"])
    out = array(PRIMITIVE["attributes"]["POSITION"]) + ply.stacked(columns, "x", "y", "z")
    if name:
        names = DOCUMENT["meshes"][0]["extras"]["targetNames"]
        out = out + array(PRIMITIVE["targets"][names.index(name)]["POSITION"])
    return out


def posed(name: str = "", gaze: np.ndarray | None = None) -> np.ndarray:
    coefficients = np.asarray(arkit.vector(**({name: 1.0} if name else {})), np.float32)
    pose = Pose(gaze=np.zeros((2, 2), np.float32) if gaze is None else gaze)
    return AvatarPoser(AVATAR, MODEL).pose(coefficients, pose).means[VISIBLE]


def test_the_zip_has_a_folder_with_the_four_files(tmp_path: Path) -> None:
    assert lam.save(AVATAR, MODEL, tmp_path / "a.zip") == COUNT
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        assert [n for n in names if n.endswith("/")] == ["avatar/"]
        assert {f"avatar/{n}" for n in ("offset.ply", "skin.glb", "animation.glb", "vertex_order.json")} < set(names)
        assert json.loads(archive.read("avatar/vertex_order.json")) == list(range(COUNT))


def test_a_vertex_for_each_visible_gaussian() -> None:
    assert len(AVATAR.gaussians) > COUNT
    assert len(ply.read_columns(MEMBERS["offset.ply"])["x"]) == COUNT
    for number in PRIMITIVE["attributes"].values():
        assert len(array(number)) == COUNT
    assert set(np.unique(array(PRIMITIVE["indices"]))) == set(range(COUNT))
    assert array(PRIMITIVE["indices"]).size % 3 == 0


def test_gaussians_stand_where_they_stood() -> None:
    np.testing.assert_allclose(shown(), posed(), atol=2e-6)


@pytest.mark.parametrize("name", ["jawOpen", "mouthSmileLeft", "browInnerUp", "eyeBlinkRight"])
def test_expressions_move_them_as_ours_do(name: str) -> None:
    np.testing.assert_allclose(shown(name), posed(name), atol=2 * glb.STILL)
    assert np.abs(shown(name) - shown()).max() > 1e-3


@pytest.mark.parametrize(("name", "which", "sign"), [("eyeLookOutLeft", 1, 1), ("eyeLookInLeft", 0, -1)])
def test_eyes_turn(name: str, which: int, sign: int) -> None:
    gaze = np.zeros((2, 2), np.float32)
    gaze[0, 0] = sign * MODEL.gaze_range[which]
    np.testing.assert_allclose(shown(name), posed(name, gaze), atol=2 * glb.STILL)
    left = np.flatnonzero(np.isin(AVATAR.gaussians.face[VISIBLE], EYES))
    assert np.abs(shown(name) - shown())[left].max() > 5e-4


def test_there_are_51_named_targets_and_no_tongue() -> None:
    names = DOCUMENT["meshes"][0]["extras"]["targetNames"]
    assert names == [n for n in arkit.NAMES if n != "tongueOut"]
    assert len(PRIMITIVE["targets"]) == 51
    assert any("sparse" in DOCUMENT["accessors"][t["POSITION"]] for t in PRIMITIVE["targets"])


def test_colours_are_plain_and_round_as_the_viewer_rounds() -> None:
    columns = ply.read_columns(MEMBERS["offset.ply"])
    eight_bits = np.clip(np.floor(255 * ply.stacked(columns, "f_dc_0", "f_dc_1", "f_dc_2")), 0, 255)
    assert np.abs(eight_bits / 255 - AVATAR.gaussians.colors[VISIBLE]).max() <= 0.5 / 255 + 1e-6


def test_the_skeleton_carries_them_to_the_camera() -> None:
    nodes, skin = DOCUMENT["nodes"], DOCUMENT["skins"][0]
    names = [nodes[j]["name"] for j in skin["joints"]]
    assert names[0] == "hip" and names[HEAD] == "head" and len(names) == len(JOINTS)
    world: dict[int, np.ndarray] = {0: np.array(nodes[0]["translation"])}
    for parent in (0, 1, 2):
        for child in nodes[parent].get("children", []):
            world[child] = world[parent] + nodes[child]["translation"]
    inverse = array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
    for joint in range(len(JOINTS)):
        moved = inverse[joint][:3, 3] + world[joint]
        np.testing.assert_allclose(moved, [0, lam.LIFT, 0], atol=1e-5)
    np.testing.assert_allclose(array(PRIMITIVE["attributes"]["WEIGHTS_0"]).sum(axis=1), 1, atol=1e-5)
    assert array(PRIMITIVE["attributes"]["JOINTS_0"]).max() < len(JOINTS)


def test_the_viewer_finds_its_twelve_clips() -> None:
    document, binary = glb.check(MEMBERS["animation.glb"])
    assert [a["name"].split("_")[0] for a in document["animations"]] == ["greet"] * 2 + ["idle"] + ["speak"] * 6 + ["think"] * 3
    sampler = document["animations"][0]["samplers"][0]
    assert glb.values(document, binary, sampler["input"])[-1, 0] == lam.CLIP_SECONDS
    assert document["nodes"][document["animations"][0]["channels"][0]["target"]["node"]]["name"] == "head"


def test_too_many_or_none_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lam.MAX_GAUSSIANS == 161_319
    nobody = replace(AVATAR, gaussians=replace(AVATAR.gaussians, opacities=np.zeros(301, np.float32)))
    with pytest.raises(AvatarFileError, match="the avatar has 0"):
        lam.encode(nobody, MODEL)
    monkeypatch.setattr(lam, "MAX_GAUSSIANS", 100)
    with pytest.raises(AvatarFileError, match="1 to 100"):
        lam.encode(AVATAR, MODEL)


@pytest.mark.parametrize("still", [0, 1, 40, 41, 100])
def test_sparse_displacements_say_the_same(still: int) -> None:
    rng = np.random.default_rng(still)
    moved = rng.normal(0, 0.01, (100, 3)).astype(np.float32)
    moved[:still] = 1e-7
    out = glb.Builder("test")
    number = out.displacements(moved)
    document, binary = glb.check(out.finish())
    np.testing.assert_allclose(glb.values(document, binary, number), moved, atol=glb.STILL)


def altered(change: object) -> bytes:
    """skin.glb with its JSON changed in place."""
    document, binary = glb.read(MEMBERS["skin.glb"])
    change(document)  # type: ignore[operator]
    out = glb.Builder("test")
    out.document, out._binary = document, bytearray(binary)
    return out.finish()


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["accessors"][0].update(count=10**6),
        lambda d: d["accessors"][0].update(count=COUNT - 1),
        lambda d: d["accessors"][0].update(min=[0, 0, 0]),
        lambda d: d["accessors"][0].update(componentType=7),
        lambda d: d["accessors"][0].update(bufferView=10**6),
        lambda d: d["bufferViews"][0].update(byteOffset=2),
        lambda d: d["bufferViews"][0].update(byteOffset=-4),
        lambda d: d["bufferViews"][0].update(byteLength=1 << 40),
        lambda d: d["skins"][0]["joints"].append(0),
        lambda d: d["skins"][0]["joints"].__setitem__(0, 99),
        lambda d: d["nodes"][0].update(children=[77]),
        lambda d: d["meshes"][0]["primitives"][0]["targets"].append({"POSITION": 1}),
        lambda d: d["meshes"][0]["primitives"][0].update(indices=1),
    ],
)
def test_the_checker_finds_what_is_wrong(change: object) -> None:
    with pytest.raises(MalformedError):
        glb.check(altered(change))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_files_never_break_the_reader(data: st.DataObject) -> None:
    whole = bytearray(MEMBERS["animation.glb"])
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    for variant in (bytes(whole), bytes(whole[: data.draw(st.integers(0, len(whole)))])):
        try:
            glb.check(variant)
        except MalformedError:
            continue


def test_the_same_avatar_gives_the_same_bytes(tmp_path: Path) -> None:
    assert lam.encode(AVATAR, MODEL) == MEMBERS
    assert zipfile.is_zipfile(io.BytesIO(lam.zip_of(MEMBERS, "avatar")))
