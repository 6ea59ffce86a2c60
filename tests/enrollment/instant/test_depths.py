"""Depths of landmarks: what everybody's have in common is taken out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from enrollment.instant import depths
from enrollment.instant.depths_bake import bake, error_of
from models.errors import HeadModelError
from models.heads.base import HeadModel


@pytest.fixture(autouse=True)
def read_anew() -> Iterator[None]:
    depths.mean_depth_error.cache_clear()
    yield
    depths.mean_depth_error.cache_clear()


def test_depths_of_people_it_was_not_learned_from_become_better(model: HeadModel) -> None:
    found = [e for e in (error_of(model, 9_700_000 + k) for k in range(4)) if e is not None]
    assert len(found) >= 3
    weight = model.landmark_weight[: depths.MARKS]

    def rms(errors: list[np.ndarray]) -> float:
        return float(np.sqrt(np.mean([np.average(e**2, weights=weight) for e in errors])))

    assert rms([e - depths.mean_depth_error() for e in found]) < 0.85 * rms(found)


def test_what_is_learned_is_the_same_on_both_sides(model: HeadModel) -> None:
    error = bake(model, 2)
    assert error.shape == (depths.MARKS,)
    assert error[263] == pytest.approx(error[33]) and error[61] == pytest.approx(error[291])
    assert np.abs(error).max() < 0.2


def test_nearness_is_measured_from_the_camera() -> None:
    points = np.zeros((478, 3), np.float32)
    points[1, 2] = -30.0  # MediaPipe: negative is nearer
    near = depths.relative_depth(points, 200.0)
    assert near[1] - near[0] == pytest.approx(30.0 - 200 * (depths.mean_depth_error()[1] - depths.mean_depth_error()[0]))


def test_a_missing_or_damaged_file_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "depths.safetensors"
    monkeypatch.setattr(depths, "PATH", path)
    with pytest.raises(HeadModelError, match="install Visavis again"):
        depths.mean_depth_error()
    save_file({"nearer": np.zeros(12, np.float32)}, path)
    with pytest.raises(HeadModelError, match="468 depths"):
        depths.mean_depth_error()
    path.write_bytes(b"\x10\0\0\0\0\0\0\0 nothing")
    with pytest.raises(HeadModelError, match="install Visavis again"):
        depths.mean_depth_error()
