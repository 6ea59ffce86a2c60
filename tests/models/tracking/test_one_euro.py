from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import arkit
from models.heads.base import quaternion, rotation_log, rotation_matrix, rotation_vector
from models.tracking.one_euro import GAP, DriveFilter, OneEuro, OneEuroRotation, Tuning
from models.types import DriveFrame

FPS = 30


def frames(values: dict[str, list[float]]) -> list[DriveFrame]:
    moments = [dict(zip(values, moment, strict=True)) for moment in zip(*values.values(), strict=True)]
    return [replace(DriveFrame.expression(**named), timestamp=i / FPS) for i, named in enumerate(moments)]


def test_what_rests_stays_as_it_is() -> None:
    drive_filter = DriveFilter()
    gaze = np.full((2, 2), 0.1, np.float32)
    still = replace(DriveFrame.expression(jawOpen=0.4), translation=np.array([0.1, 0, -0.6]), gaze=gaze)
    for i in range(20):
        out = drive_filter(replace(still, timestamp=i / FPS))
    np.testing.assert_allclose(out.coefficients, still.coefficients, atol=1e-6)
    np.testing.assert_allclose(out.translation, still.translation, atol=1e-9)
    np.testing.assert_allclose(out.gaze, still.gaze, atol=1e-6)
    np.testing.assert_allclose(out.rotation, still.rotation, atol=1e-9)


def test_a_blink_passes_and_a_brow_is_calm() -> None:
    step = [0.0] * 10 + [1.0] * 4
    drive_filter = DriveFilter()
    for frame in frames({"eyeBlinkLeft": step, "browInnerUp": step}):
        out = drive_filter(frame)
    blink, brow = (float(out.coefficients[arkit.INDEX[n]]) for n in ("eyeBlinkLeft", "browInnerUp"))
    assert blink > 0.97
    assert 0.3 < brow < blink


def test_noise_is_reduced_at_rest() -> None:
    rng = np.random.default_rng(0)
    drive_filter = DriveFilter()
    raw = np.array([0.5, 0.1, -0.7]) + rng.normal(0, 0.002, (200, 3))
    turns = [rotation_vector(rng.normal(0, 0.01, 3)) for _ in range(200)]
    both = zip(raw, turns, strict=True)
    out = [drive_filter(DriveFrame(i / FPS, translation=t, rotation=quaternion(r))) for i, (t, r) in enumerate(both)]
    calm = np.array([f.translation for f in out[30:]])
    assert calm.std(axis=0).max() < 0.55 * raw.std(axis=0).min()
    left = [np.linalg.norm(rotation_log(rotation_matrix(f.rotation))) for f in out[30:]]
    assert np.mean(left) < 0.55 * np.mean([np.linalg.norm(rotation_log(r)) for r in turns])


def test_a_faster_movement_lags_less() -> None:
    def lag(speed: float) -> float:
        euro = OneEuro(Tuning(1.0, 2.0))
        for i in range(60):
            value = euro(np.array([speed * i / FPS]), 1 / FPS)
        return (speed * 59 / FPS - float(value[0])) / speed

    assert lag(4.0) < 0.5 * lag(0.1)


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=40), st.floats(1e-3, 0.2))
def test_the_filter_stays_within_what_it_has_seen(values: list[float], dt: float) -> None:
    euro = OneEuro(Tuning(1.0, 1.0))
    for i, value in enumerate(values):
        out = float(euro(np.array([value]), dt)[0])
        assert min(values[: i + 1]) - 1e-9 <= out <= max(values[: i + 1]) + 1e-9


def test_a_rotation_takes_the_short_way_whatever_the_sign() -> None:
    filters = OneEuroRotation(Tuning(1.0, 5.0)), OneEuroRotation(Tuning(1.0, 5.0))
    for i in range(30):
        q = quaternion(rotation_vector(np.array([0.0, 3.0 + 0.02 * i, 0.0])))  # passes 180 degrees
        a, b = filters[0](q, 1 / FPS), filters[1](q * (-1) ** i, 1 / FPS)
        np.testing.assert_allclose(rotation_matrix(a), rotation_matrix(b), atol=1e-9)
        assert np.linalg.norm(a) == pytest.approx(1.0)
        assert np.linalg.norm(rotation_log(rotation_matrix(a).T @ rotation_matrix(q))) < 0.2


def test_without_a_face_the_last_pose_stays() -> None:
    drive_filter = DriveFilter()
    seen = drive_filter(replace(DriveFrame.expression(jawOpen=0.7), timestamp=0.0))
    lost = drive_filter(DriveFrame(0.1, confidence=0.0))
    assert lost.confidence == 0.0 and lost.timestamp == 0.1
    np.testing.assert_array_equal(lost.coefficients, seen.coefficients)


@pytest.mark.parametrize("later", [GAP + 0.1, -1.0])
def test_after_a_gap_it_starts_anew(later: float) -> None:
    drive_filter = DriveFilter()
    drive_filter(DriveFrame(0.0))
    out = drive_filter(replace(DriveFrame.expression(browInnerUp=1.0), timestamp=later))
    assert out.coefficients[arkit.INDEX["browInnerUp"]] == 1.0


def test_two_frames_at_once_do_no_harm() -> None:
    drive_filter = DriveFilter()
    drive_filter(DriveFrame(1.0))
    out = drive_filter(replace(DriveFrame.expression(jawOpen=1.0), timestamp=1.0))
    assert np.isfinite(out.coefficients).all() and out.coefficients.min() >= 0 and out.coefficients.max() <= 1
