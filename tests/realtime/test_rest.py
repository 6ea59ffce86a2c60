from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.heads.base import quaternion, rotation_log, rotation_matrix, rotation_vector
from models.types import DriveFrame
from realtime.rest import AFTER, REST, TO_LIVE, TO_REST, Resting, blend, relative


def pose(jaw: float = 0.8, turn: float = 0.5, gaze: float = 0.3, confidence: float = 1.0) -> DriveFrame:
    return DriveFrame(
        confidence=confidence,
        rotation=quaternion(rotation_vector(np.array([0.0, turn, 0.1]))),
        translation=np.array([0.05, -0.02, 0.1]),
        coefficients=np.full(52, jaw, np.float32),
        gaze=np.full((2, 2), gaze, np.float32),
    )


def distance(a: DriveFrame, b: DriveFrame) -> float:
    """The largest difference in anything that is drawn."""
    turn = rotation_log(rotation_matrix(a.rotation) @ rotation_matrix(b.rotation).T)
    parts = (turn, a.translation - b.translation, a.coefficients - b.coefficients, a.gaze - b.gaze)
    return max(float(np.abs(part).max()) for part in parts)


def play(resting: Resting, start: float, end: float, live: DriveFrame | None, step: float = 1 / 60) -> list[DriveFrame]:
    """What is shown from `start` to `end`, with `live` coming in all the time."""
    shown = []
    for now in np.arange(start, end, step):
        if live is not None:
            resting.see(live, now)
        shown.append(resting.show(now))
    return shown


def test_nobody_has_driven_it_yet() -> None:
    resting = Resting()
    assert all(shown is REST for shown in play(resting, 0.0, 2.0, None)) and not resting.driven


def test_a_driven_avatar_shows_the_very_frames_that_come() -> None:
    resting = Resting()
    play(resting, 0.0, TO_LIVE + 0.1, pose())
    live = pose(jaw=0.1)
    assert resting.see(live, 0.5) and resting.show(0.5) is live and resting.driven


@pytest.mark.parametrize("missing", [None, pose(confidence=0.0)], ids=["no frames", "frames without a face"])
def test_it_holds_the_pose_for_a_moment_then_eases_to_rest_and_stands(missing: DriveFrame | None) -> None:
    resting = Resting()
    live = pose()
    play(resting, 0.0, 1.0, live)
    assert all(shown is live for shown in play(resting, 1.0, 0.98 + AFTER, missing)) and resting.driven
    easing = play(resting, 0.98 + AFTER, 1.1 + AFTER + TO_REST, missing)
    assert not resting.driven
    away = [distance(shown, REST) for shown in easing]
    assert away == sorted(away, reverse=True) and easing[-1] is REST
    assert len({id(shown) for shown in easing}) > 0.8 * TO_REST * 60
    assert all(shown is REST for shown in play(resting, 3.0, 9.0, missing))


def test_out_of_rest_it_eases_to_the_live_pose() -> None:
    resting = Resting()
    live = pose()
    away = [distance(shown, live) for shown in play(resting, 5.0, 5.1 + TO_LIVE, live)]
    assert away[0] == distance(REST, live) and away == sorted(away, reverse=True) and away[-1] == 0


@settings(max_examples=12)
@given(
    st.lists(
        st.tuples(st.floats(0.02, 1.5), st.sampled_from(["live", "nothing", "no face", "elsewhere"])), min_size=1, max_size=8
    )
)
def test_nothing_that_comes_or_stays_away_makes_it_jump(periods: list[tuple[float, str]]) -> None:
    """The same pose comes or does not; from one picture to the next little changes. A new pose may come after a gap."""
    frames = {"live": pose(), "elsewhere": pose(), "nothing": None, "no face": pose(jaw=0.0, turn=-1.0, confidence=0.0)}
    resting = Resting()
    now, before = 0.0, REST
    for length, what in periods:
        for shown in play(resting, now, now + length, frames[what], 1 / 60):
            assert distance(before, shown) < 0.12
            before = shown
        now += length


def test_a_face_that_comes_back_elsewhere_after_a_gap_does_not_jump() -> None:
    resting = Resting()
    last = play(resting, 0.0, 1.0, pose())[-1]
    shown = play(resting, 1.6, 1.7 + TO_LIVE, pose(jaw=0.1, turn=-0.5))
    steps = [distance(a, b) for a, b in zip([last, *shown], shown)]
    assert max(steps) < 0.12 and shown[-1].coefficients[0] == np.float32(0.1)


def test_where_pictures_are_slow_easing_takes_longer_and_does_not_jump() -> None:
    resting = Resting()
    last = play(resting, 0.0, 1.0, pose())[-1]
    shown = [last, *play(resting, 1.0, 9.0, None, step=0.4)]
    assert max(distance(a, b) for a, b in pairwise(shown)) < 0.3 and shown[-1] is REST


def test_half_of_the_way_is_in_the_middle() -> None:
    a, b = pose(), pose(jaw=0.2, turn=-0.5, gaze=0.1)
    middle = blend(a, b, 0.5)
    assert middle.coefficients == pytest.approx(np.full(52, 0.5)) and middle.gaze == pytest.approx(np.full((2, 2), 0.2))
    assert distance(middle, a) == pytest.approx(distance(b, middle), abs=1e-5)
    assert distance(blend(a, b, 0.0), a) < 1e-7 and distance(blend(a, b, 1.0), b) < 1e-7


def test_a_pose_relative_to_itself_is_at_rest() -> None:
    drive = pose()
    resting = np.eye(4)
    resting[:3, :3], resting[:3, 3] = rotation_matrix(drive.rotation), drive.translation
    back = relative(drive, resting)
    assert back.rotation == pytest.approx([1, 0, 0, 0], abs=1e-9) and back.translation == pytest.approx(np.zeros(3), abs=1e-12)
    moved = relative(DriveFrame(rotation=drive.rotation, translation=drive.translation + np.array([0.0, 0.0, 0.1])), resting)
    assert moved.translation == pytest.approx(resting[:3, :3].T @ [0, 0, 0.1])
