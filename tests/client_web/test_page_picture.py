"""The page in Chromium: what is behind the people, how large the picture is, and pictures that pause or stop."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from tests.client_web.browser import BO, MEASURED, PICTURE_PLAYS, announced, by, enter, focused, phase, until

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.client_web.mock_server import MockServer

pytestmark = pytest.mark.timeout(240)

HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
CUT_OUT = "() => document.querySelector('.cutout:not([hidden])')?.height === 496"
LAID_OUT = """() => new Promise((done) => {
  const observer = new ResizeObserver(() => { observer.disconnect(); done(); });
  observer.observe(document.querySelector("[data-testid=stage]"));
})"""
"""Whoever watches sizes has been told of the last one."""
GREEN = (30, 160, 60)


def pass_seconds(page: Page, seconds: int) -> None:
    """With a reading of the statistics in each."""
    for _ in range(seconds):
        page.clock.fast_forward(1_000)
        page.wait_for_timeout(60)


def corner(page: Page) -> np.ndarray:
    """Colour of the stage where nobody is."""
    box = page.locator(by("stage")).bounding_box()
    assert box is not None
    shot = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"), int)
    return shot[int(box["y"] + 0.25 * box["height"]), int(box["x"] + 0.32 * box["width"])]


def test_what_is_behind_the_people_is_chosen_by_keyboard_and_kept(open_page: Callable[..., Page], mock: MockServer) -> None:
    mock.others = [BO]
    page = open_page("/room/k?autojoin=1", viewport={"width": 1000, "height": 700})
    page.wait_for_function(PICTURE_PLAYS)
    assert mock.places()[0].background == "white" and not mock.places()[0].mask
    page.emulate_media(color_scheme="dark")
    until(page, lambda: mock.places()[-1].background == "dark")
    page.focus(by("background"))
    page.keyboard.press("Enter")
    page.wait_for_selector("[value=auto]:focus", state="attached")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    until(page, lambda: mock.places()[-1].background == "sand")
    page.keyboard.press("Escape")
    focused(page, "background")
    until(page, lambda: np.abs(corner(page) - (232, 220, 202)).max() < 5)
    page.reload()
    phase(page, "live")
    assert mock.places()[-1].background == "sand", "the browser remembers, and says so with the offer"


WITHOUT = """const get = HTMLCanvasElement.prototype.getContext;
  HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
    return kind === "webgl" ? null : get.call(this, kind, ...rest); };"""
A_CARD = "WebGLRenderingContext.prototype.getExtension = () => null;"  # nothing tells then that WebGL is imitated here


@pytest.mark.parametrize("script", ["", A_CARD, WITHOUT], ids=["WebGL imitated", "graphics card", "no WebGL"])
def test_people_stand_before_the_viewers_own_picture_which_stays_here(
    open_page: Callable[..., Page], mock: MockServer, tmp_path: Path, script: str
) -> None:
    mock.others = [BO]
    Image.new("RGB", (64, 48), GREEN).save(tmp_path / "mine.png")
    (tmp_path / "text.png").write_text("no picture")
    page = open_page("/room/x-viewer?autojoin=1", script=script)
    page.wait_for_function(PICTURE_PLAYS)
    page.keyboard.press("b")
    page.set_input_files(by("background-file"), tmp_path / "text.png")
    page.wait_for_selector(by("background-trouble", "not a picture"))
    assert not mock.places()[-1].mask
    page.set_input_files(by("background-file"), tmp_path / "mine.png")
    page.wait_for_function(CUT_OUT)
    page.keyboard.press("Escape")
    until(page, lambda: np.abs(corner(page) - GREEN).max() < 8)
    assert mock.places()[-1].mask and mock.places()[-1].background == "grey"
    shape = (
        "() => { const { clientWidth, clientHeight } = document.querySelector('.picture'); return clientWidth / clientHeight; }"
    )
    until(page, lambda: page.evaluate(shape) == pytest.approx(512 / 496, abs=0.02))  # the mask is not shown
    if not script:
        page.reload()
        page.wait_for_function(CUT_OUT)
        until(page, lambda: np.abs(corner(page) - GREEN).max() < 8)
        page.keyboard.press("b")
        page.check(by("background-white"), force=True)
        page.wait_for_selector(".cutout", state="hidden")
        page.wait_for_function(PICTURE_PLAYS)


def test_a_transparent_page_shows_what_is_behind_it(open_page: Callable[..., Page], mock: MockServer) -> None:
    mock.others = [BO]
    page = open_page("/room/x-viewer?autojoin=1")
    phase(page, "live")
    page.keyboard.press("b")
    page.check(by("background-transparent"), force=True)
    page.wait_for_function(CUT_OUT)
    page.keyboard.press("Escape")
    page.evaluate("document.documentElement.style.setProperty('background', 'rgb(30 160 60)', 'important')")
    until(page, lambda: np.abs(corner(page) - GREEN).max() < 8)


def test_the_server_is_told_how_large_the_picture_is_shown(open_page: Callable[..., Page], mock: MockServer) -> None:
    page = open_page("/room/k", clock=True, viewport={"width": 1000, "height": 700}, device_scale_factor=2)
    enter(page)
    first = mock.places()[0]
    assert first.width == 2000 and 800 < first.height < 1300, "pixels of the screen, already with the offer"
    page.clock.pause_at(page.evaluate("Date.now() + 5_000"))
    said = len(mock.places())
    for width in (700, 600, 500, 360):
        page.set_viewport_size({"width": width, "height": 740})
    page.evaluate(LAID_OUT)
    page.clock.resume()
    until(page, lambda: mock.places()[-1].width == 720)
    assert len(mock.places()) == said + 1, "once it rests"


def test_a_hidden_page_gets_no_pictures_and_says_so_when_back(open_page: Callable[..., Page], mock: MockServer) -> None:
    mock.others = [BO]
    page = open_page("/room/k?autojoin=1", clock=True)
    page.wait_for_function(PICTURE_PLAYS)
    page.evaluate(HIDE, True)
    page.clock.fast_forward(1_600)
    until(page, lambda: not mock.places()[-1].seen)
    page.clock.fast_forward(4_000)
    assert page.is_hidden(by("toast")), "a pause is no trouble"
    page.evaluate(HIDE, False)
    until(page, lambda: mock.places()[-1].seen)
    page.wait_for_selector(by("toast", "The picture paused while this page was hidden"))
    announced(page, "The picture paused")
    page.wait_for_function(PICTURE_PLAYS)
    page.wait_for_function(
        "() => !['Stopped', 'Lost'].includes(document.querySelector('[data-testid=quality]').innerText.trim())"
    )


def test_a_picture_that_stops_is_told_of_and_fetched_anew(open_page: Callable[..., Page], mock: MockServer) -> None:
    mock.others = [BO]
    page = open_page("/room/x-viewer?autojoin=1", clock=True)
    page.wait_for_function(PICTURE_PLAYS)
    page.wait_for_function(MEASURED)
    offers = len(mock.places())
    mock.pause = 1_000.0  # the media die, the data channel lives
    pass_seconds(page, 3)
    page.wait_for_selector(by("toast", "The picture has stopped: the server sends it, but it does not arrive"))
    page.wait_for_selector(f"{by('toast')} {by('try-now')}")
    announced(page, "The picture has stopped")
    page.wait_for_selector(by("quality", "Stopped"))
    mock.pause = 0.1  # too late for this connection
    pass_seconds(page, 6)
    until(page, lambda: mock.types().count("Offer") == 2)
    page.wait_for_function(PICTURE_PLAYS)
    page.wait_for_selector(by("toast", "Connected again"))
    assert len(mock.places()) > offers
