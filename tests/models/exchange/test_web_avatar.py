"""The web avatar: the same pictures as the avatar's, quantised; a coarse level first."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from enrollment.instant.pipeline import Enrollment
from models import arkit, binding
from models.avatar import AvatarPoser
from models.errors import AvatarFileError
from models.exchange import web_avatar
from models.exchange.web_avatar import WebAvatar, decode, encode
from models.heads.base import HeadModel
from models.posture import pose_of
from models.renderer import view_camera
from models.splat.cpu import CpuRasterizer
from models.types import Array, DriveFrame

MOMENT = DriveFrame(
    rotation=np.array([0.98, 0.05, 0.18, 0.02]), translation=np.array([0.01, -0.02, -0.03]),
    coefficients=np.asarray(arkit.vector(jawOpen=0.5, mouthSmileLeft=0.7), np.float32),
    gaze=np.array([[0.2, 0.1], [0.15, 0.1]], np.float32),
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(enrolled: Enrollment, model: HeadModel) -> WebAvatar:
    return WebAvatar.of_avatar(enrolled.avatar, model)


@pytest.fixture(scope="module")
def data(whole: WebAvatar) -> bytes:
    return encode(whole)


def psnr(a: Array, b: Array) -> float:
    return float(-10 * np.log10(np.mean((a - b) ** 2)))


@pytest.mark.parametrize("yaw", [0.0, 0.7, 2.6])
def test_it_is_posed_and_drawn_as_the_avatar(enrolled: Enrollment, model: HeadModel, data: bytes, yaw: float) -> None:
    poser, made, rasterizer = AvatarPoser(enrolled.avatar, model), decode(data), CpuRasterizer()
    pose, camera = pose_of(MOMENT, poser.person.joints), view_camera(yaw, width=256, height=256)
    ours = rasterizer.render(poser.pose(MOMENT.coefficients, pose), camera).color
    theirs = rasterizer.render(made.posed(MOMENT.coefficients, pose), camera).color
    coarse = rasterizer.render(made.posed(MOMENT.coefficients, pose, level=0), camera).color
    assert psnr(ours, theirs) > 52
    assert psnr(ours, coarse) > 20, "a tenth of the Gaussians already shows the head"


def test_sizes(enrolled: Enrollment, whole: WebAvatar, data: bytes) -> None:
    coarse, fine = (len(level) for level in whole.levels)
    assert fine == len(enrolled.avatar.gaussians) and 0.06 * fine < coarse < 0.15 * fine
    assert len(data) < 28 * fine + 600_000
    header = json.loads(data[12 : 12 + struct.unpack_from("<I", data, 8)[0]])
    assert header["levels"][-1]["end"] == len(data) - 12 - struct.unpack_from("<I", data, 8)[0]


def test_quantising(whole: WebAvatar, data: bytes) -> None:
    made = decode(data)
    assert np.abs(made.rest - whole.rest).max() < 2e-5 and np.abs(made.expression - whole.expression).max() < 2e-5
    assert np.abs(made.weights - whole.weights).max() < 0.01
    np.testing.assert_allclose(made.weights.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(made.triangles, whole.triangles)
    frames = binding.frames(whole.rest, whole.triangles)
    for ours, theirs in zip(whole.levels, made.levels, strict=True):
        ordered = ours.select(np.argsort(-web_avatar.importance(ours, frames), kind="stable"))
        np.testing.assert_array_equal(theirs.face, ordered.face)
        cosines = np.abs((theirs.rotations * ordered.rotations).sum(axis=1))
        assert np.arccos(cosines.clip(0, 1)).max() < 0.003
        area = web_avatar.importance(theirs, frames)
        assert (area[1:] <= 1.5 * area[:-1] + 1e-9).all(), "what one sees most comes first"
        assert np.median(np.abs(np.log(theirs.scales.max(axis=1) / ordered.scales.max(axis=1)))) < 0.02


def test_expressions_of_corrected_vertices_are_in_it(enrolled: Enrollment, model: HeadModel) -> None:
    from dataclasses import replace

    from models.corrections import Basis, Corrections

    directions, mixing = np.zeros((1, model.vertex_count, 3), np.float32), np.zeros((arkit.COUNT, 1), np.float32)
    directions[..., 1], mixing[0] = 0.01, 1.0
    plain = replace(enrolled.avatar, corrections=None)
    corrected = replace(plain, corrections=Corrections(np.zeros(0, np.int32), None, Basis(directions, mixing), 0.0))
    change = WebAvatar.of_avatar(corrected, model).expression[0] - WebAvatar.of_avatar(plain, model).expression[0]
    np.testing.assert_allclose(change[:, 1], 0.01, atol=1e-6)


def test_what_is_none_is_refused(data: bytes) -> None:
    for wrong in (b"", b"VWEB", b"PLY!" + data[4:], data[:4] + struct.pack("<I", 9) + data[8:]):
        with pytest.raises(AvatarFileError, match="export it again"):
            decode(wrong)


def test_save_measures_the_loss(enrolled: Enrollment, model: HeadModel, tmp_path: Path) -> None:
    assert web_avatar.save(enrolled.avatar, model, tmp_path / "a.webavatar") > 45
    assert (tmp_path / "a.webavatar").read_bytes()[:4] == b"VWEB"
