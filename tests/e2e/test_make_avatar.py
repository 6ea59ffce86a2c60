"""Somebody new comes to the real server, looks into the camera, and is in the call as their own moving avatar.

The webcam's film is a photo of a person that turns to and fro. The server enrolls in a process of its own, as `visavis serve`
starts it.
"""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.client_web.browser import by, phase, until
from tests.client_web.conftest import CHROMIUM, FLAGS, built_page, launching
from tests.e2e.webcam import FPS, write

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(400)]
__all__ = ["built_page"]

PERIOD, TURN = 3.0, 7.0
"""Seconds and degrees of the film's to and fro."""
HEAD = (12, 0, 439, 240)
"""Of the photo."""
LEFT_EYE, RIGHT_EYE = 33, 263
SAMPLES = 24
GRAB = """() => {
  const video = document.querySelector("[data-testid=avatar]");
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth; canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  return canvas.toDataURL("image/jpeg", 0.9).split(",")[1];
}"""
VALUES = "(inputs) => inputs.map(({ value }) => value)"
PLAYING = "() => document.querySelector('[data-testid=avatar]')?.videoWidth > 0"


@pytest.fixture(scope="module")
def webcam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film for Chromium's fake webcam, 1280 x 720."""
    import skimage.data

    photo = Image.fromarray(skimage.data.astronaut())

    def picture(seconds: float) -> NDArray[np.uint8]:
        turned = photo.rotate(TURN * np.sin(2 * np.pi * seconds / PERIOD), Image.Resampling.BICUBIC, center=(225, 170))
        return np.asarray(turned.crop(HEAD).resize((1280, 720), Image.Resampling.BICUBIC))

    return write(tmp_path_factory.mktemp("make") / "webcam.y4m", (picture(i / FPS) for i in range(int(PERIOD * FPS))))


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory, built_page: None) -> Iterator[dict[str, str]]:
    """A server of its own process, as a person would start it."""
    state = tmp_path_factory.mktemp("state")
    command = [sys.executable, "-m", "server.cli", "serve", "--port", "0", "--state", str(state), "--json", "--size", "256"]
    command += ["--avatar-folder", str(state / "avatars")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(20)


def tilt(picture: str) -> float | None:
    """Degrees by which the line of the eyes is turned; None when no face is found."""
    from models.tracking.landmarks import detect_faces

    faces = detect_faces(np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")))
    if not faces:
        return None
    x, y = faces[0].points[RIGHT_EYE, :2] - faces[0].points[LEFT_EYE, :2]
    return float(np.degrees(np.arctan2(y, x)))


def test_a_newcomer_is_in_the_call_as_the_own_avatar(webcam: Path, addresses: dict[str, str]) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with sync_api.sync_playwright() as playwright:
        film = f"--use-file-for-fake-video-capture={webcam}"
        browser = playwright.chromium.launch(**launching([*FLAGS, film]))
        context = browser.new_context(permissions=["camera", "microphone"], viewport={"width": 1000, "height": 760})
        context.set_default_timeout(240_000)
        page = context.new_page()
        start = time.monotonic()
        laps: list[str] = []

        def lap(name: str) -> None:
            laps.append(f"{name} {time.monotonic() - start:.1f} s")

        page.goto(addresses["person"])
        page.fill(by("name"), "Eileen")
        given = page.locator("input[name=avatar]").evaluate_all(VALUES)
        page.click(by("make-avatar-card"))
        page.click("[data-testid=take-photo][aria-disabled=false]")
        page.check(by("agreed"))
        lap("photo taken")
        page.click(by("make"))
        page.wait_for_selector(f"{by('made')}, {by('making-failed')}")
        assert page.is_visible(by("made")), page.inner_text(".make-body")
        lap("avatar made")
        page.click(by("use"))
        chosen = page.locator("input[name=avatar]:checked").evaluate_all(VALUES)
        assert len(chosen) == 1 and chosen[0] not in given
        page.click(by("join"))
        phase(page, "live")
        page.wait_for_function(PLAYING)
        lap("in the call")
        tilts: deque[float | None] = deque(maxlen=SAMPLES)

        def turns() -> bool:
            """Whether nearly all of the last pictures show a face, which turns as the person's does."""
            tilts.append(tilt(page.evaluate(GRAB)))
            page.wait_for_timeout(50)
            seen = [angle for angle in tilts if angle is not None]
            return len(seen) > 0.8 * SAMPLES and np.ptp(seen) > TURN / 2

        until(page, turns)
        print(f"\nfrom opening the page: {', '.join(laps)}")
        browser.close()
