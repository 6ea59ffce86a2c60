"""The same call with headless Chromium on the same machine: how many avatar pictures a second its page shows.

Chromium encodes the webcam, decodes the avatar and paints the page on the very cores that track and render, so this is the
hardest case. Needs `playwright` (the `dev` extra) and an installed Chromium.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.errors import MissingPartError
from server.benchmarks.webcam_clip import Clip, load_clip, own_clip

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
)  # fmt: skip
SIZE, WINDOW = (640, 480), (1280, 720)
"""Pixels: of the webcam's pictures, and of the page."""
WARM_UP_MS = 6000
COUNT = """(milliseconds) => new Promise((done) => {
  const video = document.querySelector('[data-testid=avatar]');
  let shown = 0;
  const start = performance.now();
  const next = () => {
    shown += 1;
    if (performance.now() - start < milliseconds) video.requestVideoFrameCallback(next);
  };
  video.requestVideoFrameCallback(next);
  setTimeout(() => done(1000 * shown / (performance.now() - start)), milliseconds);
})"""


def bench_browser(avatar_path: str | Path, clip: Clip | None = None, seconds: float = 10.0) -> dict[str, Any]:
    """Join a call as a person in headless Chromium. clip: as `bench_live`. Returns shown_fps: pictures a second that the
    page painted; picture: width x height that came; seconds. Raises `MissingPartError` without playwright or Chromium."""
    frames = load_clip(own_clip(avatar_path, SIZE) if clip is None else clip, SIZE)
    with calling(Path(avatar_path), map(_jpeg, frames)) as page:
        page.wait_for_timeout(WARM_UP_MS)
        shown = page.evaluate(COUNT, seconds * 1000)
        size = page.evaluate("() => { const v = document.querySelector('[data-testid=avatar]'); "
                             "return `${v.videoWidth}x${v.videoHeight}`; }")  # fmt: skip
    return {"shown_fps": float(shown), "picture": size, "seconds": seconds}


@contextmanager
def calling(
    avatar_path: Path, webcam: Iterable[bytes], script: str = "", flags: Sequence[str] = FLAGS, window: tuple[int, int] = WINDOW
) -> Iterator[Page]:
    """A page that is in a call with a server of its own, both on this machine. webcam, flags: as `browsing`. script: runs in the
    page before its own. window: pixels. Raises `MissingPartError` without playwright or Chromium."""
    with browsing(avatar_path, webcam, flags) as (browser, links):
        width, height = window
        viewport: Any = {"width": width, "height": height}
        page = browser.new_context(permissions=["camera", "microphone"], viewport=viewport).new_page()
        page.add_init_script(script)
        page.goto(links["host"] + "?autojoin=1")
        page.wait_for_selector("html[data-phase=live]", timeout=60_000)
        yield page


@contextmanager
def browsing(
    avatar_path: Path, webcam: Iterable[bytes], flags: Sequence[str] = FLAGS
) -> Iterator[tuple[Browser, dict[str, str]]]:
    """Chromium, and the links of a server's first room by role, both on this machine. webcam: its pictures, JPEG, 30 a second,
    over and over. Raises `MissingPartError` without playwright or Chromium."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise MissingPartError("the browser bench needs playwright; run `pip install 'visavis[dev]'`") from None
    chromium = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)
    if chromium is None:
        raise MissingPartError("the browser bench needs Chromium, none was found; run `apt-get install chromium`")
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "webcam.mjpeg"
        film.write_bytes(b"".join(webcam))
        command = [sys.executable, "-m", "server.cli", "serve", "--avatar", str(avatar_path), "--port", "0", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server, sync_playwright() as playwright:
            try:
                assert server.stdout is not None
                links = json.loads(server.stdout.readline())
                given = [*flags, f"--use-file-for-fake-video-capture={film}"]
                browser = playwright.chromium.launch(executable_path=chromium, args=given)
                yield browser, links
                browser.close()
            finally:
                server.terminate()


def jpeg(picture: NDArray[np.uint8]) -> bytes:
    """(H, W, 3) uint8 RGB as a webcam's picture."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=90)
    return out.getvalue()


def _jpeg(frame: av.VideoFrame) -> bytes:
    return jpeg(np.asarray(frame.to_image()))
