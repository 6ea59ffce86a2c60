from __future__ import annotations

from server.benchmarks.first_picture import figures


def test_the_slow_joins_count() -> None:
    found = figures([*[900.0] * 8, 2000.0, 2000.0], [150_000.0, 151_000.0, 400_000.0])
    assert found == {"p50_ms": 900, "p95_ms": 2000, "page_kb": 151, "joins": 10}
