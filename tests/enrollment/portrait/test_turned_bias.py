"""Landmarks of a turned face: what the tracker gets wrong on everybody is taken out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from enrollment.portrait import turned_bias
from enrollment.portrait.turned_bias import MARKS, turn, unbiased
from enrollment.portrait.turned_bias_bake import TurnedSample, learned, samples_of, twins
from models.errors import HeadModelError
from models.heads.base import HeadModel
from models.tracking.face_geometry import CONTOUR
from models.tracking.landmarks import Landmarks
from models.types import Array

NEAR_JAW = [397, 365, 379, 288]


@pytest.fixture(autouse=True)
def read_anew() -> Iterator[None]:
    turned_bias._learned.cache_clear()
    yield
    turned_bias._learned.cache_clear()


def turned(model: HeadModel, degrees: float) -> Landmarks:
    """The average face, its left side nearer, in a picture without perspective."""
    places = np.einsum("nk,nkc->nc", model.landmark_barycentric, model.template[model.landmark_corners]).astype(np.float64)
    a = np.deg2rad(degrees)
    x, y, z = places.T
    points = np.stack([np.cos(a) * x - np.sin(a) * z, -y, -(np.sin(a) * x + np.cos(a) * z)], axis=1)
    return Landmarks((2000 * points + (500, 500, 0)).astype(np.float32), 1.0, 1000, 1000)


def test_people_it_was_not_learned_from_become_better(model: HeadModel) -> None:
    error, _ = turned_bias._learned()
    samples = [s for s in samples_of(model, 9_700_001, 2) if s.turned > 20]
    assert samples
    for sample in samples:
        part = turn(sample.turned)
        left = sample.error - part * error[0] - part * part * error[1]
        assert np.abs(left[NEAR_JAW, 0]).mean() < 0.8 * np.abs(sample.error[NEAR_JAW, 0]).mean()


def test_a_frontal_face_and_the_features_of_a_turned_one_stay(model: HeadModel) -> None:
    front = turned(model, 4.0)
    assert unbiased(front) is front
    face = turned(model, 40.0)
    moved = unbiased(face).points - face.points
    assert np.abs(moved[[33, 263, 61, 291, 468, 473], :2]).max() < 0.01
    assert np.abs(moved[list(CONTOUR), :2]).max() > 5 and moved[397, 0] < -2, "the nearer jaw comes in"


def test_the_other_side_is_the_mirrored_one(model: HeadModel) -> None:
    twin = twins(model)

    def mirrored(points: Array) -> Array:
        return (points[twin] - (500, 0, 0)) * (-1, 1, 1) + (500, 0, 0)

    face = turned(model, 35.0)
    points = face.points.copy()
    points[:MARKS] = mirrored(face.points)
    assert np.abs(unbiased(replace(face, points=points)).points[:MARKS] - mirrored(unbiased(face).points)).max() < 0.6


def test_what_grows_with_the_turn_is_learned_and_what_is_always_there_is_not(model: HeadModel) -> None:
    always, grows = np.full((MARKS, 3), 0.05), np.zeros((MARKS, 3))
    grows[:, 0] = 0.02
    samples = [TurnedSample(float(t), always + turn(t) * grows) for t in np.linspace(0, 60, 200)]
    error = learned(model, samples)
    assert np.abs(error.sum(axis=0)[397] - (0.02, 0, 0)).max() < 2e-3


def test_a_missing_or_damaged_file_is_said(model: HeadModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, face = tmp_path / "turned_bias.safetensors", turned(model, 40.0)
    monkeypatch.setattr(turned_bias, "PATH", path)
    with pytest.raises(HeadModelError, match="install Visavis again"):
        unbiased(face)
    save_file({"error": np.zeros((2, 12, 3), np.float32), "twin": np.zeros(MARKS, np.int16)}, path)
    with pytest.raises(HeadModelError, match="468"):
        unbiased(face)
