from __future__ import annotations

import pytest

from realtime.pacing import MOST_DEBT, SLACK, Pacer, pace


def test_packets_leave_at_the_pace() -> None:
    pacer, now = Pacer(), 10.0
    start = now
    for _ in range(100):
        now += pacer.wait(now)
        pacer.sent(1250, 1_000_000, now)
    assert now - start == pytest.approx(99 * 0.01, abs=SLACK + 1e-9)
    assert pacer.wait(now + 5) == 0.0


def test_a_pause_has_an_end() -> None:
    pacer = Pacer()
    pacer.pause(0.2, 1.0)
    assert pacer.wait(1.0) == pytest.approx(0.2 - SLACK) and pacer.wait(1.2) == 0.0
    pacer.pause(60.0, 2.0)
    assert pacer.wait(2.0) <= MOST_DEBT


@pytest.mark.parametrize(("rate", "is_free", "least", "most"), [
    (2_500_000, True, 0.0, 0.0), (2_500_000, False, 0.005, 0.017), (500_000, False, 0.005, 0.03), (500_000, True, 0.0, 0.0),
])  # fmt: skip
def test_a_picture_leaves_a_free_line_at_once_and_others_within_its_time(
    rate: float, is_free: bool, least: float, most: float
) -> None:
    pacer, now, left = Pacer(), 1.0, rate / 8 / 30
    while left > 0:
        now += pacer.wait(now)
        pacer.sent(int(min(left, 1200)), pace(rate, is_free=is_free), now)
        left -= 1200
    assert least <= now - 1.0 <= most
