from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.errors import HeadModelError
from models.heads.base import LANDMARKS
from models.tracking import tracker_bias as bias_module
from models.tracking.tracker_bias import load_tracker_bias


def test_the_bias_that_ships_fits_the_tracker() -> None:
    learned = load_tracker_bias()
    assert (np.diff(learned.landmarks) > 0).all() and learned.landmarks.max() < LANDMARKS
    assert np.abs(learned.coefficients).max() < 0.03 and learned.noise.min() > 1e-4


def test_a_damaged_file_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "bias.safetensors"
    broken.write_bytes(b"no tensors")
    monkeypatch.setattr(bias_module, "PATH", broken)
    with pytest.raises(HeadModelError, match="install Visavis again"):
        load_tracker_bias.__wrapped__()
