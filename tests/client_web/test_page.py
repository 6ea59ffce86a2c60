"""The built page in Chromium against the mock server: coming in, being there, going."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from realtime.room.layout import MAX_DISTANCE, MAX_PITCH, MIN_DISTANCE
from server.call.protocol import Bye, Failure, Join, Recalibrate
from tests.client_web.browser import BO, CLEO, PICTURE_PLAYS, announced, by, enter, holds, phase, plates, until
from tests.client_web.conftest import DEVICES

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.client_web.mock_server import MockServer

pytestmark = pytest.mark.timeout(240)


def test_a_host_comes_in_meets_people_and_ends_the_room(open_page: Callable[..., Page], mock: MockServer) -> None:
    page = open_page("/room/secret-host")
    page.wait_for_selector("[data-testid=lobby-preview]:not([hidden])")
    page.fill(by("name"), "Ada")
    page.check(by("avatar-bo"))
    page.keyboard.press("Enter")
    page.wait_for_function(PICTURE_PLAYS)
    assert mock.hellos()[0].key == "secret-host"
    assert mock.joins() == [Join("Ada", "bo", False, -1, False)]
    assert mock.types() == ["Hello", "Join", "Offer"], "the server knows microphone and camera from the join"
    until(page, lambda: plates(page) == ["Ada (you)"])
    page.wait_for_selector(by("hint", "Nobody else is here yet"))

    mock.others = [BO, CLEO]
    mock.tell_room()
    announced(page, "Bo joined. Cleo joined.")
    until(page, lambda: sorted(plates(page)) == ["Bo", "Cleo"])
    until(page, lambda: page.locator(".plate.is-muted").all_inner_texts() == ["Cleo"])
    mock.speaking = [7]
    page.wait_for_selector(".plate.is-speaking:has-text('Bo')")
    announced(page, "Bo speaks.")

    page.click(by("people-button", "3 people, 3 watching"))
    assert page.inner_text(by("person-1")).split("\n") == ["A", "Ada", "you, host"]
    page.wait_for_selector(by("person-7", "speaking"))
    assert page.is_disabled(by("mute-8")), "is muted already"
    page.click(by("mute-7"))
    page.wait_for_selector(by("person-7", "muted"))
    announced(page, "Bo is muted.")
    page.click(by("remove-8"))
    page.click(by("confirm-no"))
    page.click(by("remove-8"))
    page.click(by("confirm-yes"))
    announced(page, "Cleo left.")
    page.wait_for_selector(by("person-8"), state="detached")
    page.click(by("lock"))
    page.wait_for_selector(by("locked"))
    page.click(by("lock", "Unlock the room"))
    page.wait_for_selector(by("locked"), state="hidden")
    page.click(by("end"))
    page.click(by("confirm-yes"))
    page.wait_for_selector(by("failure-text", "The host has ended the meeting."))
    assert mock.moderated() == [("mute", 7), ("remove", 8), ("lock", -1), ("unlock", -1), ("end", -1)]


def test_a_person_looks_around_sits_down_and_leaves(open_page: Callable[..., Page], mock: MockServer) -> None:
    mock.others = [BO, CLEO]
    page = open_page("/room/x-person")
    enter(page)
    page.wait_for_function(PICTURE_PLAYS)
    until(page, lambda: len(mock.cameras()) == 1 and len(plates(page)) == 2)
    assert not mock.cameras()[0].orbit
    assert page.is_disabled(by("sit"))

    box = page.locator(".plate:has-text('Bo')").bounding_box()
    assert box is not None
    page.mouse.dblclick(box["x"] + box["width"] / 2, box["y"] - 40)
    until(page, lambda: (mock.cameras()[-1].focus, mock.cameras()[-1].orbit) == (7, False) and plates(page) == ["Bo"])
    announced(page, "Looking at Bo.")
    page.mouse.move(600, 300)
    page.mouse.down()
    page.mouse.move(700, 320, steps=20)
    page.mouse.up()
    until(page, lambda: mock.cameras()[-1].orbit and mock.cameras()[-1].focus == 7 and mock.cameras()[-1].yaw < -0.3)
    page.mouse.wheel(0, -300)
    until(page, lambda: mock.cameras()[-1].distance < 0.75)
    assert all(abs(c.pitch) <= MAX_PITCH and MIN_DISTANCE <= c.distance <= MAX_DISTANCE for c in mock.cameras())
    page.click(by("sit"))
    until(page, lambda: (mock.cameras()[-1].focus, mock.cameras()[-1].orbit) == (-1, False) and len(plates(page)) == 2)

    page.keyboard.press("p")
    assert not page.is_visible(by("mute-7")) and not page.is_visible(by("end")), "only a host may"
    page.click(by("look-8"))
    page.wait_for_selector("[data-testid=look-8][aria-pressed=true]")
    until(page, lambda: mock.cameras()[-1].focus == 8)
    mock.others = [BO]
    mock.tell_room()
    until(page, lambda: mock.cameras()[-1].focus == -1)
    page.keyboard.press("Escape")
    page.wait_for_selector(by("people"), state="hidden")

    page.click(by("relax"))
    until(page, lambda: any(isinstance(message, Recalibrate) for message in mock.received))
    page.wait_for_selector(by("hint", "relaxed"))
    mock.stats = replace(mock.stats, face=False)
    page.wait_for_selector(by("hint", "We cannot see your face"))
    mock.own = replace(mock.own, seated=False)
    mock.tell_room()
    page.wait_for_selector(by("hint", "Your avatar is loading"))

    page.click(by("leave"))
    phase(page, "left")
    until(page, lambda: isinstance(mock.received[-1], Bye))
    page.click(by("join-again"))
    page.wait_for_selector(by("join"))
    holds(page, "name", "Ada")


def test_a_viewer_watches_and_hears_after_one_click_and_gives_nothing(open_page: Callable[..., Page], mock: MockServer) -> None:
    mock.others = [BO, CLEO]
    asked = "window.asked = 0; if (navigator.mediaDevices) navigator.mediaDevices.getUserMedia = () => Promise.reject(asked++);"
    page = open_page("/room/x-viewer", permissions=[], script=asked)
    page.click(by("watch"))
    page.wait_for_function(PICTURE_PLAYS)
    assert page.is_visible(by("synthetic")) and page.inner_text(by("synthetic")) == "AI-generated avatars"
    assert mock.joins() == [Join(watch=True)]
    assert page.evaluate("asked") == 0
    assert not page.is_visible(by("camera")) and not page.is_visible(by("invite-button"))
    page.wait_for_selector("[data-testid=sound][aria-label='Mute sound']")
    page.keyboard.press("m")
    page.wait_for_selector("[data-testid=sound][aria-label='Unmute sound']")
    until(page, lambda: len(plates(page)) == 2)
    mock.others = []
    mock.tell_room()
    page.wait_for_selector(by("hint", "Everybody has left the room"))
    page.goto("about:blank")
    until(page, lambda: isinstance(mock.received[-1], Bye)), "closing the page frees its place"


def test_a_page_that_is_refused_can_watch_wait_or_choose_again(open_page: Callable[..., Page], mock: MockServer) -> None:
    page = open_page("/room/x-person")
    page.wait_for_selector(by("join"))
    for code, sentence in (
        ("busy", "One more would stutter."),
        ("avatar", "Choose an avatar."),
        ("full", "All seats are taken."),
    ):
        mock.refusal = Failure(code, sentence, final=False, may_watch=code == "full")
        page.click(by("join"))
        page.wait_for_selector(by("refusal", sentence))
        page.wait_for_selector("[data-testid=join]:enabled:has-text('Join')")
    page.click(by("watch-instead"))
    phase(page, "live")
    assert mock.joins()[-1].watch
    assert not page.is_visible(by("mic"))

    page.click(by("leave"))
    page.click(by("join-again"))
    mock.refusal = Failure("locked", "The host has locked the room; ask to be let in.", final=False, retry_after=60.0)
    page.click(by("join"))
    page.wait_for_selector(by("join", "Waiting for a place"))
    page.click(by("stop-waiting"))
    page.wait_for_selector("[data-testid=join]:enabled:has-text('Join')")
    page.click(by("join"))
    page.wait_for_selector(by("join", "Waiting for a place"))
    mock.refusal = None
    page.click(by("try-now"))
    phase(page, "live")


def test_a_wrong_link_says_so_and_can_be_tried_again(open_page: Callable[..., Page], mock: MockServer) -> None:
    mock.failure = Failure("not_found", "there is no room at this address; ask for a new link")
    page = open_page("/room/k?autojoin=1")
    page.wait_for_selector(by("failure", "You could not join the call"))
    assert page.inner_text(by("failure-text")) == "There is no room at this address; ask for a new link."
    page.wait_for_timeout(400)
    assert len(mock.hellos()) == 1
    mock.failure = None
    page.click(by("try-again"))
    phase(page, "live")


def test_links_are_copied_with_a_word_on_who_can_open_them(open_page: Callable[..., Page], mock: MockServer) -> None:
    page = open_page("/room/k?autojoin=1", permissions=[*DEVICES, "clipboard-read", "clipboard-write"])
    phase(page, "live")
    page.keyboard.press("i")
    page.wait_for_selector(by("invite", "on this machine only"))
    page.click(by("copy-person"))
    page.wait_for_selector(by("copy-outcome", "copied"))
    assert page.evaluate("navigator.clipboard.readText()") == f"{mock.url}/room/x-person"
    page.keyboard.press("Escape")
    mock.links = ("https://example.org/room/p", "https://example.org/room/v")
    mock.hang_up()
    until(page, lambda: len(mock.hellos()) == 2)

    def are_new() -> bool:
        page.click(by("invite-button"))
        if "can join with an avatar" in page.inner_text(by("invite")):
            return True
        page.keyboard.press("Escape")
        return False

    until(page, are_new)
    page.click(by("copy-viewer"))
    page.wait_for_selector(by("copy-viewer", "Copied"))
    assert page.evaluate("navigator.clipboard.readText()") == "https://example.org/room/v"


def test_without_permission_the_page_explains_and_joins_all_the_same(open_page: Callable[..., Page], mock: MockServer) -> None:
    page = open_page("/room/k", permissions=[], denied=True)
    page.wait_for_selector(by("trouble", "blocked"))
    enter(page)
    page.wait_for_function(PICTURE_PLAYS)
    page.wait_for_selector(by("hint", "your avatar rests"))
    assert mock.joins()[0].muted
    until(page, lambda: not mock.own.camera and mock.own.muted)
    assert mock.types()[:4] == ["Hello", "Join", "Offer", "Presence"]


def test_a_page_over_plain_http_says_how_to_get_a_camera_and_joins_without(
    open_page: Callable[..., Page], mock: MockServer
) -> None:
    page = open_page("/room/k", permissions=[])
    page.goto(mock.url.replace("127.0.0.1", "insecure.test") + "/room/k")
    page.wait_for_selector(by("trouble", "start the server with --tls and open its https address"))
    page.wait_for_selector("[data-testid=watch]:enabled")
    assert page.locator(f"{by('trouble')} p").count() == 2, "one reason and what is possible all the same"
    assert not page.is_visible(by("ask-again"))
    enter(page)
    page.wait_for_function(PICTURE_PLAYS)
    assert mock.joins()[0].muted


def test_a_server_without_avatars_can_be_watched(open_page: Callable[..., Page], mock: MockServer) -> None:
    mock.avatars = []
    page = open_page("/room/k")
    page.wait_for_selector(by("no-avatars", "has no avatar yet"))
    assert page.is_disabled(by("join"))
    page.click(by("watch"))
    phase(page, "live")
