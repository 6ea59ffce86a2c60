from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models import avatar_file
from models.heads.anny import AnnyHead
from server.benchmarks.landmarks import RATE, bench_landmarks
from tests.models import makers


def test_a_message_is_received_read_and_solved(tmp_path: Path) -> None:
    head = AnnyHead()
    path = tmp_path / "mean.avatar"
    path.write_bytes(avatar_file.encode(replace(makers.avatar(head), identity=np.zeros(head.identity_count, np.float32))))
    result = bench_landmarks(path, 1.5)
    parts = [result[name] for name in ("receive_ms", "read_ms", "solve_ms")]
    assert min(parts) > 0 and result["sum_ms"] == pytest.approx(sum(parts))
    assert result["people_a_core"] == pytest.approx(1000 / RATE / result["sum_ms"])
