"""The page in Chromium, when the connection or the server goes and comes back."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from server.call.protocol import Failure, IceServer, Offer
from tests.client_web.browser import BO, PICTURE_PLAYS, announced, by, enter, phase, until

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.client_web.mock_server import MockServer

pytestmark = pytest.mark.timeout(240)
GATHERING = """{
  const { setLocalDescription } = RTCPeerConnection.prototype;
  RTCPeerConnection.prototype.setLocalDescription = async function (...how) {
    await setLocalDescription.apply(this, how);
    setTimeout(() => { window.gathering = true; });
  };
}"""
"""Says when the page waits for its addresses."""


def test_a_lost_connection_and_a_restart_lead_back_to_the_same_seat(open_page: Callable[..., Page], mock: MockServer) -> None:
    page = open_page("/room/k")
    page.wait_for_selector(by("join"))
    page.check(by("avatar-cleo"))
    enter(page)
    mock.silent = True
    mock.drop()
    page.wait_for_selector(by("toast", "Reconnecting"))
    announced(page, "Reconnecting")
    page.wait_for_selector(by("quality", "Lost"))
    until(page, lambda: len(mock.hellos()) >= 2)
    page.wait_for_timeout(1_000)  # a younger attempt is not begun anew
    tried, mock.silent = len(mock.hellos()), False
    page.focus(f"{by('toast')} {by('try-now')}")
    page.keyboard.press("Enter")
    until(page, lambda: len(mock.hellos()) > tried)
    phase(page, "live")
    page.wait_for_function(PICTURE_PLAYS)
    page.wait_for_selector(by("try-now"), state="hidden")
    page.wait_for_selector(".scene:focus")  # the focus is not lost with the button
    assert mock.hellos()[-1].resume == "mock-token"
    assert len(mock.joins()) == 1, "the server knew the seat"
    page.click(by("camera"))
    until(page, lambda: not mock.own.camera)

    mock.knows_seats = False  # as after a restart
    mock.drop()
    until(page, lambda: len(mock.joins()) == 2)
    phase(page, "live")
    again = mock.joins()[-1]
    assert (again.name, again.avatar, again.order, again.watch) == ("Ada", "cleo", 4, False)
    page.wait_for_selector(by("toast", "Connected again"))
    until(page, lambda: mock.types()[-4:] == ["Hello", "Join", "Offer", "Presence"])  # the camera is still off


def test_a_page_that_crashed_finds_back_into_its_seat(open_page: Callable[..., Page], mock: MockServer) -> None:
    seat = {"resume": "mock-token", "order": 4, "entry": {"name": "Ada", "avatar": "cleo", "watch": False}}
    store = f"sessionStorage.setItem('visavis.seat', JSON.stringify({json.dumps({'room': 'k', 'seat': seat})}))"
    mock.own = replace(mock.own, name="Ada")
    page = open_page("/room/k", script=store)
    phase(page, "live")
    assert mock.hellos()[0].resume == "mock-token" and mock.joins() == []
    mock.knows_seats = False
    page.reload()  # a goodbye: the seat is given up, and the lobby comes
    page.wait_for_selector("[data-testid=join]:enabled")


def test_a_restart_of_a_server_that_is_full_leads_to_the_lobby(open_page: Callable[..., Page], mock: MockServer) -> None:
    page = open_page("/room/x-person?autojoin=1")
    phase(page, "live")
    mock.knows_seats = False
    mock.refusal = Failure("full", "All seats are taken.", final=False, may_watch=True)
    mock.drop()
    page.wait_for_selector(by("refusal", "All seats are taken"))
    mock.refusal = None
    page.click(by("join"))
    phase(page, "live")
    assert mock.joins()[-1].order == 4


def test_a_socket_that_closes_does_not_end_the_media(open_page: Callable[..., Page], mock: MockServer) -> None:
    mock.others = [BO]
    page = open_page("/room/x-viewer?autojoin=1", permissions=[])
    page.wait_for_function(PICTURE_PLAYS)
    page.evaluate("""() => {
      window.phases = [];
      new MutationObserver(() => phases.push(document.documentElement.dataset.phase))
        .observe(document.documentElement, { attributeFilter: ["data-phase"] });
    }""")
    mock.others = []
    mock.hang_up()
    page.wait_for_selector(by("hint", "Everybody has left the room"))
    assert mock.hellos()[-1].keep_media and mock.hellos()[-1].resume == "mock-token"
    assert page.evaluate("phases.filter((phase) => phase !== 'live')") == []
    assert sum(isinstance(message, Offer) for message in mock.received) == 1


def test_media_that_are_blocked_are_told_from_a_server_that_is_away(open_page: Callable[..., Page], mock: MockServer) -> None:
    mock.silent = mock.blocked = True
    page = open_page("/room/x-viewer?autojoin=1", permissions=[], clock=True)
    until(page, lambda: len(mock.hellos()) == 1)
    assert not page.is_visible(by("try-now"))
    page.clock.fast_forward(5_000)
    page.wait_for_selector(by("cover", "has not answered yet"))
    mock.silent = mock.accepting = False
    page.click(by("try-now"))
    page.wait_for_selector(by("cover", "The server cannot be reached. Trying again"))
    mock.accepting = True
    until(page, lambda: any(isinstance(message, Offer) for message in mock.received))
    page.wait_for_timeout(500)
    assert "cannot be reached" not in page.inner_text(by("cover"))
    page.clock.fast_forward(5_000)
    page.wait_for_selector(by("cover", "a firewall may block UDP"))
    phase(page, "connecting")
    mock.blocked = False
    page.click(by("try-now"))
    phase(page, "live")


def test_an_offer_waits_for_a_slow_relay_but_not_for_ever(open_page: Callable[..., Page], mock: MockServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"turn:127.0.0.1:{silent.getsockname()[1]}?transport=tcp"
        mock.ice_servers = [IceServer([address], "user", "secret")]
        page = open_page("/room/x-viewer?autojoin=1", permissions=[], clock=True, script=GATHERING)
        page.wait_for_selector(by("cover"))
        until(page, lambda: mock.types() == ["Hello", "Join"])
        page.wait_for_function("() => window.gathering")
        page.clock.fast_forward(2_500)
        page.wait_for_timeout(300)
        assert mock.types() == ["Hello", "Join"]
        page.clock.fast_forward(3_500)
        phase(page, "live")
        assert mock.types() == ["Hello", "Join", "Offer"]


def test_a_picture_that_does_not_come_is_explained_and_asked_for_again(open_page: Callable[..., Page], mock: MockServer) -> None:
    def wait_in_vain() -> None:
        phase(page, "live")
        for _ in range(4):  # between two pings
            page.wait_for_timeout(100)
            page.clock.fast_forward(2_000)

    mock.others, mock.pause = [BO], 3_600.0
    page = open_page("/room/x-viewer?autojoin=1", permissions=[], clock=True)
    page.wait_for_selector(by("cover", "Waiting for the picture"))
    assert not page.is_visible(by("try-now"))
    wait_in_vain()
    page.wait_for_selector(by("cover", "the server sends the picture, but it does not arrive"))
    mock.pause = 0.1
    page.click(by("try-now"))
    page.wait_for_function(PICTURE_PLAYS)
    page.wait_for_selector(by("cover"), state="hidden")

    mock.pause = 3_600.0  # and the last picture stays when the next connection brings none
    mock.drop()
    page.wait_for_selector(by("toast", "Connected again"))
    wait_in_vain()
    page.wait_for_selector(by("toast", "it does not arrive"))
    mock.pause = 0.1
    page.click(f"{by('toast')} {by('try-now')}")
    page.wait_for_function(PICTURE_PLAYS)
    page.wait_for_selector(by("toast", "does not arrive"), state="hidden")


def test_the_host_can_mute_and_remove_this_page(open_page: Callable[..., Page], mock: MockServer) -> None:
    page = open_page("/room/x-person?autojoin=1")
    phase(page, "live")
    mock.own = replace(mock.own, muted=True)

    def is_told() -> bool:
        """For a second or two the room's word may be older than the page's own, and is not taken."""
        mock.tell_room()
        return page.is_visible(by("toast", "The host has muted your microphone"))

    until(page, is_told)
    page.wait_for_selector("[data-testid=mic][aria-label='Unmute microphone']")
    page.click(by("mic"))
    until(page, lambda: not mock.own.muted)
    mock.tell(Failure("not_allowed", "Only the host may do that; ask the host.", final=False))
    page.wait_for_selector(by("toast", "Only the host may do that"))
    mock.tell(Failure("removed", "The host has removed you from the room."))
    page.wait_for_selector(by("failure", "The call has ended"))
    page.reload()
    until(page, lambda: len(mock.hellos()) == 2)
    assert mock.hellos()[-1].resume == "", "the seat is forgotten"


def test_the_badge_says_what_one_sees(open_page: Callable[..., Page], mock: MockServer) -> None:
    mock.others = [BO]
    mock.pause = 0.3
    page = open_page("/room/x-viewer?autojoin=1", permissions=[])
    page.wait_for_selector(by("quality", "Poor"))
    announced(page, "The connection is poor.")
    mock.others = [replace(BO, camera=False)]  # the avatar rests: few pictures are what is wanted
    mock.tell_room()
    page.wait_for_selector(by("quality", "Good"))
    mock.stats = replace(mock.stats, ready=False)
    page.wait_for_selector(by("quality", "Starting"))
