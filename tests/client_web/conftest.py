"""The built page, a mock server and a Chromium with a drawn webcam. Where one is missing, its tests are skipped."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

    from tests.client_web.mock_server import MockServer

CLIENT = Path(__file__).resolve().parents[2] / "client_web"
CHROMIUM = Path("/usr/bin/chromium")
SHELL = Path("/usr/bin/chromium-headless-shell")
"""The same engine without a desktop's windows: a page costs less than half. It knows no permissions: whoever asks is given camera
and microphone."""
DEVICES = ["camera", "microphone"]
"""Permissions of a participant's page."""
DENIED = (
    """navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("Permission denied", "NotAllowedError"); };"""
)
"""As a page finds its devices on a desktop without permission, where that is only one of many states."""
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream=fps=5",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--host-resolver-rules=MAP insecure.test 127.0.0.1",  # a page over plain http from elsewhere
]


def launching(flags: Sequence[str] = FLAGS) -> dict[str, Any]:
    """How playwright launches what is there: the shell, which gives camera and microphone, else Chromium."""
    if SHELL.exists():
        return {"executable_path": SHELL, "args": [*flags, "--use-fake-ui-for-media-stream"]}
    return {"executable_path": CHROMIUM, "args": flags}


@pytest.fixture(scope="session")
def built_page() -> None:
    """Builds client_web when its sources are newer than the last build."""
    index = CLIENT / "dist" / "index.html"
    sources = [CLIENT / "index.html", *(CLIENT / "src").rglob("*")]
    if index.exists() and index.stat().st_mtime >= max(path.stat().st_mtime for path in sources):
        return
    if shutil.which("npm") is None or not (CLIENT / "node_modules").is_dir():
        pytest.skip("the page is not built: run `npm ci && npm run build` in client_web")
    subprocess.run(["npm", "run", "build"], cwd=CLIENT, check=True, capture_output=True)


@pytest.fixture(scope="module")  # playwright keeps an event loop running, which tests with loops of their own cannot have
def chromium() -> Iterator[object]:
    """A Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launching())
        yield browser
        browser.close()


@pytest.fixture
def mock(built_page: None) -> Iterator[object]:
    pytest.importorskip("aiortc")
    from tests.client_web.mock_server import running

    with running() as server:
        server.pause = 0.1  # pictures cost more than all else here, and few tests are about them
        yield server


@pytest.fixture
def open_page(chromium: Browser, mock: MockServer) -> Iterator[Callable[..., Page]]:
    """open_page(path, permissions, **context options): a page in a context of its own. The test fails on script errors and on
    breaches of the content security policy. clock: time can be put forward. denied: camera and microphone are given to nobody
    without `permissions`, as on a desktop."""
    opened: list[BrowserContext | Browser] = []
    errors: list[str] = []

    def open_(
        path: str, permissions: list[str] = DEVICES, script: str = "", clock: bool = False, denied: bool = False, **options: Any
    ) -> Page:
        browser = chromium
        if denied:
            browser = chromium.browser_type.launch(executable_path=CHROMIUM, args=FLAGS)
            opened.append(browser)
        context = browser.new_context(permissions=permissions, **options)
        context.set_default_timeout(60_000)
        opened.append(context)
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
    for one in reversed(opened):
        one.close()
    assert errors == []
