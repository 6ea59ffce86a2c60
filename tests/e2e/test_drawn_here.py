"""The page draws the call by itself, in a real browser: the same picture as the server's, there and back, and where it cannot."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from enrollment.instant.pipeline import Enrollment
from models import avatar_file
from server.call.protocol import Join, Place
from server.call_client import CallClient
from tests.client_web.browser import FRAMES, by, until
from tests.client_web.conftest import CHROMIUM, FLAGS, built_page, launching
from tests.client_web.rendering import WEBGL, psnr

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
__all__ = ["built_page"]

LIKE = 30.0
"""Decibels between the two pictures of the same moment, one of which a video codec has seen."""
PLAYING = "() => document.querySelector('[data-testid=avatar]')?.videoWidth > 0"
KEPT = """
  const get = HTMLCanvasElement.prototype.getContext;
  HTMLCanvasElement.prototype.getContext = function (kind, options) {
    return get.call(this, kind, { ...options, preserveDrawingBuffer: true });
  };
"""
"""Lets the test read the page's picture after it was shown."""
NEVER_CONNECTED = """
  localStorage.setItem("visavis.preferences", JSON.stringify({ drawnBy: "device" }));
  RTCPeerConnection.prototype.setRemoteDescription = () => new Promise(() => {});
"""
"""The page is told to draw, and the server's answer to its offer never comes to anything."""
GRAB = """(name) => new Promise((done) => requestAnimationFrame(() => {
  const from = document.querySelector(`[data-testid=${name}]`);
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [from.videoWidth || from.width, from.videoHeight || from.height];
  const context = canvas.getContext('2d');
  context.fillStyle = 'white';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(from, 0, 0);
  done(canvas.toDataURL('image/png').split(',')[1]);
}))"""


@pytest.fixture(scope="module")
def addresses(enrolled: Enrollment, tmp_path_factory: pytest.TempPathFactory, built_page: None) -> Iterator[dict[str, str]]:
    """A server of its own process."""
    path = tmp_path_factory.mktemp("drawn") / "one.avatar"
    avatar_file.save(enrolled.avatar, path)
    command = [sys.executable, "-m", "server.cli", "serve", "--avatar", str(path), "--port", "0", "--json", "--least-rate", "0"]
    with subprocess.Popen([*command, "--enrollments", "0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def guest(addresses: dict[str, str]) -> Iterator[None]:
    """Somebody without a webcam in the room, who rests."""
    base, _, key = addresses["person"].partition("/room/")
    loop, leave, here = asyncio.new_event_loop(), asyncio.Event(), threading.Event()

    async def stay() -> None:
        page = CallClient(base.replace("http", "ws", 1) + "/ws", key, Join("Bo"))
        page.place = Place(seen=False)
        async with page:
            here.set()
            await leave.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[stay()], daemon=True)
    thread.start()
    assert here.wait(60)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(leave.set)
        thread.join(10)


@pytest.fixture(scope="module")
def page(addresses: dict[str, str]) -> Iterator[Page]:
    """In the room with one other, drawn by the server. Nothing moves by itself."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with guest(addresses), sync_api.sync_playwright() as playwright:
        flags = [*WEBGL, *(flag for flag in FLAGS if flag != "--disable-gpu")]
        browser = playwright.chromium.launch(**launching(flags))
        context = browser.new_context(bypass_csp=True, reduced_motion="reduce", viewport={"width": 800, "height": 712})
        found = context.new_page()
        found.set_default_timeout(60_000)
        found.add_init_script(KEPT)
        found.goto(addresses["viewer"] + "?autojoin=1")
        found.wait_for_function(PLAYING)
        yield found
        browser.close()


def choose(page: Page, who: str) -> None:
    page.keyboard.press("b")
    page.check(by(f"drawn-by-{who}"))
    page.wait_for_selector(f"{by('stage')}[data-drawn-by={'device' if who == 'device' else 'server'}]")
    page.keyboard.press("Escape")


def grabbed(page: Page, name: str) -> NDArray[np.float32]:
    """What that element shows, over white, (H, W, 3)."""
    picture = Image.open(io.BytesIO(base64.b64decode(page.evaluate(GRAB, name)))).convert("RGB")
    return np.asarray(picture, np.float32) / 255


def at_rest(page: Page, name: str) -> NDArray[np.float32]:
    """The picture once it changes no more."""
    seen = [grabbed(page, name)]

    def rests() -> bool:
        page.evaluate(FRAMES, 6)
        page.wait_for_timeout(150)
        seen.append(grabbed(page, name))
        return alike(*seen[-2:])

    until(page, rests)
    return seen[-1]


def alike(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    return one.shape == other.shape and bool(np.abs(one - other).max() < 0.02)


def fitted(own: NDArray[np.float32], like: NDArray[np.float32]) -> NDArray[np.float32]:
    """The middle of the own picture, which fills the stage, in the shape and size of the server's."""
    height, width = own.shape[:2]
    wide = min(width, round(height * like.shape[1] / like.shape[0]))
    left = (width - wide) // 2
    cut = Image.fromarray((255 * own[:, left : left + wide]).astype(np.uint8))
    return np.asarray(cut.resize((like.shape[1], like.shape[0]), Image.Resampling.LANCZOS), np.float32) / 255


def test_the_page_draws_the_same_picture_as_the_server_and_gives_it_back(page: Page) -> None:
    theirs = at_rest(page, "avatar")
    plate = page.locator(".plate").bounding_box()
    choose(page, "device")
    until(page, lambda: psnr(fitted(at_rest(page, "own-picture"), theirs), theirs) > LIKE)
    own = at_rest(page, "own-picture")
    page.wait_for_selector(by("stats-line", "drawn here"), state="attached")
    page.wait_for_function("() => document.querySelector('.plate')?.innerText === 'Bo'")
    assert psnr(np.ones_like(theirs), theirs) < 15

    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    until(page, lambda: psnr(fitted(grabbed(page, "own-picture"), own), own) < 25)  # the view follows, smaller where it is busy
    page.keyboard.press("0")
    until(page, lambda: psnr(fitted(at_rest(page, "own-picture"), own), own) > LIKE)

    choose(page, "server")
    assert page.locator(by("own-picture")).count() == 0
    until(page, lambda: psnr(at_rest(page, "avatar"), theirs) > LIKE)
    until(page, lambda: page.locator(".plate").bounding_box() == plate)


def test_a_gpu_that_is_lost_for_good_gives_the_picture_back_to_the_server(page: Page) -> None:
    choose(page, "device")
    page.evaluate("""() => document.querySelector('[data-testid=own-picture]').getContext('webgl2')
      .getExtension('WEBGL_lose_context').loseContext()""")
    page.wait_for_selector(f"{by('stage')}[data-drawn-by=server]")
    page.wait_for_selector(by("toast", "graphics failed. So the server draws"))


def test_an_avatar_that_cannot_be_fetched_leaves_the_picture_to_the_server(page: Page) -> None:
    page.route("**/web-avatars/**", lambda route: route.fulfill(status=404))
    page.keyboard.press("b")
    page.check(by("drawn-by-server"))
    page.check(by("drawn-by-device"))
    page.wait_for_selector(by("drawn-by-words", "Bo's avatar cannot be drawn by this device."))
    page.unroute("**/web-avatars/**")
    page.keyboard.press("Escape")
    page.wait_for_selector(f"{by('stage')}[data-drawn-by=server]")
    theirs = at_rest(page, "avatar")
    assert psnr(np.ones_like(theirs), theirs) < 15, "and the call goes on"


def test_people_are_drawn_at_rest_before_the_call_is_connected(page: Page, addresses: dict[str, str]) -> None:
    browser = page.context.browser
    assert browser is not None
    context = browser.new_context(bypass_csp=True, reduced_motion="reduce", viewport={"width": 400, "height": 440})
    early = context.new_page()
    early.set_default_timeout(60_000)
    early.add_init_script(KEPT + NEVER_CONNECTED)
    early.goto(addresses["viewer"] + "?autojoin=1")
    early.wait_for_selector(f"{by('stage')}[data-drawn-by=device] {by('own-picture')}")
    until(early, lambda: 0.1 < (grabbed(early, "own-picture") < 0.9).any(axis=2).mean() < 0.9)
    assert early.evaluate("document.documentElement.dataset.phase") == "connecting"
    context.close()
