from __future__ import annotations

import numpy as np
import pytest

from tests.server.call.attacks.large_webcam import encoded, measure
from tests.server.call.attacks.stage import Stage

pytestmark = pytest.mark.timeout(240)
MEMORY = 150_000_000
"""Bytes: ten of its pictures decoded; a queue of them would take 700 MB a second."""


async def test_a_4k_webcam_neither_delays_nor_fills_nor_holds_up_when_it_leaves(server: Stage) -> None:
    """Figures of half a minute: `python -m tests.server.call.attacks.large_webcam`."""
    found = await measure(server, encoded("libx264", 3840, 2160), "libx264", 2.0)
    assert np.mean(np.array(found.delays) < 0.75) > 0.5, found.delays
    assert found.memory < MEMORY and found.shown > 1
    assert found.gap < 2.0 and found.ports <= 0
