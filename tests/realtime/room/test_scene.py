"""Several avatars in one picture: each as it looks alone, the nearer one in front, in the detail that its size asks for."""

from __future__ import annotations

import numpy as np
import pytest

from enrollment.instant.pipeline import Enrollment
from models.heads.base import HeadModel
from models.renderer import AvatarRenderer, view_camera
from models.splat.cpu import CpuRasterizer
from models.types import Array64, Camera, DriveFrame, Gaussians
from realtime.room import seating
from realtime.room.layout import Layout, ViewRequest
from realtime.room.scene import CELLS, PAYS_AFTER, Composer, Placed, SceneAvatar
from realtime.room.seating import about_y

LARGE = 1338.0
DRIVE = DriveFrame.expression(jawOpen=0.4)


def ask(avatar: SceneAvatar, pixels_per_metre: float, pictures: int = PAYS_AFTER) -> None:
    for _ in range(pictures):
        avatar.gaussians(DRIVE, pixels_per_metre)


@pytest.fixture(scope="module")
def avatar(enrolled: Enrollment, model: HeadModel) -> SceneAvatar:
    made = SceneAvatar(enrolled.avatar, model)
    for cell, pixels in CELLS:
        ask(made, pixels / cell - 1)
    made.gaussians(DriveFrame.expression(jawOpen=1.0, eyeBlinkLeft=1.0), LARGE)  # posed otherwise before it is refined
    while made.refine():
        pass
    return made


def test_a_coarser_copy_is_made_once_pictures_ask_for_it(enrolled: Enrollment, model: HeadModel) -> None:
    new, everything = SceneAvatar(enrolled.avatar, model), len(enrolled.avatar.gaussians)
    ask(new, LARGE)
    assert not new.refine()
    ask(new, 10.0, PAYS_AFTER - 1)
    assert not new.refine() and len(new.gaussians(DRIVE, 10.0)) == everything
    assert new.refine() and not new.refine()
    coarsest = len(new.gaussians(DRIVE, 10.0))
    ask(new, 300.0)
    assert len(new.gaussians(DRIVE, 300.0)) == everything and new.refine()
    assert coarsest < len(new.gaussians(DRIVE, 300.0)) < everything == len(new.gaussians(DRIVE, LARGE))
    assert len(new.gaussians(DRIVE, 10.0)) == coarsest < 0.5 * everything and not new.refine()


def moved(x: float, z: float, yaw: float = 0.0) -> Array64:
    m = np.eye(4)
    m[:3, :3], m[:3, 3] = about_y(yaw), (x, 0.0, z)
    return m


def drawn(gaussians: Gaussians, camera: Camera) -> Array64:
    return np.asarray(CpuRasterizer().render(gaussians, camera).color, np.float64)


def db(a: Array64, b: Array64) -> float:
    return float(-10 * np.log10(np.mean((a - b) ** 2) + 1e-12))


def test_one_alone_is_drawn_as_the_renderer_draws_it(avatar: SceneAvatar, enrolled: Enrollment, model: HeadModel) -> None:
    own = drawn(AvatarRenderer(enrolled.avatar, model, CpuRasterizer()).gaussians(DRIVE), view_camera(0.3))
    gaussians, camera = Composer()([Placed(avatar.gaussians(DRIVE, LARGE), np.eye(4))], view_camera(0.3))
    assert db(drawn(gaussians, camera), own) > 60


def test_a_placed_avatar_is_the_picture_of_a_moved_camera(avatar: SceneAvatar) -> None:
    place = moved(0.2, -0.3, 0.4)
    camera = view_camera(0.1)
    gaussians, seen = Composer()([Placed(avatar.gaussians(DRIVE, LARGE), place)], camera)
    np.testing.assert_allclose(seen.world_to_camera, camera.world_to_camera @ place)
    together, same = Composer()([Placed(avatar.gaussians(DRIVE, LARGE), place), Placed(nobody(), np.eye(4))], camera)
    assert same is camera and db(drawn(together, camera), drawn(gaussians, seen)) > 55


def nobody() -> Gaussians:
    return Gaussians(*(np.zeros(shape, np.float32) for shape in ((0, 3), (0, 4), (0, 3), 0, (0, 3))))


def test_two_stand_beside_each_other_and_the_nearer_hides_the_other(avatar: SceneAvatar) -> None:
    camera = Camera.look_at((0.0, 0.0, 3.0), (0.0, 0.0, 0.0), width=256, height=128, fov_y=0.3)
    compose, posed = Composer(), avatar.gaussians(DRIVE, 100.0)

    def picture(*places: Array64) -> Array64:
        return drawn(*compose([Placed(posed, place) for place in places], camera))

    left, right = picture(moved(-0.35, 0.0)), picture(moved(0.35, 0.0))
    both = picture(moved(-0.35, 0.0), moved(0.35, 0.0))
    assert db(both, np.minimum(left, right)) > 35
    front, behind = picture(moved(0.0, 0.5)), picture(moved(0.0, -0.5))
    over = picture(moved(0.0, -0.5), moved(0.0, 0.5))
    inside = (front[..., 0] < 0.7)[..., None] & np.ones(3, bool)
    assert db(over[inside], front[inside]) > 25 and db(front, behind) < 25


def test_a_small_avatar_has_fewer_gaussians_and_each_drive_frame_moves_all_levels(avatar: SceneAvatar) -> None:
    counts = [len(avatar.gaussians(DRIVE, size)) for size in (LARGE, 600.0, 300.0, 150.0)]
    assert counts == sorted(counts, reverse=True) and counts[-1] < 0.4 * counts[0]
    for size in (LARGE, 200.0):
        before = avatar.gaussians(DRIVE, size).means.copy()
        after = avatar.gaussians(DriveFrame.expression(jawOpen=1.0), size).means
        assert np.abs(after - before).max() > 1e-3
    np.testing.assert_array_equal(avatar.gaussians(DRIVE, 200.0).means, before)


@pytest.mark.parametrize("people", [2, 3, 4, 8])
def test_the_picture_of_a_room_keeps_40_db_against_all_gaussians(avatar: SceneAvatar, people: int) -> None:
    layout = Layout(512, 512)
    for participant in range(people):
        layout.join(participant, participant, -10.0)
    shot, seats = layout.shot(ViewRequest(0), 0.0), layout.seats(0.0)
    transforms = [t @ seats[p].matrix for p, t in zip(shot.people, shot.arrangement.transforms, strict=True)]

    def picture(pixels_per_metre: float) -> Array64:
        posed = avatar.gaussians(DRIVE, pixels_per_metre)
        return drawn(*Composer()([Placed(posed, transform) for transform in transforms], shot.arrangement.camera))

    size = seating.pixels_per_metre(shot.arrangement.cells[0], 512, 512)
    assert db(picture(size), picture(1e9)) > 40


def test_the_composer_makes_room_and_does_not_mix_up_what_it_drew_before(avatar: SceneAvatar) -> None:
    compose, posed = Composer(), avatar.gaussians(DRIVE, 100.0)
    few, _ = compose([Placed(posed, moved(0, 0)), Placed(posed, moved(1, 0))], view_camera())
    assert len(few) == 2 * len(posed)
    many, _ = compose([Placed(posed, moved(x, 0)) for x in range(4)], view_camera())
    assert len(many) == 4 * len(posed)
    np.testing.assert_allclose(many.means[len(posed) : 2 * len(posed), 0], posed.means[:, 0] + 1.0, atol=1e-6)
    few, _ = compose([Placed(posed, moved(0, 0)), Placed(posed, moved(2, 0))], view_camera())
    np.testing.assert_allclose(few.means[len(posed) :, 0], posed.means[:, 0] + 2.0, atol=1e-6)
