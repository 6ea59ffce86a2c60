"""The built page in Chromium against the mock server."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from server.protocol import Bye, Failure, Recalibrate

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.client_web.mock_server import MockServer

pytestmark = pytest.mark.timeout(60)

PERSON = ["camera", "microphone"]
AVATAR_PLAYS = """() => {
  const video = document.querySelector("[data-testid=avatar]");
  return video && video.readyState >= 2 && video.videoWidth === 512 && !video.paused;
}"""


@pytest.fixture
def open_page(chromium: Browser, mock: MockServer) -> Iterator[Callable[..., Page]]:
    """open_page(path, permissions, **context options): a page in a context of its own that fails on script errors."""
    contexts = []
    errors: list[str] = []

    def open_(path: str, permissions: list[str] = PERSON, script: str = "", **options: Any) -> Page:
        context = chromium.new_context(permissions=permissions, **options)
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if "Content Security Policy" in line.text else None)
        if script:
            page.add_init_script(script)
        page.goto(mock.url + path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert errors == []


def phase(page: Page, name: str) -> None:
    page.wait_for_selector(f"html[data-phase={name}]")


def until(page: Page, condition: Callable[[], bool], milliseconds: int = 5_000) -> None:
    """Waits while the page goes on."""
    for _ in range(milliseconds // 50):
        if condition():
            return
        page.wait_for_timeout(50)
    raise TimeoutError("the condition did not come true in time")


def test_person_joins_looks_around_reconnects_and_leaves(open_page: Callable[..., Page], mock: MockServer) -> None:
    page = open_page("/call/secret-key")
    page.wait_for_selector("[data-testid=lobby-preview]:not([hidden])")
    page.click("[data-testid=join]")
    page.wait_for_function(AVATAR_PLAYS)
    assert (mock.hellos()[0].role, mock.hellos()[0].key) == ("person", "secret-key")
    assert page.is_visible("[data-testid=self-view]")

    until(page, lambda: len(mock.cameras()) == 1)
    assert mock.cameras()[0].distance == pytest.approx(0.9)
    page.mouse.move(600, 300)
    page.mouse.down()
    page.mouse.move(700, 320, steps=20)
    page.mouse.up()
    until(page, lambda: mock.cameras()[-1].yaw < -0.3 and mock.cameras()[-1].pitch > 0.05)
    page.mouse.wheel(0, -300)
    until(page, lambda: mock.cameras()[-1].distance < 0.75)
    page.keyboard.press("ArrowRight")
    page.mouse.dblclick(600, 300)
    until(page, lambda: mock.cameras()[-1].yaw == 0.0 and mock.cameras()[-1].distance == pytest.approx(0.9))
    assert all(abs(c.pitch) <= math.pi / 3 and 0.35 <= c.distance <= 2.5 for c in mock.cameras())

    page.click("[data-testid=relax]")
    until(page, lambda: any(isinstance(message, Recalibrate) for message in mock.received))
    assert "relaxed" in page.inner_text("[data-testid=hint]")
    mock.stats = dataclasses.replace(mock.stats, face=False)
    page.wait_for_selector("text=We cannot see your face")

    mock.accepting = False
    mock.drop()
    page.wait_for_selector("[data-testid=toast]:has-text('Reconnecting')")
    assert page.inner_text("[data-testid=quality]").strip() == "Lost"
    mock.accepting = True
    phase(page, "live")
    page.wait_for_function(AVATAR_PLAYS)
    assert mock.hellos()[-1].resume == "mock-token"

    page.click("[data-testid=leave]")
    phase(page, "left")
    until(page, lambda: isinstance(mock.received[-1], Bye))


def test_viewer_sees_the_picture_without_a_click_and_hears_after_one(
    open_page: Callable[..., Page], mock: MockServer
) -> None:
    refuse_sound = """
      let clicked = false;
      addEventListener("pointerdown", () => { clicked = true; }, true);
      const play = HTMLMediaElement.prototype.play;
      HTMLMediaElement.prototype.play = function () {
        const silent = this.muted || clicked;
        return silent ? play.call(this) : Promise.reject(new DOMException("no gesture yet", "NotAllowedError"));
      };"""
    page = open_page("/view/some-key", permissions=[], script=refuse_sound)
    page.wait_for_function(AVATAR_PLAYS)
    muted = "document.querySelector('[data-testid=avatar]').muted"
    assert page.evaluate(muted) is True
    page.click("[data-testid=unmute]")
    assert page.evaluate(muted) is False
    page.wait_for_selector("[data-testid=unmute]", state="hidden")
    assert not page.is_visible("[data-testid=camera]")
    page.goto("about:blank")
    page.wait_for_timeout(300)
    assert isinstance(mock.received[-1], Bye), "closing the page frees its place"


def test_final_failure_is_shown_and_can_be_tried_again(open_page: Callable[..., Page], mock: MockServer) -> None:
    mock.failure = Failure("taken", "Somebody is in this call already; close the other page.")
    page = open_page("/call/k?autojoin=1")
    page.wait_for_selector("[data-testid=failure]")
    assert page.inner_text("[data-testid=failure-text]") == mock.failure.message
    page.wait_for_timeout(600)
    assert len(mock.hellos()) == 1
    mock.failure = None
    page.click("[data-testid=try-again]")
    phase(page, "live")


def test_without_permission_the_page_explains_and_joins_all_the_same(open_page: Callable[..., Page]) -> None:
    page = open_page("/call/k", permissions=[])
    page.wait_for_selector("[data-testid=trouble]:has-text('blocked')")
    page.click("[data-testid=join]")
    page.wait_for_function(AVATAR_PLAYS)
    page.wait_for_selector("[data-testid=hint]:has-text('the avatar rests')")


def test_shortcuts_statistics_and_a_narrow_screen(open_page: Callable[..., Page]) -> None:
    page = open_page("/call/k?autojoin=1", viewport={"width": 360, "height": 740}, color_scheme="dark")
    phase(page, "live")
    page.focus("[data-testid=help]")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-testid=shortcuts]")
    page.keyboard.press("s")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.testid") == "help"
    assert page.get_attribute("[data-testid=stats-panel]", "data-mode") == "small"
    page.keyboard.press("s")
    page.wait_for_selector("[data-stat=Resolution]:has-text('512 × 512')")
    page.keyboard.press("m")
    page.wait_for_selector("[data-testid=mic][aria-label='Unmute microphone']")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.reload()
    page.wait_for_selector("[data-testid=mic][aria-label='Unmute microphone']")
    assert page.get_attribute("[data-testid=stats-panel]", "data-mode") == "full"
