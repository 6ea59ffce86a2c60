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
from pathlib import Path
from typing import Any

import av

from models.errors import MissingPartError
from server.benchmarks.webcam_clip import Clip, load_clip, own_clip

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
)  # fmt: skip
SIZE = (640, 480)
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
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise MissingPartError("the browser bench needs playwright; run `pip install 'visavis[dev]'`") from None
    chromium = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)
    if chromium is None:
        raise MissingPartError("the browser bench needs Chromium, none was found; run `apt-get install chromium`")
    frames = load_clip(own_clip(avatar_path, SIZE) if clip is None else clip, SIZE)
    with tempfile.TemporaryDirectory() as folder:
        webcam = Path(folder) / "webcam.mjpeg"
        webcam.write_bytes(b"".join(map(_jpeg, frames)))
        command = [sys.executable, "-m", "server.cli", "serve", "--avatar", str(avatar_path), "--port", "0", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server, sync_playwright() as playwright:
            try:
                assert server.stdout is not None
                address = json.loads(server.stdout.readline())["host"]
                flags = [*FLAGS, f"--use-file-for-fake-video-capture={webcam}"]
                browser = playwright.chromium.launch(executable_path=chromium, args=flags)
                page = browser.new_context(permissions=["camera", "microphone"]).new_page()
                page.goto(address + "?autojoin=1")
                page.wait_for_selector("html[data-phase=live]", timeout=60_000)
                page.wait_for_timeout(WARM_UP_MS)
                shown = page.evaluate(COUNT, seconds * 1000)
                size = page.evaluate("() => { const v = document.querySelector('[data-testid=avatar]'); "
                                     "return `${v.videoWidth}x${v.videoHeight}`; }")  # fmt: skip
                browser.close()
            finally:
                server.terminate()
    return {"shown_fps": float(shown), "picture": size, "seconds": seconds}


def _jpeg(frame: av.VideoFrame) -> bytes:
    out = io.BytesIO()
    frame.to_image().save(out, "JPEG", quality=90)
    return out.getvalue()
