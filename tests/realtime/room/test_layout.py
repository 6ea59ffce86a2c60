"""Who is in which view, and that people who come and go move the others softly."""

from __future__ import annotations

import math

import numpy as np
import pytest

from realtime.room.layout import MAX_DISTANCE, MAX_PITCH, MIN_DISTANCE, MOVE, Layout, ViewRequest

LATER = 100.0


def table(*people: int) -> Layout:
    layout = Layout(512, 512)
    for order, participant in enumerate(people):
        layout.join(participant, order, 0.0)
    return layout


@pytest.mark.parametrize(
    ("people", "request_", "shown"),
    [
        ((), ViewRequest(), ()),
        ((7,), ViewRequest(), (7,)),
        ((7,), ViewRequest(owner=7), (7,)),
        ((7, 8, 9), ViewRequest(), (7, 8, 9)),
        ((7, 8, 9), ViewRequest(owner=8), (7, 9)),
        ((7, 8, 9), ViewRequest(owner=8, focus=9), (9,)),
        ((7, 8, 9), ViewRequest(owner=8, orbit=True), (7, 8, 9)),
        ((7, 8, 9), ViewRequest(owner=8, orbit=True, focus=9), (9,)),
        ((7, 8), ViewRequest(owner=8, orbit=True), (7,)),
        ((7, 8), ViewRequest(owner=8, orbit=True, focus=5), (7,)),
        ((7, 8, 9), ViewRequest(owner=5, focus=5), (7, 8, 9)),
    ],
)
def test_who_is_shown(people: tuple[int, ...], request_: ViewRequest, shown: tuple[int, ...]) -> None:
    shot = table(*people).shot(request_, LATER)
    assert shot.people == shown and len(shot.arrangement.transforms) == len(shot.arrangement.cells) == len(shown)


def test_seats_keep_their_order_whoever_comes_first() -> None:
    layout = Layout(512, 512)
    for participant, order in ((5, 2), (6, 0), (7, 1)):
        layout.join(participant, order, 0.0)
    assert layout.people == (6, 7, 5)
    layout.leave(7, 1.0)
    layout.leave(7, 1.0)
    assert layout.people == (6, 5)


def test_the_others_move_softly_when_somebody_comes_or_goes() -> None:
    layout = table(1, 2)
    before = layout.seats(LATER)[1]
    layout.join(3, 9, LATER)
    steps = [layout.seats(LATER + t)[1].position for t in np.linspace(0, MOVE, 20)]
    np.testing.assert_allclose(steps[0], before.position)
    assert max(np.linalg.norm(np.diff(steps, axis=0), axis=1)) < 0.1 * np.linalg.norm(steps[-1] - steps[0]) + 0.02
    assert layout.moving(LATER + MOVE / 2) and not layout.moving(LATER + MOVE + 0.01)
    cells = [layout.shot(ViewRequest(1), LATER + t).arrangement.cells[0] for t in np.linspace(0, MOVE, 20)]
    np.testing.assert_allclose(cells[0], table(1, 2).shot(ViewRequest(1), LATER).arrangement.cells[0])
    assert np.abs(np.diff(cells, axis=0)).max() < 0.1


def test_who_comes_first_sits_at_once() -> None:
    layout = Layout(512, 512)
    layout.join(1, 0, LATER)
    assert not layout.moving(LATER)
    first = layout.shot(ViewRequest(1), LATER).arrangement
    np.testing.assert_array_equal(first.cells, layout.shot(ViewRequest(1), LATER + MOVE).arrangement.cells)


def test_an_orbit_camera_stays_where_one_can_look_from() -> None:
    request = ViewRequest(yaw=7.0, pitch=2.0, distance=99.0).within_limits()
    assert abs(request.yaw) <= math.pi and request.pitch == MAX_PITCH and request.distance == MAX_DISTANCE
    assert ViewRequest(distance=0.0).within_limits().distance == MIN_DISTANCE


def test_requests_that_show_the_same_share_a_picture() -> None:
    assert ViewRequest(yaw=1.0).rounded() == ViewRequest().rounded(), "the orbit camera makes no difference at a seat"
    assert ViewRequest(3).rounded() != ViewRequest(4).rounded()
    near = ViewRequest(orbit=True, yaw=0.1234), ViewRequest(orbit=True, yaw=0.12341)
    assert near[0].rounded() == near[1].rounded() != ViewRequest(orbit=True, yaw=0.2).rounded()
    assert ViewRequest(3, True, 5).rounded() == ViewRequest(-1, True, 5).rounded()
    assert ViewRequest(3, focus=5, yaw=1.0).rounded() == ViewRequest(4, focus=5).rounded()


def test_cameras_that_rest_near_each_other_snap_together() -> None:
    one, two = (ViewRequest(-1, True, -1, yaw, 0.2, distance) for yaw, distance in ((0.50, 1.203), (0.506, 1.198)))
    assert one.rounded() != two.rounded() and one.snapped().rounded() == two.snapped().rounded()
    assert abs(one.snapped().yaw - one.yaw) < np.radians(0.51) and abs(one.snapped().distance - one.distance) < 0.0051
    assert ViewRequest().snapped() == ViewRequest() and one.snapped().snapped() == one.snapped()


def test_who_is_alone_shares_the_spectators_picture() -> None:
    layout = Layout(64, 64)
    layout.join(1, 0, 0.0)
    assert layout.shared(ViewRequest(1)) == layout.shared(ViewRequest(-1)) == layout.shared(ViewRequest(9)) == ViewRequest()
    alone, spectator = layout.shot(ViewRequest(1), 99.0), layout.shot(ViewRequest(), 99.0)
    assert alone.people == spectator.people and np.allclose(alone.arrangement.cells, spectator.arrangement.cells)
    for other in (ViewRequest(1, True), ViewRequest(1, focus=1)):
        assert layout.shared(other) == other
    layout.join(2, 1, 0.0)
    assert layout.shared(ViewRequest(1)) == ViewRequest(1)
