"""What is made of a clip's drive frames afterwards, and which of its pictures are kept."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from models.heads.base import quaternion, rotation_log, rotation_matrix, rotation_vector
from models.tracking.offline import EvenSample, Motion, Reenactment
from models.types import DriveFrame

RNG = np.random.default_rng(0)


def turned(angle: float, confidence: float = 1.0) -> DriveFrame:
    return DriveFrame(
        confidence=confidence,
        rotation=quaternion(rotation_vector(np.array([0.0, angle, 0.0]))),
        translation=np.array([angle, 0.0, -0.6]),
        coefficients=np.full(52, abs(angle), np.float32),
    )


def motion(drives: list[DriveFrame]) -> Motion:
    return Motion(tuple(drives), (None,) * len(drives), 600.0, Reenactment.SELF)


def angle_of(drive: DriveFrame) -> float:
    return float(rotation_log(rotation_matrix(drive.rotation))[1])


def test_smoothing_calms_without_lag() -> None:
    truth = 0.4 * np.sin(np.arange(60) / 8)
    shaken = [turned(float(angle)) for angle in truth + RNG.normal(0, 0.02, 60)]
    calm = motion(shaken).smoothed(30.0).drives
    before = np.array([angle_of(drive) for drive in shaken]) - truth
    after = np.array([angle_of(drive) for drive in calm]) - truth
    assert np.std(after) < 0.8 * np.std(before)
    assert abs(np.dot(after, np.gradient(truth))) / np.dot(np.gradient(truth), np.gradient(truth)) < 0.3, "frames of lag"
    assert calm[10].coefficients.shape == (52,) and calm[10].coefficients.min() >= 0


def test_smoothing_does_not_mind_the_sign_of_quaternions() -> None:
    drives = [turned(3.0 + 0.05 * i) for i in range(8)]  # beyond half a turn the sign flips
    for drive, calm in zip(drives, motion(drives).smoothed(30.0).drives, strict=True):
        off = rotation_matrix(drive.rotation).T @ rotation_matrix(calm.rotation)
        assert np.linalg.norm(rotation_log(off)) < 0.1


def test_what_was_held_stays_held() -> None:
    drives = [turned(0.1), turned(0.2), turned(0.2, 0.0), turned(0.2, 0.0), turned(0.5)]
    calm = motion(drives).smoothed(30.0)
    assert calm.faceless == 2
    for held in calm.drives[2:4]:
        np.testing.assert_array_equal(held.rotation, calm.drives[1].rotation)
        np.testing.assert_array_equal(held.coefficients, calm.drives[1].coefficients)
        assert held.confidence == 0


def test_every() -> None:
    assert [angle_of(d) for d in motion([turned(0.1 * i) for i in range(7)]).every(3).drives] == pytest.approx([0, 0.3, 0.6])


@pytest.mark.parametrize("count", [1, 5, 6, 40, 157])
def test_kept_pictures_are_spread_over_the_clip(count: int) -> None:
    sample = EvenSample(6)
    for i in range(count):
        sample.add(np.full((2, 2, 3), i, np.uint8))
    numbers = list(sample.pictures)
    assert min(count, 4) <= len(numbers) <= 6
    assert len({b - a for a, b in pairwise(numbers)}) <= 1
    assert all((rgb == number).all() for number, rgb in sample.pictures.items())
