"""The relay's measurement, small."""

from __future__ import annotations

import pytest

from models.exchange.drive_frames import HEADER, SHORTEST
from server.benchmarks.relay import MOVED, PACKET_OVERHEAD, bench_relay

pytestmark = pytest.mark.timeout(240)


def test_a_few_pages_get_the_frames_of_two_people() -> None:
    result = bench_relay(viewers=3, people=2, rate=30.0, seconds=1.0)
    assert result["messages_per_s"] > 30 and result["received_part"] > 0.5
    assert result["core_part"] > 0 and result["us_per_message"] > 1
    each = (result["kbit_with_headers"] - result["kbit_per_person"]) / PACKET_OVERHEAD
    least = 8 * (HEADER.size + 2 * (SHORTEST + MOVED)) / 2 / 1000 * 10
    assert result["kbit_per_person"] > least and each > 0
