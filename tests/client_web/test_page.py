"""The built page in Chromium against the mock server."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from server.call.protocol import Bye, Failure, Offer, Recalibrate

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.client_web.mock_server import MockServer

pytestmark = pytest.mark.timeout(60)

PERSON = ["camera", "microphone"]
AVATAR_PLAYS = """() => {
  const video = document.querySelector("[data-testid=avatar]");
  return video && video.readyState >= 2 && video.videoWidth === 512 && !video.paused;
}"""

CUT_OFF = """() => [...document.querySelectorAll(".controls button, .header .chip")]
  .filter((element) => element.checkVisibility())
  .filter((element) => {
    const { left, right, top, bottom } = element.getBoundingClientRect();
    return left < 0 || right > innerWidth || top < 0 || bottom > innerHeight;
  })
  .map((element) => element.dataset.testid)"""
"""What of the bars does not lie within the window."""


@pytest.fixture
def open_page(chromium: Browser, mock: MockServer) -> Iterator[Callable[..., Page]]:
    """open_page(path, permissions, **context options): a page in a context of its own that fails on script errors; `clock`: it can be put forward."""
    contexts = []
    errors: list[str] = []

    def open_(path: str, permissions: list[str] = PERSON, script: str = "", clock: bool = False, **options: Any) -> Page:
        context = chromium.new_context(permissions=permissions, **options)
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        if clock:
            page.clock.install()
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
    mock.stats = dataclasses.replace(mock.stats, ready=False)
    page.wait_for_selector("[data-testid=hint]:has-text('The avatar is starting')")
    page.wait_for_selector("[data-testid=quality]:has-text('Starting')")

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


def test_viewer_sees_the_picture_without_a_click_and_hears_after_one(open_page: Callable[..., Page], mock: MockServer) -> None:
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
    mock.failure = Failure("not_found", "there is no call at this address; ask for a new link")
    page = open_page("/call/k?autojoin=1")
    page.wait_for_selector("[data-testid=failure]:has-text('You could not join the call')")
    assert page.inner_text("[data-testid=failure-text]") == "There is no call at this address; ask for a new link."
    page.wait_for_timeout(600)
    assert len(mock.hellos()) == 1
    mock.failure = None
    page.click("[data-testid=try-again]")
    phase(page, "live")
    assert page.inner_text("[data-testid=quality]").strip() in ("Connected", "Excellent", "Good", "Poor")


def test_a_full_call_lets_the_page_in_when_a_place_is_free(open_page: Callable[..., Page], mock: MockServer) -> None:
    mock.failure = Failure("full", "all 1 viewers' places are taken")
    page = open_page("/view/k", permissions=[])
    page.wait_for_selector('[data-testid=cover]:has-text("Every viewer\'s place is taken")')
    assert page.inner_text("[data-testid=quality]").strip() == "Waiting"
    until(page, lambda: len(mock.hellos()) == 1)
    page.click("[data-testid=try-now]")
    until(page, lambda: len(mock.hellos()) == 2)
    mock.failure = None
    phase(page, "live")
    page.wait_for_selector("[data-testid=cover]", state="hidden")


def test_media_that_are_blocked_are_told_from_a_server_that_is_away(open_page: Callable[..., Page], mock: MockServer) -> None:
    mock.accepting, mock.blocked = False, True
    page = open_page("/view/k", permissions=[], clock=True)
    page.wait_for_selector("[data-testid=cover]:has-text('The server cannot be reached. Trying again')")
    mock.accepting = True
    until(page, lambda: any(isinstance(message, Offer) for message in mock.received))
    page.wait_for_timeout(500)
    assert "cannot be reached" not in page.inner_text("[data-testid=cover]")
    page.clock.fast_forward(5_000)
    page.wait_for_selector("[data-testid=cover]:has-text('a firewall may block UDP')")
    phase(page, "connecting")
    mock.blocked = False
    page.clock.fast_forward(15_000)  # this attempt is given up, and the next one gets through
    phase(page, "live")


def test_a_socket_that_closes_does_not_end_the_media(open_page: Callable[..., Page], mock: MockServer) -> None:
    page = open_page("/view/k", permissions=[])
    page.wait_for_function(AVATAR_PLAYS)
    page.evaluate("""() => {
      window.phases = [];
      new MutationObserver(() => phases.push(document.documentElement.dataset.phase))
        .observe(document.documentElement, { attributeFilter: ["data-phase"] });
    }""")
    mock.room = dataclasses.replace(mock.room, person=False)
    mock.hang_up()
    page.wait_for_selector("[data-testid=hint]:has-text('The person is not in the call at the moment')")
    assert mock.hellos()[-1].keep_media and mock.hellos()[-1].resume == "mock-token"
    assert page.evaluate("phases.filter((phase) => phase !== 'live')") == []
    assert sum(isinstance(message, Offer) for message in mock.received) == 1


def test_the_badge_says_poor_while_a_moving_avatar_comes_in_jerks(open_page: Callable[..., Page], mock: MockServer) -> None:
    mock.pause = 0.3
    page = open_page("/view/k", permissions=[])
    page.wait_for_selector("[data-testid=quality]:has-text('Poor')")
    mock.stats = dataclasses.replace(mock.stats, face=False)  # the avatar rests: few pictures are what is wanted
    page.wait_for_selector("[data-testid=quality]:has-text('Excellent'), [data-testid=quality]:has-text('Good')")


def test_the_link_is_copied_with_a_word_on_who_can_open_it(open_page: Callable[..., Page], mock: MockServer) -> None:
    page = open_page("/call/k?autojoin=1", permissions=[*PERSON, "clipboard-read", "clipboard-write"])
    phase(page, "live")
    page.click("[data-testid=copy-link]")
    page.wait_for_selector("[data-testid=toast]:has-text('on this machine only')")
    assert page.evaluate("navigator.clipboard.readText()") == f"{mock.url}/view/k-viewer"
    mock.viewer_url = "http://192.0.2.7:8080/view/k"
    mock.hang_up()
    until(page, lambda: len(mock.hellos()) == 2)
    page.wait_for_timeout(200)
    page.click("[data-testid=copy-link]")
    page.wait_for_selector("[data-testid=toast]:has-text('Whoever opens it can watch and listen')")


def test_without_permission_the_page_explains_and_joins_all_the_same(open_page: Callable[..., Page]) -> None:
    page = open_page("/call/k", permissions=[])
    page.wait_for_selector("[data-testid=trouble]:has-text('blocked')")
    page.click("[data-testid=join]")
    page.wait_for_function(AVATAR_PLAYS)
    page.wait_for_selector("[data-testid=hint]:has-text('the avatar rests')")


def test_held_keys_full_screen_and_less_motion(open_page: Callable[..., Page], mock: MockServer) -> None:
    page = open_page("/call/k?autojoin=1")
    phase(page, "live")
    for key in ("r", "m", "ArrowRight"):
        for _ in range(16):  # without `up` between them the browser marks all but the first as repeated
            page.keyboard.down(key)
        page.keyboard.up(key)
    page.wait_for_selector("[data-testid=mic][aria-label='Unmute microphone']")
    page.keyboard.press("r")
    page.keyboard.press("r")
    until(page, lambda: bool(mock.cameras()) and mock.cameras()[-1].yaw > 1.5)
    assert sum(isinstance(message, Recalibrate) for message in mock.received) == 1

    page.click("[data-testid=fullscreen]")
    page.wait_for_selector("[data-testid=fullscreen][aria-label='Leave full screen'][aria-pressed=true]")
    page.click("[data-testid=fullscreen]")
    page.wait_for_selector("[data-testid=fullscreen][aria-label='Full screen'][aria-pressed=false]")

    page.click("[data-testid=turn]")
    page.wait_for_selector("[data-testid=turn][aria-pressed=true]")
    page.emulate_media(reduced_motion="reduce")
    page.wait_for_selector("[data-testid=turn][aria-pressed=false]")
    yaw = page.get_attribute("[data-testid=stage]", "data-yaw")
    page.wait_for_timeout(200)
    assert page.get_attribute("[data-testid=stage]", "data-yaw") == yaw


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
    page.wait_for_selector("[data-testid=viewers]")
    for width, height in ((320, 640), (360, 740), (390, 844), (844, 390)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate(CUT_OFF) == [], f"{width} x {height}"
    page.reload()
    page.wait_for_selector("[data-testid=mic][aria-label='Unmute microphone']")
    assert page.get_attribute("[data-testid=stats-panel]", "data-mode") == "full"
