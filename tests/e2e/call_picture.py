"""Makes docs/images/call.jpg: four people around the table, in the real page of a real server.

`python -m tests.e2e.call_picture docs/images/call.jpg` after `npm run build` in client_web. The people are NASA's portrait of an
astronaut (scikit-image, public domain) and people who do not exist (`models/synthetic`), so the picture is free of licences.
"""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from server.call.avatars import entry_of
from server.call.protocol import Join, Place, ViewerFrame
from server.call_client import CallClient, CameraTrack
from tests.client_web.conftest import FLAGS, launching

PEOPLE = {"Sam": 14, "Mira": 12, "Ada": 0, "Theo": 15}
"""Name and seed of who is drawn; 0: the astronaut. The first one's page is shown."""
MOST_BYTES = 200_000
WIDTH, HEIGHT = 1280, 800
PLAYING = "() => document.querySelector('[data-testid=avatar]')?.videoWidth > 0"
Pixels = NDArray[np.uint8]


def portrait(seed: int) -> Pixels:
    """(512, 512, 3) of one person, who smiles a little."""
    import skimage.data

    from models import arkit
    from models.heads.registry import by_name
    from models.synthetic.cameras import orbit_camera
    from models.synthetic.head import SyntheticHead

    if seed == 0:
        return np.asarray(skimage.data.astronaut(), np.uint8)
    head = SyntheticHead.random(by_name("anny"), seed, clothes="turtleneck")
    smile = np.asarray(arkit.vector(mouthSmileLeft=0.35, mouthSmileRight=0.35), np.float32)
    return (255 * np.clip(head.render(orbit_camera(0.0, size=512), smile).over(0.8), 0, 1)).astype(np.uint8)


def make_avatars(folder: Path, people: dict[str, int]) -> dict[str, Pixels]:
    """NAME.avatar of each; returns their portraits."""
    from enrollment import enroll
    from models import avatar_file

    portraits = {name: portrait(seed) for name, seed in people.items()}
    for name, pixels in portraits.items():
        avatar_file.save(enroll([pixels]).avatar, folder / f"{name}.avatar")
    return portraits


def webcam(pixels: Pixels, turn: int = 0) -> CameraTrack:
    """A webcam before which the person moves a little; `turn`: who begins where."""
    picture = np.full((480, 640, 3), 190, np.uint8)
    side = np.asarray(Image.fromarray(pixels).resize((400, 400)))

    def frame(index: int) -> av.VideoFrame:
        x = 120 + round(12 * np.sin(index / 25 + turn))
        shot = picture.copy()
        shot[40:440, x : x + 400] = side
        return av.VideoFrame.from_ndarray(shot, format="rgb24")

    return CameraTrack(frame, rate=10.0)


def film(pixels: Pixels, path: Path) -> Path:
    """The same for Chromium's webcam: JPEG after JPEG."""
    with path.open("wb") as out:
        track = webcam(pixels)
        for index in range(60):
            Image.fromarray(track._picture(index).to_ndarray(format="rgb24")).save(out, "JPEG", quality=90)
    return path


def identity(folder: Path, name: str) -> str:
    """Of the avatar of that name, in the lobby."""
    return entry_of(name, (folder / f"{name}.avatar").read_bytes()).id


@contextmanager
def server(folder: Path, people: Sequence[str]) -> Iterator[dict[str, str]]:
    """`visavis serve` with those avatars; its addresses."""
    command = [sys.executable, "-m", "server.cli", "serve", "--port", "0", "--json", "--least-rate", "0", "--enrollments", "0"]
    command += ["--state", str(folder / "state")]
    for name in people:
        command += ["--avatar", str(folder / f"{name}.avatar")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(20)


@asynccontextmanager
async def guests(folder: Path, addresses: dict[str, str], portraits: dict[str, Pixels]) -> AsyncIterator[None]:
    """These people in the room, who look at nothing."""
    base, _, key = addresses["person"].partition("/room/")
    async with AsyncExitStack() as stack:
        for turn, (name, pixels) in enumerate(portraits.items()):
            join = Join(name, identity(folder, name), muted=True)
            page = CallClient(base.replace("http", "ws", 1) + "/ws", key, join, webcam=webcam(pixels, turn))
            await stack.enter_async_context(page)
            page.say(ViewerFrame(Place(seen=False)))
        yield


@asynccontextmanager
async def chromium(camera: Path | None = None) -> AsyncIterator[Any]:
    """A browser, with a film as its webcam."""
    from playwright.async_api import async_playwright

    flags = [] if camera is None else [f"--use-file-for-fake-video-capture={camera}", "--use-fake-ui-for-media-stream"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(**launching([*FLAGS, *flags]))
        yield browser
        await browser.close()


async def take(folder: Path, addresses: dict[str, str], portraits: dict[str, Pixels]) -> bytes:
    """A screenshot of the first person's page, PNG."""
    from playwright.async_api import TimeoutError as TooLateError

    first, *others = portraits
    camera = film(portraits[first], folder / "webcam.mjpeg")
    async with guests(folder, addresses, {name: portraits[name] for name in others}), chromium(camera) as browser:
        context = await browser.new_context(
            viewport={"width": WIDTH, "height": HEIGHT}, permissions=["camera", "microphone"], color_scheme="light"
        )
        page = await context.new_page()
        await page.goto(addresses["host"])
        await page.fill("[data-testid=name]", first)
        await page.check(f"[data-testid=avatar-{identity(folder, first)}]", force=True)
        await page.click("[data-testid=join]")
        await page.wait_for_function(PLAYING, timeout=60_000)
        await page.keyboard.press("s")
        await page.keyboard.press("s")  # without statistics
        await page.wait_for_timeout(8_000)  # until everybody's neutral face is taken and the codec has caught up
        with suppress(TooLateError):  # of a machine that is busy with something else, too
            await page.wait_for_selector("[data-quality=good], [data-quality=excellent]", timeout=30_000)
        return bytes(await page.screenshot())


def main(out: Path) -> None:
    """Writes the picture as a JPEG of at most MOST_BYTES bytes."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        portraits = make_avatars(folder, PEOPLE)
        with server(folder, list(PEOPLE)) as addresses:
            shot = Image.open(io.BytesIO(asyncio.run(take(folder, addresses, portraits)))).convert("RGB")
    for quality in range(92, 40, -4):
        shot.save(out, "JPEG", quality=quality, optimize=True)
        if out.stat().st_size <= MOST_BYTES:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
