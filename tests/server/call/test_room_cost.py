"""What a room costs follows what was measured there, webcams and landmarks each by their own times."""

from __future__ import annotations

import pytest

from realtime.room.admission import PERSON_MS, PRIVATE_MS, VIEW_MS
from realtime.timing import StageTimes
from server.call.room_cost import ENCODE_MS, MOST_BUSY, RECEIVE_MS, cores_taken, costs, load


def measured(**times: float) -> StageTimes:
    """30 of each in the last second."""
    made = StageTimes(clock=lambda: 0.0)
    for stage, milliseconds in times.items():
        for _ in range(30):
            made.add(stage, milliseconds)
    return made


def test_nothing_measured_is_taken_to_cost_the_usual() -> None:
    assert costs(measured()) == (0, 0, 0) and cores_taken(measured()) == 0
    found = load(measured(), 3, 1, 2, 7.0)
    assert (found.person_ms, found.private_ms, found.view_ms) == (PERSON_MS, PRIVATE_MS, VIEW_MS)
    assert (found.people, found.private, found.views, found.busy) == (3, 1, 2, MOST_BUSY)


def test_webcams_landmarks_and_pictures_cost_what_they_took() -> None:
    times = measured(decode=2, track=9, solve=2, landmarks=0.1, pose=1, splat=6)
    person, private, view = 13, RECEIVE_MS + 2.1, 7 + ENCODE_MS
    assert costs(times) == pytest.approx((person, private, view))
    assert cores_taken(times) == pytest.approx(0.03 * (person + private + view))
    assert load(times, 9, 9, 0, 0.0).rate > load(times, 9, 0, 0, 0.0).rate
