from __future__ import annotations

import pytest

from realtime.pacing import MOST_DEBT, SLACK, Pacer


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
