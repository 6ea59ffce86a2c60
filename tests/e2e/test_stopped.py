"""A page that plays, and then nothing comes any more: it says so in seconds, with a reason, and comes back by itself."""

from __future__ import annotations

import pytest

from tests.client_web.browser import MEASURED
from tests.client_web.conftest import CHROMIUM, built_page, launching
from tests.network.bottleneck import Line
from tests.network.call import stamped_call
from tests.network.relay import RelayThread, is_media

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
__all__ = ["built_page"]

MOVES = """() => {
  const video = document.querySelector('[data-testid=avatar]');
  const frames = video?.getVideoPlaybackQuality().totalVideoFrames ?? 0;
  const before = window.framesBefore ?? frames;
  window.framesBefore = frames;
  return document.documentElement.dataset.phase === 'live' && frames > before;
}"""
TOAST = "[data-testid=toast]:not([hidden])"


def test_a_line_that_goes_while_the_socket_lives_is_told_of_and_mended(built_page: None) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with stamped_call() as server, RelayThread() as relay, sync_api.sync_playwright() as play:
        browser = play.chromium.launch(**launching())
        page = browser.new_context(bypass_csp=True).new_page()
        page.set_default_timeout(60_000)
        relay.route(page)
        page.goto(server.addresses.viewer + "?autojoin=1")
        page.wait_for_function(MOVES)
        page.wait_for_function(MEASURED)

        relay.relay.drops = is_media  # the data channel goes on
        page.wait_for_selector(f"{TOAST}:has-text('The picture has stopped')")
        page.wait_for_selector("[data-testid=quality]:has-text('Stopped')")
        page.wait_for_selector(f"{TOAST} [data-testid=try-now]")  # there is a way out
        relay.relay.drops = lambda _: False
        page.wait_for_function(MOVES)
        page.wait_for_selector(f"{TOAST}:has-text('has stopped')", state="hidden")

        relay.relay.down.line = Line(loss=1.0)
        page.wait_for_selector(f"{TOAST}:has-text('nothing comes from the server')")
        page.wait_for_selector(f"{TOAST}:has-text('Reconnecting')")
        relay.relay.down.line = Line()
        page.wait_for_function(MOVES)
        browser.close()
