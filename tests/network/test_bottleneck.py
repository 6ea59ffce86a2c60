from __future__ import annotations

import pytest

from tests.network.bottleneck import HEADERS, Bottleneck, Line


def arrivals(line: Line, *, size: int = 1000, every: float = 0.01, count: int = 1000, seed: int = 0) -> list[float | None]:
    """When datagrams that leave at a steady rate arrive."""
    bottleneck = Bottleneck(line, seed)
    return [bottleneck.send(size, i * every) for i in range(count)]


def test_a_cap_is_a_cap_and_the_queue_has_its_bound() -> None:
    line = Line(rate=400_000, queue=0.3, delay=0.02)  # twice as much is sent
    seen = arrivals(line)
    waits = [moment - i * 0.01 - 0.02 for i, moment in enumerate(seen) if moment is not None]
    assert 8 * (1000 + HEADERS) * len(waits) / 10 == pytest.approx(400_000, rel=0.05)
    assert 0.25 < max(waits) <= 0.3 + 2 * 8 * (1000 + HEADERS) / 400_000
    assert None in seen


def test_a_line_that_is_wide_enough_only_delays() -> None:
    for line in (Line(delay=0.05), Line(rate=5_000_000, delay=0.05)):
        assert all(m is not None and 0.0499 < m - i * 0.01 < 0.053 for i, m in enumerate(arrivals(line)))


def test_losses_come_at_their_rate_and_the_same_for_a_seed() -> None:
    lost = [moment is None for moment in arrivals(Line(loss=0.05), count=10_000)]
    assert 0.04 < sum(lost) / len(lost) < 0.06
    assert lost == [moment is None for moment in arrivals(Line(loss=0.05), count=10_000)]
    assert lost != [moment is None for moment in arrivals(Line(loss=0.05), count=10_000, seed=1)]


def test_jitter_is_within_its_bound_and_nothing_overtakes() -> None:
    seen = [moment for moment in arrivals(Line(delay=0.02, jitter=0.03)) if moment is not None]
    late = [moment - i * 0.01 - 0.02 for i, moment in enumerate(seen)]
    assert seen == sorted(seen) and min(late) < 0.01 and 0.02 < max(late) <= 0.03


def test_a_line_that_changes_goes_on_with_what_waits() -> None:
    bottleneck = Bottleneck(Line(rate=100_000, queue=1.0))
    for _ in range(9):
        bottleneck.send(1000, 0.0)
    bottleneck.line = Line(rate=1_000_000)
    arrival = bottleneck.send(1000, 0.0)
    assert arrival is not None and arrival >= 9 * 8 * (1000 + HEADERS) / 100_000  # behind those before it
    bottleneck.line = Line()
    assert bottleneck.send(1000, 5.0) == 5.0
