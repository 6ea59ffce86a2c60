"""Merged Gaussians: fewer, and the same picture where a cell is smaller than a pixel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from enrollment.instant.pipeline import Enrollment
from models import level_of_detail
from models.avatar import AvatarPoser
from models.heads.base import HeadModel
from models.splat.cpu import CpuRasterizer
from models.types import Array64, Camera, DriveFrame

FAR = 2.7
PIXELS_PER_METRE = 0.5 * 512 / np.tan(np.deg2rad(12)) / FAR


def picture(poser: AvatarPoser, yaw: float, drive: DriveFrame) -> Array64:
    camera = Camera.orbit(yaw, 0.0, FAR)
    return np.asarray(CpuRasterizer().render(poser.pose(drive.coefficients), camera).color, np.float64)


@pytest.mark.parametrize(("cell_pixels", "most", "least_db"), [(1.0, 0.9, 48.0), (2.0, 0.6, 38.0)])
def test_a_coarser_avatar_looks_the_same_from_afar(
    enrolled: Enrollment, model: HeadModel, cell_pixels: float, most: float, least_db: float
) -> None:
    full = AvatarPoser(enrolled.avatar, model)
    merged = level_of_detail.merged(enrolled.avatar.gaussians, full.frames, cell_pixels / PIXELS_PER_METRE)
    assert len(merged) < most * len(enrolled.avatar.gaussians)
    coarse = AvatarPoser(replace(enrolled.avatar, gaussians=merged), model)
    for yaw in (0.0, 1.2, 3.1):
        for drive in (DriveFrame(), DriveFrame.expression(jawOpen=0.6, eyeBlinkLeft=1.0, mouthSmileLeft=0.5)):
            error = np.mean((picture(full, yaw, drive) - picture(coarse, yaw, drive)) ** 2)
            assert -10 * np.log10(error) > least_db


def test_what_is_alone_in_its_cell_stays_as_it_is(enrolled: Enrollment, model: HeadModel) -> None:
    frames = AvatarPoser(enrolled.avatar, model).frames
    bound = enrolled.avatar.gaussians.select(np.arange(0, len(enrolled.avatar.gaussians), 997))
    merged = level_of_detail.merged(bound, frames, 1e-5)
    assert len(merged) == len(bound)
    np.testing.assert_array_equal(merged.face, bound.face)
    np.testing.assert_allclose(merged.means, bound.means, atol=1e-3)
    np.testing.assert_allclose(merged.opacities, bound.opacities, atol=1e-6)
    np.testing.assert_allclose(np.sort(merged.scales, 1), np.sort(bound.scales, 1), rtol=1e-3, atol=1e-4)


def test_two_halves_become_the_whole(enrolled: Enrollment, model: HeadModel) -> None:
    frames = AvatarPoser(enrolled.avatar, model).frames
    one = enrolled.avatar.gaussians.select(np.array([5]))
    two = replace(one.concatenate([one, one]), colors=np.array([[1, 0, 0], [0, 0, 1]], np.float32))
    merged = level_of_detail.merged(two, frames, 1.0)
    assert len(merged) == 1 and merged.face[0] == one.face[0]
    np.testing.assert_allclose(merged.colors, [[0.5, 0, 0.5]], atol=1e-6)
    np.testing.assert_allclose(merged.means, one.means, atol=1e-3)
    assert merged.opacities[0] > one.opacities[0]
