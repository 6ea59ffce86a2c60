"""The connection test in a real browser, against the real server: where all is well, where UDP is blocked, and with relays."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aioice.ice import get_host_addresses

from server.call.protocol import IceServer
from tests.client_web.browser import announced, by
from tests.client_web.browser import until as until_page
from tests.client_web.conftest import CLIENT, DEVICES, built_page, chromium
from tests.client_web.test_page_access import AXE, VIOLATIONS
from tests.network.bottleneck import Line
from tests.network.relay import Relay, RelayThread
from tests.network.turn import TurnServer, turn_server
from tests.server.call.serving import Running, in_thread, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(240)]
__all__ = ["built_page", "chromium"]

DEAD_RELAY = IceServer(["turn:127.0.0.1:9?transport=tcp"], "user", "secret-credential")
BLOCKED = Line(loss=1.0)
HERE = next(iter(get_host_addresses(True, False)), "")
"""An address of this machine that is not its own alone: to that, the server sends packets."""


@contextmanager
def serving(ice: Callable[[TurnServer], tuple[IceServer, ...]] = lambda _: (), **settings: Any) -> Iterator[Running]:
    """The real server with flat pictures and a TURN server beside it, on a thread of their own. ice: what pages are told."""

    @asynccontextmanager
    async def both() -> AsyncIterator[Running]:
        async with (
            turn_server(HERE or "127.0.0.1") as turn,
            running(CLIENT / "dist", ice_servers=ice(turn), **settings) as server,
        ):
            yield server

    with in_thread(both()) as server:
        yield server


class _Firewall(Relay):
    """No UDP between page and server; what a TURN server relays does not come here."""

    async def offer(self, sdp: str) -> str:
        relayed = "\r\n".join(line for line in sdp.split("\r\n") if not line.startswith("a=candidate:") or " typ relay" in line)
        return relayed if " typ relay" in relayed else await super().offer(sdp)


class Firewall(RelayThread):
    async def _made(self) -> Relay:
        return await _Firewall(up=BLOCKED, down=BLOCKED).__aenter__()


@pytest.fixture(scope="module")
def server(built_page: None) -> Iterator[Running]:
    with serving(host="0.0.0.0") as running_server:
        yield running_server


@pytest.fixture(scope="module")
def server_with_relays(built_page: None) -> Iterator[Running]:
    """Its first relay works, the second does not take its user, nobody listens at the third."""
    with serving(lambda turn: (turn.ice("tcp"), turn.ice("udp", "wrong"), DEAD_RELAY)) as running_server:
        yield running_server


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """opened(address, firewall, permissions): the page whose connection test has begun."""
    contexts, errors = [], []

    def open_(address: str, firewall: RelayThread | None = None, permissions: list[str] = DEVICES) -> Page:
        context = chromium.new_context(
            permissions=permissions, bypass_csp=firewall is not None, viewport={"width": 390, "height": 844}
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if "Content Security Policy" in line.text else None)
        if firewall is not None:
            firewall.route(page)
        page.goto(address.replace("/room/", "/connection-test/"))
        return page

    yield open_
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def tested(opened: Callable[..., Page]) -> Callable[..., Page]:
    """As `opened`, when the test is over."""
    return lambda *args, **named: finished(opened(*args, **named))


def finished(page: Page) -> Page:
    page.wait_for_selector("html[data-phase=tested]", timeout=120_000)
    return page


def states(page: Page) -> list[str]:
    """What each check came to."""
    return [str(row.get_attribute("data-state")) for row in page.locator(".check").all()]


def summary(page: Page) -> str:
    return page.inner_text(by("summary"))


def test_all_is_well_and_the_page_is_for_everybody(server: Running, tested: Callable[..., Page]) -> None:
    page = tested(server.addresses.host)
    assert states(page) == ["passed"] * 7 and summary(page) == "Your calls will work."
    announced(page, "Your calls will work.")
    assert page.evaluate("() => document.querySelector('.test').scrollWidth <= innerWidth")
    page.context.grant_permissions([*DEVICES, "clipboard-read", "clipboard-write"])
    page.focus("h1")
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(by("copy-outcome", "copied"))
    report = page.evaluate("() => navigator.clipboard.readText()")
    assert "[Works] Receiving: A picture of 128" in report and server.key("host") not in report
    if AXE.exists():
        page.evaluate(AXE.read_text())
        assert page.evaluate(VIOLATIONS, {}) == []
    page.click(by("run-again"))
    page.wait_for_selector("html[data-phase=testing]")
    page.click(by("back"))
    page.wait_for_selector(by("join"))
    page.click(by("test-link"))
    page.wait_for_selector(by("summary"))
    page.wait_for_url(f"**/connection-test/{server.key('host')}")


def test_a_viewer_is_asked_for_no_device_and_leaves_no_trace(server: Running, tested: Callable[..., Page]) -> None:
    page = tested(server.addresses.viewer, permissions=[])
    assert states(page) == [
        "passed" if server.addresses.only_here else "untested",
        "passed",
        "untested",
        "untested",
        "passed",
        "passed",
        "passed",
    ]
    until_page(page, lambda: server.room.is_empty)
    page.route_web_socket(re.compile(r"/ws$"), lambda _: None)
    page.click(by("back"))
    page.wait_for_selector(f"{by('cover')} {by('test-link')}", state="attached")


def test_blocked_udp_is_said_with_the_cure_and_a_relay_goes_around_it(
    server: Running, server_with_relays: Running, opened: Callable[..., Page]
) -> None:
    with Firewall() as firewall, Firewall() as other:
        page, relayed = opened(server.addresses.host, firewall), opened(server_with_relays.addresses.host, other)
        finished(page)
        finished(relayed)
    assert states(page) == ["passed"] * 4 + ["failed", "untested", "untested"]
    assert summary(page).startswith("Calls will not work yet. No UDP packet gets through") and "UDP ports" in summary(page)
    sentences = [row.inner_text() for row in relayed.locator(by("check-relay")).all()]
    assert "Relay over TCP" in sentences[0] and "password" in sentences[1] and "Nothing answers" in sentences[2]
    assert "secret-credential" not in relayed.content()
    if HERE:
        assert states(relayed) == ["passed"] * 4 + ["failed", "passed", "failed", "failed", "passed", "passed"]
        assert summary(relayed) == "Your calls will work through the relay."


def test_a_page_over_plain_http_says_what_gives_it_a_camera(server: Running, tested: Callable[..., Page]) -> None:
    if server.addresses.only_here:
        pytest.skip("this machine has no address but its own")
    page = tested(server.addresses.person)
    assert states(page)[:5] == ["failed", "passed", "untested", "untested", "passed"]
    assert "camera and microphone. This page came over plain http" in summary(page) and "--tls" in summary(page)
    page.click(by("copy-report"))
    page.wait_for_selector(by("copy-outcome", "by hand"))
    assert "[Fails] Secure page" in page.input_value(by("report"))
