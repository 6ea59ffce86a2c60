"""Training pairs: what the prior is told and the truth lie on each other; a cache gives the same batches again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from enrollment.high.conditions import OPENGL, Conditioner, in_camera, pose_map, target_camera
from enrollment.prior_training import face_crops, pair_cache, training_pairs
from enrollment.prior_training.pair_cache import HELD_OUT, TRAINING, Cache, FaceCache, to_batch
from enrollment.prior_training.training_pairs import EnrolledSynthetic, enrolled
from enrollment.prior_training.virtual_photo import photograph
from models import arkit
from models.diffusion.points import COUNT, RIGHT_EYE
from models.errors import StorageError
from models.heads.base import HeadModel, Pose
from models.synthetic.head import SyntheticHead

SEED, SIZE = 11, 64
NEUTRAL = np.zeros(arkit.COUNT, np.float32)


@pytest.fixture(scope="module")
def head(model: HeadModel) -> SyntheticHead:
    return SyntheticHead.random(model, SEED, hat="none", hair_style="crop", glasses="none")


@pytest.fixture(scope="module")
def made(head: SyntheticHead) -> EnrolledSynthetic:
    return enrolled(head, np.random.default_rng(3), side=320)


@pytest.fixture(scope="module")
def conditioner(made: EnrolledSynthetic, model: HeadModel) -> Conditioner:
    return Conditioner(made.enrollment, model)


def truth(
    made: EnrolledSynthetic, yaw: float, size: int = SIZE
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Colour, matte and normals as the prior has them, of the true head in the photo's expression."""
    camera = made.true_camera(target_camera(yaw, size=size))
    c = made.shot.coefficients
    seen = made.head.render(camera, c, made.true_pose(c), background=1.0)
    return seen.color, seen.matte, in_camera(seen.normals, seen.matte, camera)


def error(a: NDArray[np.float32], b: NDArray[np.float32], where: NDArray[np.float32]) -> float:
    return float((where[..., None] * (a - b) ** 2).sum() / (3 * where.sum()))


def shifted(picture: NDArray[np.float32], right: int, down: int) -> NDArray[np.float32]:
    return np.roll(picture, (down, right), (0, 1))


@pytest.mark.parametrize("yaw", [0.0, 30.0])
def test_warp_coarse_view_and_truth_lie_on_each_other(made: EnrolledSynthetic, conditioner: Conditioner, yaw: float) -> None:
    """Moved by two pixels in any direction they fit worse: the cameras agree."""
    known = conditioner.conditions_for(target_camera(yaw, size=SIZE), made.enrollment.fit.photos[0].coefficients)
    color, _, _ = truth(made, yaw)
    seen = known.visibility * (known.alpha > 0.99)
    assert seen.mean() > 0.1
    for ours in (known.warp, known.color):
        here = error(ours, color, seen)
        moved = [error(ours, shifted(color, *by), seen) for by in ((2, 0), (-2, 0), (0, 2), (0, -2))]
        assert here < 0.9 * min(moved)


def test_normals_of_coarse_view_pose_map_and_truth_are_in_one_frame(made: EnrolledSynthetic, conditioner: Conditioner) -> None:
    """Camera axes, OpenGL: on the face, within thirty degrees of each other; as long as alpha."""
    known = conditioner.conditions_for(target_camera(35.0, size=SIZE), made.enrollment.fit.photos[0].coefficients)
    _, matte, normals = truth(made, 35.0)
    both = (known.visibility > 0.9) & (matte > 0.99) & (known.alpha > 0.99)
    for ours in (known.normals, known.pose):
        cosine = (ours * normals).sum(axis=2)[both]
        assert np.median(cosine) > np.cos(np.deg2rad(30))
    assert normals[both][:, 2].mean() > 0.3, "z is towards the viewer"
    np.testing.assert_allclose(np.linalg.norm(known.normals, axis=2), known.alpha, atol=0.02)


def test_the_photo_is_visible_from_the_front_only(made: EnrolledSynthetic, conditioner: Conditioner) -> None:
    front, back = (conditioner.conditions_for(target_camera(yaw, size=SIZE), NEUTRAL) for yaw in (0.0, 180.0))
    assert front.visibility.sum() > 10 * back.visibility.sum()
    assert back.alpha.sum() > 0.5 * front.alpha.sum()
    assert not front.warp[front.visibility == 0].any()


def test_the_warp_follows_the_expression(made: EnrolledSynthetic, conditioner: Conditioner) -> None:
    """An opened mouth shows what the photo did not."""
    c = made.enrollment.fit.photos[0].coefficients.copy()
    wide = c.copy()
    wide[arkit.INDEX["jawOpen"]] = 1.0
    camera = target_camera(0.0, size=128)
    before, after = conditioner.conditions_for(camera, c), conditioner.conditions_for(camera, wide)
    mouth = np.s_[70:100, 48:80]
    assert after.visibility[mouth].mean() < before.visibility[mouth].mean() - 0.02
    assert np.abs(after.pose - before.pose).max() < 1e-6, "pose maps have no expression (G5)"


def test_a_practice_photo_is_framed_and_imperfect(head: SyntheticHead) -> None:
    shot = photograph(head, np.random.default_rng(0), side=256)
    p = shot.portrait
    xy = p.landmarks.points[:468, :2]
    assert p.image.shape == (256, 256, 3) and xy.min() > 40 and xy.max() < 216
    assert p.matte.min() == 0.0 and p.matte.max() == 1.0 and p.matte[:5].mean() < 0.2
    again = photograph(head, np.random.default_rng(0), side=256)
    np.testing.assert_array_equal(again.portrait.image, p.image)


def test_pose_map_looks_at_the_viewer(model: HeadModel) -> None:
    person = model.person(np.zeros(model.identity_count))
    front = pose_map(person, person.rest, target_camera(0.0, size=SIZE))
    assert front[SIZE // 2, SIZE // 2, 2] > 0.5
    np.testing.assert_array_equal(OPENGL, [1, -1, -1])
    left = pose_map(person, person.rest, target_camera(90.0, size=SIZE))
    assert left[SIZE // 2, SIZE // 2, 2] > 0.5, "also from the side: normals are in the camera's frame"


def test_a_face_comes_with_the_places_of_its_landmarks(model: HeadModel, head: SyntheticHead) -> None:
    """Closed lids meet, in the points of both eyes as in the face; the pictures are those of `face_parts`."""
    camera, c = target_camera(10.0, size=face_crops.CROP), NEUTRAL.copy()
    gap = {}
    for name, shut in (("open", 0.0), ("shut", 1.0)):
        c[[arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"]]] = shut
        parts, points = face_crops.look(head, camera, c, Pose())
        assert parts.shape == (face_crops.CROP, face_crops.CROP, 3) and points.shape == (4, COUNT, 2)
        upper, lower = (RIGHT_EYE.index(mark) for mark in (159, 145))
        gap[name] = points[:2, lower, 1] - points[:2, upper, 1]
        assert np.abs(points[:2, :16]).max() < 1.0, "the lids lie in the part"
    assert (gap["open"] > 3 * np.abs(gap["shut"])).all()
    assert np.abs(gap["open"][0] - gap["open"][1]) < 0.5 * gap["open"][0], "one eye like the other"


def fake_rows(seed: int, size: int = 16, views: int = 4) -> NDArray[np.void]:
    rng = np.random.default_rng(seed)
    rows = np.zeros(views, training_pairs.row_type(size))
    for name in rows.dtype.names or ():
        low, high = (-100, 100) if rows[name].dtype == np.int8 else (0, 200)
        rows[name] = rng.integers(low, high, rows[name].shape)
    rows["coefficients"] = rng.random(rows["coefficients"].shape)
    return rows


@pytest.fixture
def filled(tmp_path: Path) -> Cache:
    for seed in (*range(TRAINING, TRAINING + 5), HELD_OUT):
        np.save(tmp_path / f"{seed}.npy", fake_rows(seed))
    return Cache(tmp_path, 16, 4)


def test_batches_depend_on_the_step_only(filled: Cache) -> None:
    one, other = filled.batches(5, 3, seed=1), filled.batches(5, 3, seed=1)
    later = other(7)
    for step in range(7):
        one(step)
    assert (one(7).coarse_color == later.coarse_color).all()
    assert (one(8).coarse_color != later.coarse_color).any()
    assert len(later) == 3


def test_held_out_people_are_others(filled: Cache) -> None:
    held = filled.held(1)
    batch = filled.batches(5, 5)(0)
    assert len(held) == 4
    assert all((held.target_color[0] != color).any() for color in batch.target_color)


def test_bytes_become_ranges(filled: Cache) -> None:
    rows = filled.rows(TRAINING)
    batch = to_batch(rows)
    np.testing.assert_allclose(batch.target_normals.permute(0, 2, 3, 1).numpy(), rows["target_normals"] / 127, atol=1e-6)
    np.testing.assert_allclose(batch.visibility[:, 0].numpy(), rows["visibility"] / 255, atol=1e-6)
    same = to_batch(rows, cross_view=False)
    assert (same.driving != batch.driving).any() and (same.warp == batch.warp).all()


def test_a_cache_of_another_kind_is_refused(filled: Cache) -> None:
    with pytest.raises(StorageError, match="another kind"):
        Cache(filled.folder, 64, 4).there([TRAINING])
    filled.path(TRAINING).write_bytes(b"not an array")
    with pytest.raises(StorageError, match="delete that file"):
        filled.rows(TRAINING)
    with pytest.raises(StorageError, match="make some first"):
        Cache(filled.folder / "none", 16).batches(3, 2)(0)


def test_only_what_is_missing_is_made(filled: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Here:
        """An executor that works at once."""

        def __init__(self, *args: object) -> None: ...

        def __enter__(self) -> Here:
            return self

        def __exit__(self, *args: object) -> None: ...

        def shutdown(self, cancel_futures: bool = False) -> None: ...

        def submit(self, function, *args):  # type: ignore[no-untyped-def]
            from concurrent.futures import Future

            done: Future[None] = Future()
            done.set_result(function(*args))
            return done

    def rows(model: HeadModel, seed: int, *, size: int, views: int, frames: int) -> NDArray[np.void]:
        asked.append(seed)
        if seed == TRAINING + 6:
            raise ValueError("no such face")
        return fake_rows(seed, size, views)

    monkeypatch.setattr(pair_cache, "ProcessPoolExecutor", Here)
    monkeypatch.setattr(training_pairs, "rows", rows)
    there = filled.make(range(TRAINING, TRAINING + 8))
    assert asked == [TRAINING + 5, TRAINING + 6, TRAINING + 7]
    assert TRAINING + 6 not in there and len(there) == 7, "a head that cannot be enrolled is left out"


@pytest.mark.usefixtures("hardly_fitted")
def test_a_whole_head(model: HeadModel) -> None:
    rows = training_pairs.rows(model, SEED, views=2)
    again = training_pairs.rows(model, SEED, views=2)
    for name in rows.dtype.names or ():  # sums that run in another order, by where memory lies, may round a level otherwise
        off = np.abs(rows[name].astype(float) - again[name].astype(float))
        assert (off > 0).mean() < 1e-4 and off.max() <= 1, name
    assert (rows["moment"] == 0).all() and (rows["coefficients"][0] == rows["coefficients"][1]).all()
    assert rows["parts"].std() > 10 and rows["target_matte"].mean() > 30


@pytest.mark.usefixtures("hardly_fitted")
def test_a_clip_is_one_cameras_view_of_a_changing_face(model: HeadModel) -> None:
    rows = training_pairs.rows(model, SEED, views=3, frames=3)
    c = rows["coefficients"].astype(float)
    assert (rows["yaw"] == rows["yaw"][0]).all()
    np.testing.assert_allclose(c[1], (c[0] + c[2]) / 2, atol=2e-3)
    assert np.abs(c[0] - c[2]).max() > 0.1
    assert (rows["parts"][0] != rows["parts"][2]).any()
    matte = rows["target_matte"].astype(float)
    assert np.abs(matte[0] - matte[2]).mean() < 4, "the head stays where it is"


def test_batches_of_clips_hold_neighbouring_frames(filled: Cache) -> None:
    clips = Cache(filled.folder, 16, 4, frames=2)
    batch = clips.batches(5, 3)(0)
    assert len(batch) == 6
    whole = [to_batch(filled.rows(seed)).coefficients for seed in range(TRAINING, TRAINING + 5)]
    pairs = {tuple(rows[i : i + 2].flatten().tolist()) for rows in whole for i in (0, 2)}
    assert all(tuple(batch.coefficients[i : i + 2].flatten().tolist()) in pairs for i in (0, 2, 4))


def test_faces_of_a_person_are_the_same_moments_from_two_webcams(model: HeadModel) -> None:
    rows = face_crops.rows(model, 5, groups=2)
    assert rows.dtype == face_crops.ROW and len(rows) == 2
    crops, c = rows["parts"].astype(float), rows["coefficients"]
    assert np.abs(c[:, 0] - c[:, 1]).max() > 0.1
    assert np.abs(crops[:, :, 0] - crops[:, :, 1]).mean() > 3, "two webcams"
    assert np.abs(crops[:, 0] - crops[:, 1]).mean() > 0.3, "two moments"
    np.testing.assert_array_equal(face_crops.rows(model, 5, groups=1), rows[:1])


def test_faces_are_cached_like_pairs(tmp_path: Path) -> None:
    rows = np.zeros(3, face_crops.ROW)
    rows["parts"][:, :, 0], rows["parts"][:, :, 1] = 51, 153
    rows["coefficients"][..., 3] = 0.5
    for seed in (TRAINING, TRAINING + 1, HELD_OUT):
        np.save(tmp_path / f"{seed}.npy", rows)
    cache = FaceCache(tmp_path)
    batch = cache.batches(2, 4)(0)
    assert batch.crops.shape == (4, 4, 2, 3, face_crops.CROP, face_crops.CROP) and float(batch.crops.mean()) == pytest.approx(0.4)
    assert batch.coefficients[..., 3].unique().tolist() == [0.5] and len(cache.held(1).crops) == 3
    same = cache.batches(2, 4, cross_view=False)(0)
    assert same.crops.shape == batch.crops.shape and float(same.crops.mean()) == pytest.approx(0.2), "the first webcam's alone"
    with pytest.raises(StorageError, match="another kind"):
        Cache(tmp_path, 16, 4).rows(TRAINING)
