"""What a browser shows of a server that is stopped in good order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from server.call.room import RESTARTS
from tests.client_web.browser import announced, by, enter, phase
from tests.client_web.conftest import CLIENT, DEVICES, built_page, chromium
from tests.server.call.serving import Running, in_thread, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(240)]
__all__ = ["built_page", "chromium"]


@pytest.fixture
def server(built_page: None) -> Iterator[Running]:
    with in_thread(running(CLIENT / "dist", host="127.0.0.1")) as running_server:
        yield running_server


def test_who_is_in_is_told_and_who_comes_waits_and_asks_again(server: Running, chromium: Browser) -> None:
    context = chromium.new_context(permissions=DEVICES, viewport={"width": 360, "height": 740})
    page, late = context.new_page(), context.new_page()
    page.goto(server.addresses.host)
    enter(page)
    late.goto(server.addresses.person)
    phase(late, "lobby")
    assert server.rooms._timer is not None
    server.rooms._timer.get_loop().call_soon_threadsafe(server.rooms.drain, 30.0)
    announced(page, RESTARTS)
    late.fill(by("name"), "Bo")
    late.click(by("join"))
    late.wait_for_selector(f"text={RESTARTS}")
    phase(late, "lobby")
    phase(page, "live")
    context.close()
