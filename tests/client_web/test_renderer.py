"""The page's own renderer draws the same picture as the server's rasterizer, in a real browser, pixel by pixel."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from enrollment.instant.pipeline import Enrollment
from models import arkit
from models.avatar import AvatarPoser
from models.exchange.web_avatar import WebAvatar, encode
from models.heads.base import HeadModel
from models.posture import pose_of
from models.renderer import view_camera
from models.splat.cpu import CpuRasterizer
from models.types import Array, DriveFrame, Gaussians
from tests.client_web.conftest import CHROMIUM
from tests.client_web.rendering import ESBUILD, drawn, psnr, renderer_page

if TYPE_CHECKING:
    from playwright.sync_api import Page

SIDE = 256


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """An empty page with the renderer in it."""
    pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists() or not ESBUILD.exists():
        pytest.skip(f"{CHROMIUM} or client_web/node_modules is missing")
    with renderer_page(tmp_path_factory.mktemp("renderer")) as found:
        yield found


@pytest.fixture(scope="module")
def file(enrolled: Enrollment, model: HeadModel) -> str:
    return base64.b64encode(encode(WebAvatar.of_avatar(enrolled.avatar, model))).decode()


@pytest.fixture(scope="module")
def stage(page: Page, file: str) -> Page:
    page.evaluate("file => { window.stage = new renderer.Stage([file]) }", file)
    return page


def moment(
    turn: Sequence[float] = (0, 0, 0), gaze: Sequence[float] = (0, 0, 0, 0), x: float = 0.0, **values: float
) -> DriveFrame:
    """turn: rotation vector of the head."""
    rotation = Rotation.from_rotvec(turn).as_quat()[[3, 0, 1, 2]]
    coefficients = np.asarray(arkit.vector(**values), np.float32)
    return DriveFrame(0, 1, rotation, np.array([x, 0.02, -0.03]), coefficients, np.array(gaze, np.float32).reshape(2, 2))


MOMENTS = [
    (0.0, 0.0, moment()),
    (0.7, 0.2, moment((0.1, 0.4, 0.1), (0.2, 0.1, 0.2, 0.1), jawOpen=0.6, mouthSmileLeft=0.5)),
    (-1.7, -0.3, moment((-0.2, -0.5, 0.2), (-0.2, -0.2, -0.2, -0.2), eyeBlinkLeft=1.0, mouthPucker=0.8)),
    (3.0, 0.5, moment((0.3, 1.0, 0.0), browInnerUp=1.0)),
]


@pytest.mark.parametrize(("yaw", "pitch", "drive"), MOMENTS)
def test_the_same_picture(
    stage: Page, enrolled: Enrollment, model: HeadModel, yaw: float, pitch: float, drive: DriveFrame
) -> None:
    poser = AvatarPoser(enrolled.avatar, model)
    camera = replace(view_camera(yaw, pitch, width=SIDE, height=SIDE + 32), cx=0.4 * SIDE)
    ours = CpuRasterizer().render(poser.pose(drive.coefficients, pose_of(drive, poser.person.joints)), camera).color
    theirs = drawn(stage, [drive], camera)
    assert psnr(ours, theirs) > 45
    assert np.abs(ours - theirs).max() < 0.35, "nothing is missing"
    assert psnr(ours, np.ones_like(ours)) < 20


def test_several_avatars_hide_each_other(page: Page, file: str, enrolled: Enrollment, model: HeadModel) -> None:
    """One picture of all: who is nearer is in front, whichever comes first."""
    page.evaluate("file => { window.room = new renderer.Stage([file, file]) }", file)
    poser, camera = AvatarPoser(enrolled.avatar, model), view_camera(0.5, distance=1.6, width=SIDE, height=SIDE)
    near, far = moment((0, -0.3, 0), x=0.05, jawOpen=0.5), moment((0, 0.3, 0), x=-0.12)
    far = replace(far, translation=far.translation - [0, 0, 0.25])

    def copied(drive: DriveFrame) -> tuple[Array, ...]:
        g = poser.pose(drive.coefficients, pose_of(drive, poser.person.joints))
        return tuple(a.copy() for a in (g.means, g.rotations, g.scales, g.opacities, g.colors))

    both = Gaussians(*(np.concatenate(pair) for pair in zip(copied(near), copied(far), strict=True)))
    ours = CpuRasterizer().render(both, camera).color
    assert psnr(ours, drawn(page, [near, far], camera, "room")) > 45
    assert psnr(ours, drawn(page, [far, near], camera, "room")) > 45


LOST_TWICE = """async () => {
  const { renderer, canvas } = stage;
  const extension = canvas.getContext("webgl2").getExtension("WEBGL_lose_context");
  for (let time = 0; time < 2; time++) {
    const back = new Promise((resolve) => (renderer.restored = resolve));
    extension.loseContext();
    await new Promise((resolve) => setTimeout(resolve, 20));
    renderer.load([...renderer.avatars]);
    extension.restoreContext();
    await back;
  }
}"""
"""And each time avatars come while it is away."""


def test_the_picture_comes_back_after_the_gpu_was_lost(stage: Page) -> None:
    camera = view_camera(0.2, width=SIDE, height=SIDE)
    before = drawn(stage, [moment(jawOpen=0.4)], camera)
    stage.evaluate("stage.loseContext()")
    np.testing.assert_array_equal(drawn(stage, [moment(jawOpen=0.4)], camera), before)
    stage.evaluate(LOST_TWICE)
    np.testing.assert_array_equal(drawn(stage, [moment(jawOpen=0.4)], camera), before)


def test_files_that_are_none_are_refused_with_a_sentence(page: Page, file: str) -> None:
    whole = base64.b64decode(file)
    rng = np.random.default_rng(0)
    spoiled = [b"", whole[:40], whole[: len(whole) // 9], b"VWEB" + b"\xff" * 60]
    for _ in range(12):
        changed = bytearray(whole[: rng.integers(200, len(whole))])
        for place in rng.integers(0, min(len(changed), 3000), 6):
            changed[place] = rng.integers(256)
        spoiled.append(bytes(changed))
    told = page.evaluate(
        """files => files.map((file) => {
            try { new renderer.Stage([file]); return ""; } catch (error) { return error.message; }
        })""",
        [base64.b64encode(data).decode() for data in spoiled],
    )
    assert all(told[:4]), told[:4]
    assert all(text == "" or ("\n" not in text and text.endswith(".") and ":" in text) for text in told), told
