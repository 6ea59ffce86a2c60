"""Seats and what one sees from them: everybody in the picture, from the true side, nobody nearer than is good."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from models.renderer import DISTANCE, TARGET, view_camera
from models.types import Array64
from realtime.room import seating
from realtime.room.seating import Arrangement, Seat

SIZES = [(512, 512), (768, 384), (360, 640)]


def seen_from(arrangement: Arrangement, index: int, seat: Seat) -> Array64:
    """Unit, avatar space: from where the camera of an arrangement sees the avatar on a seat."""
    m = arrangement.transforms[index] @ seat.matrix
    apart = np.linalg.inv(m) @ np.append(arrangement.camera.position, 1.0)
    towards = apart[:3] - np.asarray(TARGET)
    return towards / np.linalg.norm(towards)


def pixel(arrangement: Arrangement, index: int, seat: Seat) -> Array64:
    m = arrangement.transforms[index]
    return arrangement.camera.project(m[:3, :3] @ seat.eye + m[:3, 3])


@pytest.mark.parametrize("count", range(2, 9))
def test_neighbours_keep_their_distance_and_all_face_the_middle(count: int) -> None:
    places = seating.seats(count)
    nearest = min(np.linalg.norm(a.position - b.position) for a, b in itertools.combinations(places, 2))
    assert nearest == pytest.approx(DISTANCE)
    for seat in places:
        assert np.dot(seat.forward, -seat.position) == pytest.approx(np.linalg.norm(seat.position))


def test_two_face_each_other_and_nobody_needs_no_seat() -> None:
    a, b = seating.seats(2)
    np.testing.assert_allclose(a.forward, -b.forward, atol=1e-12)
    assert seating.seats(0) == [] and seating.seats(1)[0].yaw == 0.0


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("count", range(2, 9))
def test_from_a_seat_all_others_are_in_the_picture_each_from_the_true_side(count: int, size: tuple[int, int]) -> None:
    places = seating.seats(count)
    for own, seat in enumerate(places):
        others = [p for i, p in enumerate(places) if i != own]
        cells = seating.seat_cells(seat, others, *size)
        arrangement = seating.from_seat(seat, others, cells, *size)
        for index, other in enumerate(others):
            middle = (cells[index, :2] + cells[index, 2:] / 2) * size
            np.testing.assert_allclose(pixel(arrangement, index, other), middle, atol=1e-6)
            true = np.linalg.inv(other.matrix) @ np.append(seat.eye, 1.0)
            towards = true[:3] - np.asarray(TARGET)
            np.testing.assert_allclose(seen_from(arrangement, index, other), towards / np.linalg.norm(towards), atol=1e-6)


def test_cells_go_from_the_left_hand_to_the_right_and_do_not_overlap() -> None:
    places = seating.seats(4)
    own, others = places[0], places[1:]
    cells = seating.seat_cells(own, others, 900, 300)
    left = np.array([own.forward[2], 0, -own.forward[0]])
    by_hand = sorted(range(3), key=lambda i: -float(left @ (others[i].position - own.position)))
    assert [int(i) for i in np.argsort(cells[:, 0])] == by_hand
    assert cells[:, 2].sum() == pytest.approx(1.0)


def test_one_other_is_drawn_as_always() -> None:
    own, other = seating.seats(2)
    cells = seating.seat_cells(own, [other], 512, 512)
    arrangement = seating.from_seat(own, [other], cells, 512, 512)
    head = np.array([0.0, 0.1, 0.05])
    m = arrangement.transforms[0] @ other.matrix
    ours = arrangement.camera.project(m[:3, :3] @ head + m[:3, 3])
    np.testing.assert_allclose(ours, view_camera().project(head), atol=1e-6)


def test_spectators_see_all_faces() -> None:
    places = seating.seats(5)
    arrangement = seating.for_spectators(places, seating.spectator_cells(places, 640, 360), 640, 360)
    for index, seat in enumerate(places):
        assert seen_from(arrangement, index, seat)[2] > 0.99


@pytest.mark.parametrize("size", [(512, 512), (672, 384), (384, 672)])
@pytest.mark.parametrize("count", [2, 4, 8])
def test_an_orbit_camera_sees_the_room_as_it_is_and_everybody_in_it(count: int, size: tuple[int, int]) -> None:
    places = seating.seats(count)
    for yaw, pitch in itertools.product((0.0, 0.3, 1.0, 2.5), (-1.3, 0.0, 0.4, 1.3)):
        arrangement = seating.around_table(places, yaw, pitch, 0.9, *size)
        np.testing.assert_array_equal(arrangement.transforms, np.tile(np.eye(4), (count, 1, 1)))
        for index, seat in enumerate(places):
            assert (pixel(arrangement, index, seat) > 0).all() and (pixel(arrangement, index, seat) < size).all()


def test_moving_takes_the_shorter_way() -> None:
    a, b = Seat(np.zeros(3), np.deg2rad(350.0)), Seat(np.ones(3), np.deg2rad(10.0))
    assert seating.in_between(a, b, 0.5).yaw == pytest.approx(np.deg2rad(360.0))
    np.testing.assert_allclose(seating.in_between(a, b, 0.5).position, 0.5)
