"""The whole product in a real browser: a face as webcam, the real server, and the avatar that comes back moves with it.

The webcam's film is drawn by the test itself: the built-in portrait's avatar opens and closes its mouth. A patch in the
film's corner is as bright as the jawOpen that was drawn, so the page's own webcam picture tells what was sent at any moment.
"""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.client_web.browser import until
from tests.client_web.conftest import CHROMIUM, FLAGS, built_page, launching
from tests.e2e.webcam import FPS, write

if TYPE_CHECKING:
    from enrollment.instant.pipeline import Enrollment

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
__all__ = ["built_page"]

WIDTH, HEIGHT, PERIOD, SECONDS = 640, 480, 3.0, 12
PATCH = 24
UPPER_LIP, LOWER_LIP, FOREHEAD, CHIN = 13, 14, 10, 152
STILL, SAMPLES = 2.0, 70
"""Seconds in which the film's face rests before it moves (it loops, so now and then); pictures taken of both videos."""

PLAYING = "() => document.querySelector('[data-testid=avatar]')?.videoWidth > 0"
GRAB = """() => {
  const take = (video) => {
    if (!video || !video.videoWidth) return null;
    const canvas = document.createElement('canvas');
    canvas.width = video.videoWidth; canvas.height = video.videoHeight;
    canvas.getContext('2d').drawImage(video, 0, 0);
    return canvas.toDataURL('image/jpeg', 0.9).split(',')[1];
  };
  return [take(document.querySelector('[data-testid=self-view]')), take(document.querySelector('[data-testid=avatar]'))];
}"""


@pytest.fixture(scope="module")
def avatar(enrolled: Enrollment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from models import avatar_file

    path = tmp_path_factory.mktemp("e2e") / "astronaut.avatar"
    avatar_file.save(enrolled.avatar, path)
    return path


def jaw_open(seconds: float) -> float:
    """The film's script: rest, then open and close."""
    return 0.0 if seconds < STILL else 0.35 * (1 - np.cos(2 * np.pi * (seconds - STILL) / PERIOD))


@pytest.fixture(scope="module")
def webcam(avatar: Path) -> Path:
    """A film for Chromium's fake webcam."""
    from models import arkit, avatar_file
    from models.avatar import AvatarPoser
    from models.heads.anny import AnnyHead
    from models.splat.cpu import CpuRasterizer
    from models.types import Camera

    poser, rasterizer = AvatarPoser(avatar_file.load(avatar), AnnyHead()), CpuRasterizer()
    camera = Camera.orbit(0.0, distance=0.9, width=WIDTH, height=HEIGHT, fov_y=np.deg2rad(30), target=(0, -0.02, 0))

    @cache
    def picture(jaw: float) -> NDArray[np.uint8]:
        gaussians = poser.pose(np.asarray(arkit.vector(jawOpen=jaw), np.float32))
        color = rasterizer.render(gaussians, camera, background=(0.55, 0.6, 0.65)).color
        color[:PATCH, :PATCH] = jaw
        return np.asarray(np.clip(color, 0, 1) * 255, np.uint8)

    return write(avatar.with_name("webcam.y4m"), (picture(round(jaw_open(i / FPS), 6)) for i in range(int(SECONDS * FPS))))


@pytest.fixture(scope="module")
def addresses(avatar: Path, built_page: None) -> Iterator[dict[str, str]]:
    """A server of its own process, as a person would start it."""
    command = [sys.executable, "-m", "server.cli", "serve", "--avatar", str(avatar), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="module")
def page(webcam: Path, addresses: dict[str, str]) -> Iterator[object]:
    sync_api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with sync_api.sync_playwright() as playwright:
        film = f"--use-file-for-fake-video-capture={webcam}"
        browser = playwright.chromium.launch(**launching([*FLAGS, film, "--use-fake-ui-for-media-stream"]))
        page = browser.new_context(
            permissions=["camera", "microphone"], bypass_csp=True, viewport={"width": 900, "height": 700}
        ).new_page()
        page.goto(addresses["host"] + "?autojoin=1")
        page.wait_for_function(PLAYING, timeout=60_000)
        yield page
        browser.close()


def mouth(picture: str) -> float | None:
    """How far the lips are apart, in face heights; None when no face is found."""
    from models.tracking.landmarks import detect_faces

    faces = detect_faces(np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")))
    if not faces:
        return None
    p = faces[0].points[:, :2]
    return float(np.linalg.norm(p[UPPER_LIP] - p[LOWER_LIP]) / np.linalg.norm(p[FOREHEAD] - p[CHIN]))


def follows(page) -> float:  # type: ignore[no-untyped-def]
    """How well the avatar's mouth follows the webcam's for some seconds: their correlation at the best delay."""
    taken = []
    for _ in range(SAMPLES):
        sent, shown = page.evaluate(GRAB)
        taken.append((time.monotonic(), sent, shown))
        page.wait_for_timeout(80)
    rows = []
    for moment, sent, shown in taken:
        if sent and shown and (gap := mouth(shown)) is not None:
            patch = np.asarray(Image.open(io.BytesIO(base64.b64decode(sent))).convert("L"), float)[4 : PATCH - 4, 4 : PATCH - 4]
            rows.append((moment, patch.mean() / 255, gap))
    assert len(rows) > 0.8 * SAMPLES, "no face in the avatar's picture"
    when, coefficient, gap = np.array(rows).T
    assert np.ptp(coefficient) > 0.3, "the webcam's film did not play"
    # the picture comes back later than it was sent: compare with what was sent a moment before
    return max(
        np.corrcoef(np.interp(when - lag, when, coefficient)[when > when[0] + lag], gap[when > when[0] + lag])[0, 1]
        for lag in np.arange(0.0, 2.0, 0.05)
    )


def test_the_avatars_mouth_moves_with_the_webcams(page, addresses: dict[str, str]) -> None:  # type: ignore[no-untyped-def]
    page.wait_for_timeout(4000)  # the first second is taken as neutral
    # on a busy machine the first second may show an open mouth, which is put right once it closes, and the film may stall
    assert any(follows(page) > 0.8 for _ in range(4))


def test_a_viewer_sees_the_avatar_and_can_walk_around_it(page, addresses: dict[str, str]) -> None:  # type: ignore[no-untyped-def]
    viewer = page.context.new_page()
    viewer.goto(addresses["viewer"] + "?autojoin=1")
    viewer.wait_for_function(PLAYING, timeout=60_000)
    until(viewer, lambda: mouth(viewer.evaluate(GRAB)[1]) is not None)
    stage = viewer.locator("[data-testid=stage]")
    box = stage.bounding_box()
    assert box is not None
    for _ in range(2):  # halfway around
        viewer.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.5 * box["height"])
        viewer.mouse.down()
        viewer.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.5 * box["height"], steps=12)
        viewer.mouse.up()
    until(viewer, lambda: abs(float(stage.get_attribute("data-yaw") or 0)) > 1.5)
    until(viewer, lambda: mouth(viewer.evaluate(GRAB)[1]) is None)  # the back of the head has no face
    viewer.close()
