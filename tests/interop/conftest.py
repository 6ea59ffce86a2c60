"""WebRTC that is not ours: Chromium, Firefox, werift, and a TURN server. What is not installed is skipped, in words."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.client_web.conftest import CHROMIUM, built_page
from tests.interop import firefox as firefox_bidi
from tests.interop.chromium import CALL_FLAGS, Chromium

__all__ = ["built_page"]


@pytest_asyncio.fixture
async def chromium_pages(request: pytest.FixtureRequest) -> AsyncIterator[Chromium]:
    """A Chromium with a fake camera and microphone."""
    api = pytest.importorskip("playwright.async_api", reason="playwright, which drives Chromium, is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed (apt-get install chromium): nothing was tried with Chromium")
    request.getfixturevalue("built_page")
    async with api.async_playwright() as playwright:
        yield Chromium(await playwright.chromium.launch(executable_path=str(CHROMIUM), args=CALL_FLAGS))


@pytest_asyncio.fixture
async def firefox(request: pytest.FixtureRequest) -> AsyncIterator[firefox_bidi.Firefox]:
    """A Firefox with a fake camera and microphone."""
    if firefox_bidi.FIREFOX is None:
        pytest.skip("Firefox is not installed (apt-get install firefox-esr): nothing was tried with Firefox")
    request.getfixturevalue("built_page")
    async with firefox_bidi.firefox() as running:
        yield running


@pytest_asyncio.fixture
async def drawing_firefox(request: pytest.FixtureRequest) -> AsyncIterator[firefox_bidi.Firefox]:
    """A Firefox with WebGL, on a display that nobody sees."""
    if firefox_bidi.FIREFOX is None or firefox_bidi.XVFB is None:
        pytest.skip("Firefox or Xvfb is not installed (apt-get install firefox-esr xvfb): nothing was drawn with Firefox")
    request.getfixturevalue("built_page")
    async with firefox_bidi.screen() as display, firefox_bidi.firefox(display) as running:
        yield running
