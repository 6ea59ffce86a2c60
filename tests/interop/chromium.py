"""Drives Debian's Chromium with playwright, in the test's own event loop."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tests.client_web.conftest import FLAGS
from tests.interop.probe import WATCH

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

CALL_FLAGS = [
    *(flag for flag in FLAGS if "Mdns" not in flag),
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--ignore-certificate-errors",
]


class Chromium:
    """A running Chromium."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    @property
    def version(self) -> str:
        """What it calls itself."""
        return self._browser.version

    @asynccontextmanager
    async def page(self, **options: Any) -> AsyncIterator[ChromiumPage]:
        """A window with nothing remembered, until the block ends. options: of `WATCH`."""
        context = await self._browser.new_context(permissions=["camera", "microphone"])
        await context.add_init_script(f"({WATCH})({json.dumps(options)})")
        try:
            yield ChromiumPage(await context.new_page())
        finally:
            await context.close()


class ChromiumPage:
    """See `BrowserPage`."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def open(self, url: str) -> None:
        """See `BrowserPage`."""
        await self._page.goto(url)

    async def run(self, function: str) -> Any:
        """See `BrowserPage`."""
        return await self._page.evaluate(function)
