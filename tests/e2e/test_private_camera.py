"""A call with a private camera in a real browser: the avatar follows the person, and no picture of the camera leaves the page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import pytest_asyncio
import skimage.data
from numpy.typing import NDArray

from models import avatar_file
from models.exchange import drive_frames, landmark_frames
from models.heads.anny import AnnyHead
from models.types import DriveFrame
from server.call.protocol import Place
from server.call_client import CallClient
from tests.client_web.conftest import CHROMIUM, FLAGS, built_page, launching
from tests.e2e.webcam import FPS, write
from tests.models import makers
from tests.server.call.serving import Running, running, until

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(240)]
__all__ = ["built_page"]

WIDTH, HEIGHT, SECONDS = 640, 480, 2
SWAY = 90
"""Pixels by which the person in the film moves to each side."""
WATCH = """
window.connections = []; window.sent = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...options) { super(...options); window.connections.push(this); }
};
const send = RTCDataChannel.prototype.send;
RTCDataChannel.prototype.send = function (data) {
  window.sent.push([this.label, data.byteLength ?? data.length]);
  return send.call(this, data);
};"""
VIDEO_BYTES = """async () => {
  let sum = 0;
  for (const connection of window.connections) (await connection.getStats()).forEach((stats) => {
    if (stats.type === 'outbound-rtp' && stats.kind === 'video') sum += stats.bytesSent;
  });
  return sum;
}"""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A person who moves from side to side, for Chromium's fake webcam."""

    def picture(part: float) -> NDArray[np.uint8]:
        moved = np.array([[1.2, 0, SWAY * np.sin(2 * np.pi * part)], [0, 1.2, -40]])
        return np.asarray(cv2.warpAffine(skimage.data.astronaut(), moved, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE))

    count = FPS * SECONDS
    return write(tmp_path_factory.mktemp("film") / "webcam.y4m", (picture(i / count) for i in range(count)))


@pytest_asyncio.fixture
async def page(film: Path, built_page: None) -> AsyncIterator[Page]:
    api = pytest.importorskip("playwright.async_api")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    flags = [*FLAGS, f"--use-file-for-fake-video-capture={film}", "--use-fake-ui-for-media-stream"]
    async with api.async_playwright() as playwright:
        browser = await playwright.chromium.launch(**launching(flags))
        context = await browser.new_context(permissions=["camera", "microphone"])
        await context.add_init_script(WATCH)
        yield await context.new_page()
        await browser.close()


def plain_avatar() -> bytes:
    """Of the mean face, with Gaussians anywhere: only its movements are looked at."""
    head = AnnyHead()
    return avatar_file.encode(replace(makers.avatar(head), identity=np.zeros(head.identity_count, np.float32)))


def moments(viewer: CallClient, participant: int) -> list[DriveFrame]:
    """How the avatar was shown to somebody who draws it."""
    sent = [frame for message in list(viewer.driven) for frame in drive_frames.decode(message)]
    return [frame.drive for frame in sent if frame.participant == participant]


def sway(viewer: CallClient, participant: int) -> float:
    """Metres that the head has moved to the side while it was seen."""
    seen = [drive.translation[0] for drive in moments(viewer, participant) if drive.confidence > 0.2]
    return float(np.ptp(seen)) if seen else 0.0


async def entered(page: Page, server: Running) -> None:
    await page.goto(server.addresses.host)
    await page.get_by_test_id("private-camera").check()
    await page.get_by_text("Your camera picture stays on this device.").wait_for()
    await page.get_by_test_id("join").click()
    await page.wait_for_selector("html[data-phase=live]")


async def test_the_avatar_moves_and_no_picture_is_sent(page: Page) -> None:
    requests: list[tuple[str, int]] = []
    page.on("request", lambda r: requests.append((r.url, len(r.post_data_buffer or b""))))
    workers: list[str] = []
    page.on("worker", lambda worker: workers.append(worker.url))
    settings: dict[str, Any] = {"factory": "realtime.room.pipeline:LiveRoomPipeline"}
    async with running(avatars={"ada": plain_avatar()}, **settings) as server:
        await entered(page, server)
        async with server.page("viewer", place=Place(draws=True)) as viewer:
            [participant] = server.room.worker._people
            await until(lambda: sway(viewer, participant) > 0.03)
            assert await page.evaluate(VIDEO_BYTES) == 0
            assert await page.locator("[data-testid=self-view]").evaluate("video => video.videoWidth") == WIDTH
            sizes = await page.evaluate("() => window.sent")
            drives = [size for label, size in sizes if label == "drive"]
            assert max(drives) == landmark_frames.BYTES and max(size for label, size in sizes if label != "drive") < 1000
            assert workers and all(url.startswith(server.base) for url in [*workers, *(url for url, _ in requests)])
            assert sum(size for _, size in requests) < 2000, "nothing is uploaded"
            await costs_are_shown(page)
            assert "landmarks" in server.room.worker.times.medians() and "decode" not in server.room.worker.times.medians()

            await switch(page, private=False)
            await until(lambda: "decode" in server.room.worker.times.medians())
            sent = await page.evaluate(VIDEO_BYTES)
            assert sent > 0, "the switch works in a call"
            await switch(page, private=True)
            await until(lambda: "decode" not in server.room.worker.times.medians())
            before = await page.evaluate(VIDEO_BYTES)
            viewer.driven.clear()
            await until(lambda: sway(viewer, participant) > 0.03)
            assert await page.evaluate(VIDEO_BYTES) == before
    assert await page.evaluate("() => JSON.parse(localStorage['visavis.preferences']).privateCamera")


async def costs_are_shown(page: Page) -> None:
    await page.keyboard.press("s")
    await page.wait_for_selector("[data-stat=Tracked]:visible")
    await page.wait_for_function(
        "(names) => names.every((name) => parseFloat(document.querySelector(`[data-stat='${name}']`).innerText) > 0)",
        arg=["Tracked", "A picture"],
    )


async def switch(page: Page, *, private: bool) -> None:
    await page.get_by_test_id("devices").click()
    await page.get_by_test_id("private-camera").set_checked(private)
    await page.keyboard.press("Escape")
