"""Somebody records the guided clip in the page of a real server, joins with the first avatar, and gets the better one there.

The webcam's film is the avatar of a photo that does what the page asks for. The optimisation has a few steps only.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.client_web.browser import by, phase, until
from tests.client_web.conftest import CHROMIUM, FLAGS, built_page, launching
from tests.e2e.webcam import FPS, write

if TYPE_CHECKING:
    from enrollment.instant.pipeline import Enrollment
    from models.heads.base import HeadModel

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]
__all__ = ["built_page"]

WIDTH, HEIGHT, SECONDS = 480, 360, 4.0
STEPS = 2
"""Of the optimisation, one in each round; as many pictures are compared and learned from."""
LIST = """async () => {
  const headers = { authorization: `Bearer ${localStorage.getItem("visavis.token")}` };
  return (await (await fetch("/api/avatars", { headers })).json()).items;
}"""
FASTER = """{
  const now = performance.now.bind(performance);
  performance.now = () => 6 * now();
}"""
"""The prompts come in a sixth of the time, so that there is less to track."""
HIDDEN = """(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  Object.defineProperty(document, "visibilityState", { value: hidden ? "hidden" : "visible", configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
"""As when another tab is looked at: the server sends no pictures, whose work would hold up what is waited for."""
PLAYED = """() => {
  const video = document.querySelector("[data-testid=avatar]");
  return [video.readyState, video.getVideoPlaybackQuality().totalVideoFrames];
}"""


@pytest.fixture(scope="module")
def webcam(enrolled: Enrollment, model: HeadModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film for Chromium's fake webcam: turns to both sides, looks up, smiles, opens the mouth."""
    from enrollment.report import PreviewView
    from models import arkit
    from models.avatar import AvatarPoser
    from models.splat.choose import best
    from models.types import Camera

    poser, rasterizer = AvatarPoser(enrolled.avatar, model), best()
    camera = Camera.orbit(0, 0, 0.75, width=WIDTH, height=HEIGHT, fov_y=0.45, target=(0, 0, 0))

    def picture(t: float) -> NDArray[np.uint8]:
        part = float(np.sin(np.pi * (t % 1)))
        turn = (-0.25 * part * (1 <= t < 2), 0.45 * float(np.sin(2 * np.pi * t)) * (t < 1), 0.0)
        values = {"mouthSmileLeft": part, "mouthSmileRight": part} if 2 <= t < 3 else {"jawOpen": 0.7 * part} if t >= 3 else {}
        posed = poser.pose(np.array(arkit.vector(**values)), PreviewView("", turn=turn).pose(poser.person))
        return np.asarray(np.clip(rasterizer.render(posed, camera).color, 0, 1) * 255, np.uint8)

    count = int(SECONDS * FPS)
    return write(tmp_path_factory.mktemp("clip") / "webcam.y4m", (picture(4 * i / count) for i in range(count)))


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory, built_page: None) -> Iterator[dict[str, str]]:
    state = tmp_path_factory.mktemp("state")
    command = [sys.executable, "-m", "server.cli", "serve", "--port", "0", "--state", str(state), "--json", "--size", "256"]
    command += ["--avatar-folder", str(state / "avatars"), "--better-steps", str(STEPS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(20)


def test_a_guided_clip_becomes_an_avatar_that_gets_better_in_the_call(webcam: Path, addresses: dict[str, str]) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with sync_api.sync_playwright() as playwright:
        film = f"--use-file-for-fake-video-capture={webcam}"
        browser = playwright.chromium.launch(**launching([*FLAGS, film]))
        context = browser.new_context(permissions=["camera", "microphone"], viewport={"width": 1000, "height": 760})
        context.set_default_timeout(400_000)
        page = context.new_page()
        page.add_init_script(FASTER)
        page.goto(addresses["person"])
        page.fill(by("name"), "Eileen")
        page.click(by("make-avatar-card"))
        page.click(by("film-instead"))
        page.click("[data-testid=clip-start][aria-disabled=false]")
        page.check(by("agreed"))
        page.click(by("make"))
        page.wait_for_selector(f"{by('bettering')}, {by('making-failed')}")
        assert page.is_visible(by("bettering")), page.inner_text(".make-body")
        page.click(by("use"))
        page.click(by("join"))
        phase(page, "live")
        page.wait_for_function("() => document.querySelector('[data-testid=avatar]')?.videoWidth > 0")
        page.evaluate("() => { window.stays = true; }")
        page.evaluate(HIDDEN, True)
        page.wait_for_selector(by("toast", "Your avatar is better now"))
        page.evaluate(HIDDEN, False)
        page.wait_for_timeout(6_000)  # the room looks for better ones every few seconds
        _, before = page.evaluate(PLAYED)
        until(page, lambda: page.evaluate(PLAYED)[0] >= 2 and page.evaluate(PLAYED)[1] > before)
        assert page.evaluate("() => window.stays === true")
        assert page.evaluate("document.documentElement.dataset.phase") == "live"
        found = page.evaluate(LIST)
        mine = [avatar for avatar in found if avatar["mine"]]
        assert [(a["quality"], a["turntable"], a["improving"]) for a in mine] == [("standard", True, None)]
        assert {"topic": "sides", "good": True} in [{"topic": f["topic"], "good": f["good"]} for f in mine[0]["report"]]
        browser.close()
