"""How late a picture follows the light: of made-up pictures, where it is known."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import VisavisError
from server.benchmarks.latency import delays

LIGHT = np.arange(500.0, 9500.0, 650.0)
TIMES = np.arange(0.0, 10_000.0, 10.0)


def pictures(late: float, rises: float = 1.0) -> np.ndarray:
    """Noise, and a mouth in a corner of it that opens or shuts so many milliseconds after each light, within `rises` of them."""
    rng, place = np.random.default_rng(0), np.zeros(64, np.float32)
    place[:9] = 80
    shares = np.clip((TIMES[:, None] - LIGHT - late) / rises, 0, 1)
    amount = (shares * np.where(np.arange(len(LIGHT)) % 2, -1, 1)).sum(axis=1)
    return (rng.normal(100, 1.5, (len(TIMES), 64)) + amount[:, None] * place).astype(np.float32)


@pytest.mark.parametrize("late", [45.0, 95.0])
def test_a_known_delay_is_found(late: float) -> None:
    found = delays(LIGHT, TIMES, pictures(late))
    assert found["p50_ms"] == pytest.approx(late + 5, abs=6) and found["changes"] == len(LIGHT) - 1
    assert found["p50_ms"] <= found["p95_ms"] <= late + 20


def test_what_opens_slowly_is_told_from_half_of_it() -> None:
    found = delays(LIGHT, TIMES, pictures(40.0, rises=100.0))
    assert found["first_ms"] == pytest.approx(65 + 5, abs=8) and found["p50_ms"] == pytest.approx(90 + 5, abs=8)


def test_a_picture_that_follows_only_sometimes_counts_when_it_does_and_one_that_never_does_is_told() -> None:
    seen = pictures(60.0)
    still = (LIGHT[3] - 200 < TIMES) & (LIGHT[3] + 600 > TIMES)
    seen[still] = seen[~still][0]
    assert delays(LIGHT, TIMES, seen)["changes"] < len(LIGHT) - 1
    with pytest.raises(VisavisError, match="expected to follow"):
        delays(LIGHT[:0], TIMES, seen)
