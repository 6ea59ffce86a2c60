"""The page in Chromium by keyboard, on small screens, and as axe-core (WCAG) judges it in every state."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import pytest

from server.call.protocol import Failure, Participant, Recalibrate
from tests.client_web.browser import BO, CLEO, by, enter, focused, phase, until
from tests.client_web.conftest import CLIENT, DENIED
from tests.client_web.drawing import portrait
from tests.client_web.mock_api import DONE, RUNNING, FakeAvatar

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.client_web.mock_server import MockServer

pytestmark = pytest.mark.timeout(240)

AXE = CLIENT / "node_modules" / "axe-core" / "axe.min.js"
VIOLATIONS = """async (rules) => (await axe.run(document, { resultTypes: ["violations"], ...rules })).violations
  .map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => [html.slice(0, 200), failureSummary])])"""

CUT_OFF = """() => [...document.querySelectorAll(".controls button, .header .chip, .people button, .dialog button")]
  .filter((element) => element.checkVisibility())
  .filter((element) => {
    element.scrollIntoView({ block: "nearest" });
    const { left, right, top, bottom } = element.getBoundingClientRect();
    return left < 0 || right > innerWidth || top < 0 || bottom > innerHeight;
  })
  .map((element) => element.dataset.testid)"""
"""What of the controls cannot be brought within the window."""

COVERED = """() => [...document.querySelectorAll(".person")].flatMap((row) => {
  const ends = [...row.querySelectorAll(".person-words, .person-words *")].map((part) => part.getBoundingClientRect().right);
  return [...row.querySelectorAll("button")]
    .filter((button) => button.checkVisibility() && button.getBoundingClientRect().left < Math.max(...ends))
    .map((button) => button.dataset.testid);
})"""
"""Buttons of the list of people that the words beside them run under."""

REPORT = [
    {"topic": "sides", "good": False, "sentence": "the sides were made up", "advice": "record the short clip"},
    {"topic": "light", "good": True, "sentence": "the light is even", "advice": ""},
]
LONG = Participant(9, "Maximiliane Alexandra von Hohenstein-Wol", seated=True, muted=True)
LOOKS: list[tuple[int, int, Literal["light", "dark"], dict[str, Any]]] = [
    (390, 844, "dark", {"runOnly": ["color-contrast", "target-size", "scrollable-region-focusable"]}),
    (1280, 800, "light", {}),
]
"""width, height, colours, and which rules: on the phone what may differ where only colours and places do."""


def axe(page: Page, state: str) -> None:
    """Fails where axe-core finds something."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed: run `npm ci` in client_web")
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    for width, height, scheme, rules in LOOKS:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(50)
        assert page.evaluate(VIOLATIONS, rules) == [], f"{state}, {scheme}"


def test_axe_finds_nothing_in_any_state(open_page: Callable[..., Page], mock: MockServer) -> None:
    page = open_page("/room/host", reduced_motion="reduce")

    def check(state: str) -> None:
        axe(page, state)

    page.wait_for_selector("[data-testid=join]:enabled")
    page.wait_for_selector("[data-testid=video-device]:enabled")
    check("lobby")
    mock.refusal = Failure(
        "locked", "The host has locked the room; ask to be let in.", final=False, retry_after=60.0, may_watch=True
    )
    page.click(by("join"))
    page.wait_for_selector(by("stop-waiting"))
    check("lobby, refused")
    page.click(by("stop-waiting"))
    mock.refusal = None
    mock.others, mock.speaking = [BO, CLEO, LONG], [7]
    enter(page)
    page.wait_for_selector(".plate.is-speaking")
    check("call")
    page.click(by("people-button"))
    check("people")
    page.click(by("remove-7"))
    check("confirmation")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    for key, state in (("i", "invite"), ("b", "background"), ("?", "shortcuts")):
        page.keyboard.press(key)
        check(state)
        page.keyboard.press("Escape")
    page.click(by("devices"))
    check("devices")
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    page.wait_for_selector("[data-testid=stats-panel][data-mode=full]")
    page.keyboard.press("m")
    check("statistics, muted")
    mock.accepting = False
    mock.drop()
    page.wait_for_selector(by("toast", "Reconnecting"))
    check("reconnecting")
    page.click(by("leave"))
    check("ending")
    page.goto(mock.url + "/room/x-viewer")
    page.wait_for_selector(by("try-now"))
    check("door with an error")
    mock.accepting = True
    page.wait_for_selector("[data-testid=watch]:enabled")
    check("viewer's lobby")
    page.click(by("watch"))
    page.wait_for_selector(".plate.is-speaking")
    check("viewer's call")
    mock.tell(Failure("ended", "The host has ended the meeting."))
    page.wait_for_selector(by("failure"))
    check("failure")
    page.context.clear_permissions()
    page.add_init_script(DENIED)
    mock.avatars = []
    page.goto(mock.url + "/room/host")
    page.wait_for_selector(by("trouble"))
    check("lobby without devices and avatars")


def test_axe_finds_nothing_while_an_avatar_is_made(open_page: Callable[..., Page], mock: MockServer, tmp_path: Path) -> None:
    photo = tmp_path / "me.png"
    portrait("Ada").save(photo)
    mock.api.enrolls, mock.api.script, mock.api.notes = True, [RUNNING], ["the hair covers an ear"]
    page = open_page("/room/host", reduced_motion="reduce")
    page.wait_for_selector("[data-testid=video-device]:enabled")
    axe(page, "lobby of a newcomer")
    page.click(by("make-avatar-card"))
    page.wait_for_selector("[data-testid=take-photo][aria-disabled=false]")
    axe(page, "portrait")
    page.click(by("film-instead"))
    page.wait_for_selector("[data-testid=clip-start][aria-disabled=false]")
    axe(page, "clip")
    page.click(by("clip-start"))
    page.wait_for_selector(by("clip-skip"))
    axe(page, "clip is recorded")
    page.click(by("clip-start"))
    page.click(by("clip-photo"))
    page.set_input_files(by("photo-file"), photo)
    page.check(by("who-other"))
    axe(page, "details")
    page.check(by("who-me"))
    page.check(by("agreed"))
    page.click(by("make"))
    page.wait_for_selector(by("progress-words", "Finding the shape"))
    axe(page, "progress")
    page.keyboard.press("Escape")
    axe(page, "lobby meanwhile")
    page.click(by("make-avatar-card"))
    mock.api.made = {"turntable": True, "report": REPORT, "may_improve": True}
    mock.api.script = [DONE]
    page.wait_for_selector("[data-testid=turntable].is-loaded")
    axe(page, "result")
    mock.api.script = [{**RUNNING, "usable": True, "previews": 1}]
    page.click(by("make-better"))
    page.wait_for_selector(by("bettering"))
    axe(page, "a better one is made")
    mock.api.script = [{**RUNNING, "state": "failed", "error": "the disk is full", "usable": True}]
    page.wait_for_selector(by("not-better"))
    axe(page, "no better one")
    mock.api.problem = (422, "no face was found")
    page.click(by("again"))
    page.set_input_files(by("photo-file"), photo)
    page.check(by("agreed"))
    page.click(by("make"))
    page.wait_for_selector(by("making-failed"))
    axe(page, "failure")
    page.keyboard.press("Escape")
    mock.api.avatars.append(FakeAvatar("x", "Another", "guest-1", "failed"))
    page.click(by("manage-avatars"))
    page.wait_for_selector(by("own-erase-x"))
    axe(page, "own avatars")
    page.click(by("own-erase-x"))
    axe(page, "confirmation")
    page.context.clear_permissions()
    page.add_init_script(DENIED)
    page.goto(mock.url + "/room/host")
    page.click(by("make-avatar-card"))
    page.wait_for_selector(by("use-camera"))
    axe(page, "no camera")


def test_an_avatar_is_made_by_keyboard(open_page: Callable[..., Page], mock: MockServer) -> None:
    mock.api.enrolls = True
    mock.api.script = [DONE]
    page = open_page("/room/host")
    page.wait_for_selector("[data-testid=join]:enabled")
    page.focus(by("make-avatar-card"))
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-testid=take-photo][aria-disabled=false]:focus")
    page.keyboard.press("Enter")
    page.wait_for_selector(by("countdown", "3"))
    page.keyboard.press("Enter")
    page.wait_for_selector(by("countdown"), state="hidden")
    page.keyboard.press("Enter")
    focused(page, "agreed")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    focused(page, "use")
    page.keyboard.press("Enter")
    focused(page, "join")


def test_everything_is_within_reach_on_small_screens(open_page: Callable[..., Page], mock: MockServer) -> None:
    mock.others = [BO, LONG]
    mock.locked = True
    page = open_page("/room/host?autojoin=1", viewport={"width": 390, "height": 844}, has_touch=True)
    phase(page, "live")
    page.wait_for_selector(by("people-button"))
    for open_people in (False, True):
        if open_people:
            page.click(by("people-button"))
            page.wait_for_selector(by("person-9"))
        for width, height in ((320, 640), (390, 844), (844, 390), (1280, 800)):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate(CUT_OFF) == [], f"{width} x {height}"
            assert page.evaluate(COVERED) == [], f"{width} x {height}"
    page.set_viewport_size({"width": 390, "height": 844})
    sizes = page.locator(".person-tools button").evaluate_all("(all) => all.map((b) => b.checkVisibility() ? b.offsetWidth : 44)")
    assert min(sizes) >= 44, "as large as a finger"
    page.goto(mock.url + "/room/host")
    page.wait_for_selector(by("join"))
    until(page, lambda: page.locator(by("join")).evaluate("(join) => join.getBoundingClientRect().bottom <= 844"))  # in sight
    mock.api.enrolls = True
    page.reload()
    page.click(by("make-avatar-card"))
    page.wait_for_selector("[data-testid=take-photo][aria-disabled=false]")
    for step in ("photo", "clip"):
        for width, height in ((320, 640), (390, 844), (844, 390), (1280, 800)):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate(CUT_OFF) == [], f"{step}, {width} x {height}"
        if step == "photo":
            page.click(by("film-instead"))
            page.click("[data-testid=clip-start][aria-disabled=false]")


def test_the_call_goes_by_keyboard(open_page: Callable[..., Page], mock: MockServer) -> None:
    mock.others = [BO, CLEO]
    page = open_page("/room/host?autojoin=1")
    phase(page, "live")
    for key in ("r", "m", "ArrowRight"):
        for _ in range(16):  # without `up` between them the browser marks all but the first as repeated
            page.keyboard.down(key)
        page.keyboard.up(key)
    page.wait_for_selector("[data-testid=mic][aria-label='Unmute microphone']")
    page.keyboard.press("r")
    until(page, lambda: bool(mock.cameras()) and mock.cameras()[-1].orbit)
    assert sum(isinstance(message, Recalibrate) for message in mock.received) == 1
    page.keyboard.press("+")
    until(page, lambda: mock.cameras()[-1].distance < 0.9)
    page.keyboard.press("0")
    until(page, lambda: not mock.cameras()[-1].orbit)

    page.keyboard.press("p")
    page.wait_for_selector(":focus:text-is('People')")
    page.focus(by("look-7"))
    page.keyboard.press("Enter")
    until(page, lambda: mock.cameras()[-1].focus == 7)
    page.keyboard.press("Escape")
    focused(page, "people-button")
    page.keyboard.press("Escape")
    until(page, lambda: mock.cameras()[-1].focus == -1)

    page.focus(by("help"))
    page.keyboard.press("Enter")
    page.wait_for_selector(by("shortcuts"))
    page.keyboard.press("s")
    page.keyboard.press("Escape")
    focused(page, "help")
    assert page.get_attribute(by("stats-panel"), "data-mode") == "small", "no key reaches through a dialog"
    page.keyboard.press("s")
    page.wait_for_selector("[data-stat=Resolution]:has-text('512')")
    page.reload()
    phase(page, "live")
    page.wait_for_selector("[data-testid=stats-panel][data-mode=full]")  # the browser remembers


def test_full_screen_and_less_motion(open_page: Callable[..., Page], mock: MockServer) -> None:
    page = open_page("/room/k?autojoin=1")
    phase(page, "live")
    page.click(by("fullscreen"))
    page.wait_for_selector("[data-testid=fullscreen][aria-label='Leave full screen'][aria-pressed=true]")
    page.click(by("fullscreen"))
    page.wait_for_selector("[data-testid=fullscreen][aria-label='Full screen'][aria-pressed=false]")
    page.click(by("turn"))
    page.wait_for_selector("[data-testid=turn][aria-pressed=true]")
    page.emulate_media(reduced_motion="reduce")
    page.wait_for_selector("[data-testid=turn][aria-pressed=false]")
    yaw = page.get_attribute(by("stage"), "data-yaw")
    page.wait_for_timeout(200)
    assert page.get_attribute(by("stage"), "data-yaw") == yaw
