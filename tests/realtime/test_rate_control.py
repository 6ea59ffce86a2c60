"""The rate control on lines of all kinds, in virtual time (`tests/network/simulation.py`): exact, and the same each time."""

from __future__ import annotations

import pytest

from realtime.rate_control import LONGEST_WAIT, LOWEST, START, RateControl
from tests.network.bottleneck import Line
from tests.network.simulation import Simulation

MOST = 2_500_000
SEEDS = (0, 1, 2)


def narrow(kilobits: float, **more: float) -> Line:
    return Line(rate=1000 * kilobits, queue=0.3, delay=0.02, **more)


FREE = Line(delay=0.02)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("kilobits", "pictures"), [(300, 12), (500, 14), (700, 17), (1000, 22)])
def test_a_line_that_becomes_narrow_goes_on_moving(kilobits: float, pictures: float, seed: int) -> None:
    call = Simulation(FREE, MOST, demand=1.8e6, seed=seed)
    call.run(8)
    assert call.seen(4, 8)[0] > 28 and call.control.rate(call.now) == MOST
    call.bottleneck.line = narrow(kilobits)
    call.run(40)
    rate, freeze, latency = call.seen(12, 48)
    assert rate >= pictures and latency < 0.2 and freeze < 1.0
    assert kilobits > 500 or rate < 22, "many coarse pictures in place of fewer clear ones"
    assert call.seen(8, 12)[1] < 1.4, "it stood still for long when the line became narrow"
    late = sorted(call.sound)[int(0.99 * len(call.sound))]
    assert late < 0.33 and len(call.sound) > 0.97 * call.sound_sent, "sound is starved by the picture"
    used = [bits for when, bits in call.rates if when > 20]
    assert min(used) > 0.1 * 1000 * kilobits and max(used) < 1.3 * 1000 * kilobits


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kilobits", [300, 500])
def test_it_comes_back_when_the_line_is_free_again(kilobits: float, seed: int) -> None:
    call = Simulation(FREE, MOST, demand=1.8e6, seed=seed)
    call.run(8)
    call.bottleneck.line = narrow(kilobits)
    call.run(48)
    call.bottleneck.line = FREE
    call.run(20)
    assert call.seen(call.now - 4, call.now)[0] > 28 and call.control.rate(call.now) >= 0.7 * MOST


@pytest.mark.parametrize("kilobits", [300, 1000])
def test_a_near_page_has_its_pictures_at_once_and_a_line_that_becomes_narrow_then_goes_on_moving(kilobits: float) -> None:
    call = Simulation(Line(delay=0.002), MOST, demand=1.8e6, back=0.002)
    call.run(4)
    assert call.seen(1, 4)[2] < 0.003, "whole pictures leave unspread"
    call.bottleneck.line = Line(rate=1000 * kilobits, queue=0.3, delay=0.002)
    call.run(20)
    rate, freeze, latency = call.seen(8, 24)
    assert rate > 12 and freeze < 1.0 and latency < 0.2 and call.seen(4, 8)[1] < 1.4
    assert sorted(call.sound)[int(0.99 * len(call.sound))] < 0.33 and len(call.sound) > 0.97 * call.sound_sent


@pytest.mark.parametrize("kilobits", [300, 500, 1000])
def test_a_call_that_begins_on_a_narrow_line(kilobits: float) -> None:
    call = Simulation(narrow(kilobits), MOST, demand=1.8e6)
    call.run(20)
    rate, freeze, latency = call.seen(5, 20)
    assert rate > 12 and freeze < 1.0 and latency < 0.2


@pytest.mark.parametrize("loss", [0.02, 0.05])
def test_loss_and_jitter_are_no_narrow_line(loss: float) -> None:
    call = Simulation(Line(delay=0.02, jitter=0.03, loss=loss), MOST, demand=1.8e6)
    call.run(20)
    rate, freeze, _ = call.seen(4, 20)
    assert rate > 27 and freeze < 0.5 and call.control.rate(call.now) == MOST
    call.bottleneck.line = narrow(500, jitter=0.03, loss=loss)
    call.run(20)
    rate, freeze, latency = call.seen(26, 40)
    assert rate > 11 and freeze < 1.2 and latency < 0.3


def test_an_outage_is_not_taken_for_a_narrow_line() -> None:
    call = Simulation(FREE, MOST, demand=1.8e6)
    call.run(10)
    call.bottleneck.line = Line(delay=0.02, loss=1.0)
    call.run(5)
    call.bottleneck.line = FREE
    call.run(5)
    assert call.seen(16.5, 20)[0] > 25 and call.control.rate(call.now) > 0.5 * MOST


@pytest.mark.parametrize(("silence", "falls"), [(0.2, True), (5.0, False)])
def test_loss_counts_unless_nothing_at_all_arrived(silence: float, falls: bool) -> None:
    control = RateControl(MOST)
    control.sent(50_000, 0.9)
    for step in range(5):
        control.report(0, 100 * step, 0.05, 0.2 * step)
    fell = [control.report(100 + 30 * step, 500 + 100 * step, 0.05, 1.0 + silence + 0.2 * step) for step in (0, 1)]
    assert any(fell) is falls


def test_a_way_that_becomes_longer_is_not_taken_for_a_queue_for_ever() -> None:
    call = Simulation(FREE, MOST, demand=1.8e6)
    call.run(8)
    call.bottleneck.line = Line(delay=0.17)
    call.run(40)
    rate, freeze, _ = call.seen(10, 48)
    assert rate > 12 and freeze < 0.6 and call.control.rate(call.now) == MOST


def test_a_still_picture_keeps_the_rate_it_has() -> None:
    call = Simulation(FREE, MOST, demand=1.8e6)
    call.run(8)
    call.demand = 40_000
    call.run(30)
    assert call.control.rate(call.now) == MOST


def test_failures_at_the_same_rate_make_it_more_patient() -> None:
    control = RateControl(450_000)
    now, waits = 0.0, []
    for _ in range(6):
        while control.rate(now) < 450_000 or now < 2.0:
            now += 0.02
            control.sent(int(control.rate(now) * 0.02 / 8), now)
        control.report(0, 0, 0.05, now)
        assert control.report(0, 0, 0.3, now) is False
        assert control.report(0, 0, 0.3, now)
        start = control.rate(now)
        for _ in range(3):
            now += 0.4
            control.sent(20_000, now)
            control.report(0, 0, 0.05, now)
        begun = now
        while control.rate(now) == start:
            now += 0.02
            control.sent(int(start * 0.02 / 8), now)
        waits.append(now - begun)
    assert waits[0] < waits[1] < waits[2] and waits[-1] > 2 * waits[1] and waits[-1] <= LONGEST_WAIT


@pytest.mark.parametrize("most", [250_000, 1_234_567, 6_000_000])
def test_the_rate_stays_within_what_is_allowed(most: int) -> None:
    call = Simulation(FREE, most)
    call.run(12)
    assert call.control.rate(call.now) == most
    call = Simulation(narrow(60), most)
    call.run(12)
    assert LOWEST <= call.control.rate(call.now) <= max(LOWEST, START)


def test_reports_that_make_no_sense_do_no_harm() -> None:
    control = RateControl(MOST)
    for now, (lost, highest) in enumerate([(0, 0), (-5, 1 << 31), (1 << 22, 0), (0, 0), (1 << 22, 1 << 31)]):
        control.report(lost, highest, 0.0, float(now))
        control.estimate(0.0, float(now))
        assert LOWEST <= control.rate(float(now)) <= MOST


def test_pictures_leave_at_once_for_a_near_page_whose_line_shows_no_queue() -> None:
    control = RateControl(MOST)
    assert not control.is_free(0.0), "nothing is known yet"
    control.report(0, 10, 0.004, 0.1)
    control.report(0, 20, 0.005, 0.2)
    assert control.rate(0.2) < MOST and control.is_free(0.2)
    assert not control.is_free(2.0), "what was known is old"
    for when in (2.1, 2.2):
        control.report(0, 30, 0.2, when)
    assert not control.is_free(2.2), "packets wait"
    far = RateControl(MOST)
    far.report(0, 10, 0.05, 0.1)
    assert not far.is_free(0.1)
