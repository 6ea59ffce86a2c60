from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import arkit, caches
from models.errors import HeadModelError
from models.heads import asset, flame, registry
from models.heads.anny import AnnyHead
from models.heads.base import HEAD, JAW, JOINTS, LEFT_EYE, NECK, RIGHT_EYE, TORSO, HeadModel, Pose
from tests.models.heads import flame_file, looking

CONTENT = flame_file.contents()
COUNT = len(CONTENT["v_template"])
"""Vertices without teeth."""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("flame") / "flame2023.pkl"
    flame_file.write(out, CONTENT)
    return out


@pytest.fixture(scope="module")
def head(path: Path) -> HeadModel:
    return flame.build("flame2023", flame.read_flame(path))


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may touch, or find, what the user of this machine has."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(caches, "prepare", lambda: tmp_path / "cache")
    monkeypatch.setattr(flame, "user_data_dir", lambda *_, **__: str(tmp_path / "data"))
    monkeypatch.delenv(flame.VARIABLE, raising=False)
    flame._head.cache_clear()


def truth(name: str) -> np.ndarray:
    """The movement that the made-up head was given, (COUNT, 3), found again by the place of its vertices."""
    default = AnnyHead()
    index = CONTENT["source_vertices"]
    return flame_file.SCALE * default.expression_basis[arkit.INDEX[name]][index]


def test_all_arrays_have_their_shapes_and_ranges(head: HeadModel) -> None:
    asset.check(head)
    assert head.name == "flame2023"
    assert head.identity_count == 300
    np.testing.assert_allclose(head.weights.sum(axis=1), 1, atol=1e-5)
    assert head.uv.min() >= 0
    assert head.uv.max() <= 1
    assert set(np.unique(head.region)) >= set(range(3)) | {6, 7}


def test_the_origin_is_between_the_ears(head: HeadModel) -> None:
    """Where the default head has it, seen from the landmarks, to within a centimetre and a half."""
    default = AnnyHead()
    here = head.person(np.zeros(300)).landmarks(head.template)
    there = default.person(np.zeros(default.identity_count)).landmarks(default.template)
    assert np.abs(here.mean(axis=0) - flame_file.SCALE * there.mean(axis=0)).max() < 0.015
    assert head.joints[LEFT_EYE, 0] > 0.02 > -0.02 > head.joints[RIGHT_EYE, 0]


def test_the_rule_for_ears_finds_the_default_heads_ears() -> None:
    default = AnnyHead()
    skin = default.template[default.region_vertices("skin")]
    ears = flame.ear_vertices(skin, default.joints[NECK])
    assert np.linalg.norm(skin[ears].mean(axis=0)) < 0.02


def test_identity_moves_no_ears_but_the_face(head: HeadModel) -> None:
    ears = flame.ear_vertices(CONTENT["v_template"], CONTENT["J"][1])
    np.testing.assert_allclose(head.identity_basis[:, ears].mean(axis=1), 0, atol=1e-6)
    person = head.person(np.eye(300)[0] * 2)
    assert np.abs(person.rest - head.template).max() > 1e-3
    eye = head.region_vertices("left_eye")
    moved = (person.rest - head.template)[eye].mean(axis=0)
    np.testing.assert_allclose(person.joints[LEFT_EYE] - head.joints[LEFT_EYE], moved, atol=3e-3)


@pytest.mark.parametrize(
    "name", [n for n in arkit.NAMES if not n.startswith("eyeLook") and n not in ("tongueOut", "jawOpen", "mouthClose")]
)
def test_arkit_is_found_again_in_the_other_space(head: HeadModel, name: str) -> None:
    want, got = truth(name), head.expression_basis[arkit.INDEX[name], :COUNT]
    cosine = np.sum(want * got) / np.linalg.norm(want) / np.linalg.norm(got)
    assert cosine > 0.97
    assert np.linalg.norm(got) == pytest.approx(np.linalg.norm(want), rel=0.3)


def test_the_jaw_opens_as_far_as_it_should(head: HeadModel) -> None:
    want, got = truth("jawOpen"), head.expression_basis[arkit.INDEX["jawOpen"], :COUNT]
    lowest = want[:, 1].argmin()
    assert got[lowest, 1] == pytest.approx(want[lowest, 1], rel=0.25)
    assert np.sum(want * got) / np.linalg.norm(want) / np.linalg.norm(got) > 0.95


@pytest.mark.parametrize(("name", "eye"), [("eyeBlinkLeft", "left_eye"), ("eyeBlinkRight", "right_eye")])
def test_blinks_close_the_eye(head: HeadModel, name: str, eye: str) -> None:
    person = head.person(np.zeros(300))
    open_, closed = (looking.pixels_of(head, person.vertices(looking.face(**{name: v})), eye) for v in (0, 1))
    assert open_ > 100
    assert closed < 0.05 * open_


def test_eyeballs_only_turn(head: HeadModel) -> None:
    eyes = head.region_vertices("left_eye", "right_eye")
    assert not head.expression_basis[:, eyes].any()
    person = head.person(np.zeros(300))
    gaze = np.array([[0.3, 0.0], [0.0, 0.2]], np.float32)
    moved = person.vertices(np.zeros(52), Pose(gaze=gaze)) - person.rest
    left, right = (head.region_vertices(n) for n in ("left_eye", "right_eye"))
    assert moved[left[person.rest[left, 2].argmax()], 0] > 0.002
    assert moved[right[person.rest[right, 2].argmax()], 1] > 0.001
    assert np.abs(np.delete(moved, eyes, axis=0)).max() < 1e-6


def test_teeth_hang_on_head_and_jaw(head: HeadModel) -> None:
    upper, lower = head.region_vertices("upper_teeth"), head.region_vertices("lower_teeth")
    assert len(upper) == len(lower) == 60
    assert not head.expression_basis[:, upper].any()
    opened = head.expression_basis[arkit.INDEX["jawOpen"], lower, 1]
    assert opened.max() < -0.005
    assert (head.weights[upper, HEAD] == 1).all()
    assert (head.weights[lower, JAW] == 1).all()
    landmarks = head.person(np.zeros(300)).landmarks(head.template)
    for teeth in (upper, lower):
        front = head.template[teeth[head.template[teeth, 2].argmax()]]
        assert np.linalg.norm(front - landmarks[[13, 14]].mean(axis=0)) < 0.02
        assert front[2] < landmarks[13, 2]


def test_the_extra_jaw_opens_the_mouth(head: HeadModel) -> None:
    person = head.person(np.zeros(300))
    chin = [person.landmarks(person.vertices(np.zeros(52), Pose(jaw=jaw)))[152, 1] for jaw in (0.0, 0.2)]
    assert chin[1] < chin[0] - 0.005


def test_the_neck_takes_what_root_and_skull_share() -> None:
    ours = flame._weights(np.array([[1, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0], [0.2, 0.7, 0.1, 0, 0], [0, 0, 0, 0, 1.0]]))
    expected = np.zeros((4, len(JOINTS)))
    expected[0, TORSO] = expected[1, NECK] = expected[3, RIGHT_EYE] = 1
    expected[2, [NECK, HEAD, JAW]] = 0.4, 0.5, 0.1
    np.testing.assert_allclose(ours, expected, atol=1e-7)


def test_the_texture_has_no_face_across_its_seam(head: HeadModel) -> None:
    faces = ~head.region_faces("upper_teeth", "lower_teeth")
    width = np.ptp(head.uv[head.face_uv[faces]][..., 0], axis=1)
    assert width.max() <= 0.5


def test_loading_twice_takes_it_from_the_cache(
    path: Path, head: HeadModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flame, "build", lambda *_: head)
    first = flame.FlameHead("flame2023", path)
    assert flame.FlameHead("flame2023", path) is first
    assert len(list((tmp_path / "cache").iterdir())) == 1
    flame._head.cache_clear()
    monkeypatch.setattr(flame, "build", None)
    second = flame.FlameHead("flame2023", path)
    np.testing.assert_allclose(second.expression_basis, first.expression_basis, atol=3e-5)
    monkeypatch.setenv(flame.VARIABLE, str(path))
    flame._head.cache_clear()
    assert registry.by_name("flame2023").vertex_count == first.vertex_count


def test_a_cache_that_cannot_be_used_does_no_harm(
    path: Path, head: HeadModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flame, "build", lambda *_: head)
    (tmp_path / "cache").write_bytes(b"a file where the folder should be")
    assert flame.FlameHead("flame2023", path) is head
    (tmp_path / "cache").unlink()
    flame._head.cache_clear()
    assert flame.FlameHead("flame2023", path) is head
    kept = next((tmp_path / "cache").iterdir())
    kept.write_bytes(b"damaged")
    flame._head.cache_clear()
    assert flame.FlameHead("flame2023", path) is head


def test_where_the_file_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert flame.default_path("flame2020") == tmp_path / "data" / "flame" / "generic_model.pkl"
    monkeypatch.setenv(flame.VARIABLE, str(tmp_path))
    assert flame.default_path("flame2023") == tmp_path / "flame2023.pkl"
    monkeypatch.setenv(flame.VARIABLE, str(tmp_path / "mine.pkl"))
    assert flame.default_path("flame2023") == tmp_path / "mine.pkl"


def test_a_missing_file_says_where_it_comes_from() -> None:
    with pytest.raises(HeadModelError, match=r"flame\.is\.tue\.mpg\.de.*generic_model\.pkl.*VISAVIS_FLAME") as error:
        flame.FlameHead("flame2020")
    assert "\n" not in str(error.value)
    with pytest.raises(HeadModelError, match="flame2020, flame2023"):
        flame.FlameHead("flame1999")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"posedirs": None}, "lacks posedirs"),
        ({"weights": np.zeros((3, 5))}, "weights"),
        ({"shapedirs": np.zeros((COUNT, 3, 150))}, "shapedirs"),
        ({"v_template": CONTENT["v_template"] * np.nan}, "finite"),
        ({"f": CONTENT["f"] + COUNT}, "do not fit"),
        ({"f": CONTENT["f"].astype(np.int64) - COUNT}, "do not fit"),
    ],
)
def test_a_file_that_is_no_flame(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    path = tmp_path / "a.pkl"
    content = {k: v for k, v in (CONTENT | change).items() if v is not None}
    flame_file.write(path, content)
    with pytest.raises(HeadModelError, match=reason):
        flame.FlameHead("flame2023", path)
