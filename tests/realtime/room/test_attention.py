"""Whoever looks at somebody's picture on the screen looks at that person's seat in the room, and past all others."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.heads.base import quaternion, rotation_matrix
from models.types import Array64, DriveFrame
from realtime.room import seating
from realtime.room.attention import HALF_SPAN, MOST_EYES, Attention, angles, centre_of, direction, direction_of, turned
from realtime.room.seating import Seat, about_y

MEETS, PAST = 3.0, 20.0


def looking(at: Array64, head_share: float) -> DriveFrame:
    """Somebody before the screen who looks at yaw, pitch, with head and eyes."""
    c, s = math.cos(head_share * at[1]), math.sin(head_share * at[1])
    head = about_y(head_share * at[0]) @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    eyes = angles(head.T @ direction(at))
    return DriveFrame(rotation=quaternion(head), gaze=np.tile(eyes, (2, 1)).astype(np.float32))


def apart(drive: DriveFrame, own: Seat, eye: Array64) -> float:
    """Degrees between the gaze of an avatar on a seat and the way to somebody's eye."""
    gaze = about_y(own.yaw) @ direction_of(drive)
    way = (eye - own.eye) / np.linalg.norm(eye - own.eye)
    return math.degrees(math.acos(min(1.0, max(-1.0, float(gaze @ way)))))


def around(own: int, count: int) -> tuple[Seat, list[Seat], Array64, Array64]:
    places = seating.seats(count)
    others = [seat for index, seat in enumerate(places) if index != own]
    cells = seating.seat_cells(places[own], others, 768, 384)
    return places[own], others, cells, np.array([seat.eye for seat in others])


@pytest.mark.parametrize("head_share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("count", [2, 3, 4, 6])
def test_a_glance_goes_to_whom_it_is_meant_for_and_past_the_others(count: int, head_share: float) -> None:
    for b in range(count):
        own, others, cells, eyes = around(b, count)
        for a in range(len(others)):
            shown = Attention()(looking(centre_of(cells[a]), head_share), own, cells, eyes, 0.0)
            away = [apart(shown, own, eye) for eye in eyes]
            assert away[a] < MEETS
            assert all(other > PAST for index, other in enumerate(away) if index != a)


def test_what_misses_the_face_misses_the_person() -> None:
    own, _, cells, eyes = around(0, 3)
    past_the_screen = centre_of(cells[0]) + np.deg2rad([25.0, 0.0])
    shown = Attention()(looking(past_the_screen, 1.0), own, cells, eyes, 0.0)
    assert apart(shown, own, eyes[0]) > 15.0


def test_a_small_movement_on_the_face_lives_but_still_meets() -> None:
    own, _, cells, eyes = around(0, 2)
    at = centre_of(cells[0]) + np.deg2rad([3.0, 0.0])
    assert 0.2 < apart(Attention()(looking(at, 0.0), own, cells, eyes, 0.0), own, eyes[0]) < MEETS


def test_turning_takes_its_time_and_does_not_flicker_between_two() -> None:
    own, _, cells, eyes = around(0, 3)
    attention = Attention()
    attention(looking(centre_of(cells[0]), 0.5), own, cells, eyes, 0.0)
    assert attention.attended == 0 and not attention.turning
    first = attention(looking(centre_of(cells[1]), 0.5), own, cells, eyes, 1 / 30)
    assert attention.attended == 1 and attention.turning and apart(first, own, eyes[1]) > MEETS
    late = [attention(looking(centre_of(cells[1]), 0.5), own, cells, eyes, t / 30) for t in range(2, 40)][-1]
    assert apart(late, own, eyes[1]) < MEETS and not attention.turning
    between = (centre_of(cells[0]) + centre_of(cells[1])) / 2
    for t in range(41, 60):
        attention(looking(between + np.deg2rad([0.3 * (-1) ** t, 0]), 0.5), own, cells, eyes, t / 30)
        assert attention.attended == 1


def test_a_face_at_rest_or_alone_is_left_as_it_is() -> None:
    own, _, cells, eyes = around(0, 3)
    rest = DriveFrame(confidence=0.0)
    assert Attention()(rest, own, cells, eyes, 0.0) is rest
    alone = looking(np.array([0.1, 0.0]), 1.0)
    assert Attention()(alone, own, np.zeros((0, 4)), np.zeros((0, 3)), 0.0) is alone


def test_eyes_turn_no_further_than_eyes_do_and_keep_their_vergence() -> None:
    drive = DriveFrame(gaze=np.array([[0.05, 0.0], [-0.05, 0.0]], np.float32))
    shown = turned(drive, np.array([1.4, 0.2]))
    assert np.abs(shown.gaze.mean(0)).max() <= MOST_EYES[0] + 0.02
    np.testing.assert_allclose(shown.gaze[0] - shown.gaze[1], [0.1, 0.0], atol=1e-6)
    np.testing.assert_allclose(angles(direction_of(shown)), angles(direction_of(drive)) + np.array([1.4, 0.2]), atol=0.02)
    np.testing.assert_allclose(rotation_matrix(shown.rotation) @ rotation_matrix(shown.rotation).T, np.eye(3), atol=1e-9)


def test_the_middle_of_the_picture_is_straight_ahead() -> None:
    np.testing.assert_allclose(centre_of(np.array([0.25, 0.25, 0.5, 0.5])), 0.0)
    assert centre_of(np.array([0.0, 0.0, 0.0, 0.0])) == pytest.approx(HALF_SPAN)  # the left edge is to the person's left
