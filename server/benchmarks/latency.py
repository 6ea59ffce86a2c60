"""From the webcam to the picture at the viewer, measured in the pictures: a light beside a face, and the avatar's mouth.

The webcam's face opens and shuts its mouth from one picture to the next, and a light in the corner goes on and off with it. A
page in headless Chromium sees the light in what the webcam gives it, and the avatar's mouth in the picture that it shows: both by
pixels, by one clock. What the camera and the screen themselves take is not in it, nor is a network.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.errors import VisavisError
from server.benchmarks.browser import FLAGS, SIZE, WARM_UP_MS, calling, jpeg

if TYPE_CHECKING:
    from playwright.sync_api import Page

LIGHT = 64
"""Pixels of the webcam's picture, to a side, from its upper left corner."""
LENGTHS = (17, 20, 22, 16, 19, 23, 18, 21)
"""Frames that the mouth stays as it is: never twice the same, so that it moves at any moment of the picture's beat."""
WINDOW, SMALL = (500, 640), (360, 440)
"""Pixels: of a page whose picture is as large as the server's, and of one that draws by itself, in software."""
SIDE = 48
"""Pixels to a side of what is kept of each picture that the page shows."""
STANDING = 3
"""Pictures before a change of the light that show how the mouth was."""
LEAST_CLEAR = 0.5
"""Of how much the picture changes usually when the mouth does, at least, for a change to count."""
ATTEMPTS = 4
"""Of 30 seconds, to have the page draw."""
FLAGS_WITH_GRAPHICS = (
    *(flag for flag in FLAGS if flag != "--disable-gpu"), "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
)  # fmt: skip
PATHS: dict[str, dict[str, Any]] = {
    "server": {"drawnBy": "server"},
    "page": {"drawnBy": "device"},
    "private": {"drawnBy": "device", "privateCamera": True},
}
"""What the page prefers: drawn by the server, by the page, and by the page with a private camera."""
SCRIPT = """
localStorage.setItem("visavis.preferences", JSON.stringify(PREFERENCES));
window.seen = { light: [], picture: [], held: [] };
const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
let newest = 0;
navigator.mediaDevices.getUserMedia = async (wanted) => {
  const stream = await ask(wanted);
  const [track] = stream.getVideoTracks();
  if (track) void watchLight(track.clone(), ++newest);
  return stream;
};
async function watchLight(track, own) {
  const reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 1 }).readable.getReader();
  const wanted = { rect: { x: 16, y: 16, width: 16, height: 16 } };
  let before = -1;
  for (;;) {
    const { value: frame, done } = await reader.read();
    if (done || own !== newest) return;
    const now = performance.now();
    const bytes = new Uint8Array(frame.allocationSize(wanted));
    await frame.copyTo(bytes, wanted);
    frame.close();
    const on = bytes[0] > 128 ? 1 : 0;
    if (before >= 0 && on !== before) window.seen.light.push(now);
    before = on;
  }
}
window.watchPicture = (name) => {
  const kept = new OffscreenCanvas(SIDE, SIDE).getContext("2d", { willReadFrequently: true });
  const look = (_now, video) => {
    const shown = performance.now(); // before this page's own reading takes its time
    if (video?.receiveTime) window.seen.held.push(video.presentationTime - video.receiveTime);
    const from = document.querySelector(`[data-testid=${name}]`);
    kept.fillStyle = "white";
    kept.fillRect(0, 0, SIDE, SIDE);
    kept.drawImage(from, 0, 0, SIDE, SIDE);
    const { data } = kept.getImageData(0, 0, SIDE, SIDE);
    window.seen.picture.push([video ? shown : performance.now(), data.filter((_, i) => i % 4 === 1)]);
    again();
  };
  const again = () => {
    const from = document.querySelector(`[data-testid=${name}]`);
    if (from instanceof HTMLVideoElement) from.requestVideoFrameCallback(look);
    else whenDrawn(look);
  };
  again();
};
let [drawing, look] = [null, null]; // by the page itself: looked at when it is done, as reading earlier would hold the page up
const lookIfDrawn = () => {
  const { gl, sync } = drawing ?? {};
  if (!look || !gl || gl.getSyncParameter(sync, gl.SYNC_STATUS) === gl.UNSIGNALED) return;
  const then = look;
  drawing = look = null;
  then();
};
const whenDrawn = (then) => void (look = then);
setInterval(() => lookIfDrawn(), 4);
const { clear, drawElements } = WebGL2RenderingContext.prototype;
WebGL2RenderingContext.prototype.clear = function (what) {
  lookIfDrawn();
  clear.call(this, what);
};
WebGL2RenderingContext.prototype.drawElements = function (...what) {
  drawElements.apply(this, what);
  drawing ??= { gl: this, sync: this.fenceSync(this.SYNC_GPU_COMMANDS_COMPLETE, 0) };
};
const get = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, options) {
  return get.call(this, kind, kind === "webgl2" ? { ...options, preserveDrawingBuffer: true } : options);
};
"""
TAKE = """() => {
  const { light, picture, held } = window.seen;
  window.seen = { light: [], picture: [], held: [] };
  const all = new Uint8Array(SIDE * SIDE * picture.length);
  picture.forEach(([, values], i) => all.set(values, SIDE * SIDE * i));
  let text = "";
  for (let i = 0; i < all.length; i += 8192) text += String.fromCharCode(...all.subarray(i, i + 8192));
  return { light, held, times: picture.map(([time]) => time), pictures: btoa(text) };
}"""


def bench_latency(avatar: Path, seconds: float = 30.0, paths: Sequence[str] = tuple(PATHS)) -> list[dict[str, Any]]:
    """A row for each path, of `PATHS`: p50_ms and p95_ms, from when the page has the webcam's picture to when its own shows
    half of the change; first_ms: median until a quarter shows; fps: pictures a second that differ; changes: how many; held_ms:
    median from a picture's last packet to its place on the page, of those that the server draws.

    A row without figures: no change was seen, as where a page draws in software on a machine with too little time for it.
    Raises `MissingPartError` without playwright or Chromium.
    """
    frames = list(webcam(avatar))
    return [{"path": name} | _measure(avatar, frames, name, seconds) for name in paths]


def webcam(avatar: Path) -> Iterator[bytes]:
    """JPEG after JPEG: the avatar with its mouth open and shut, and the light."""
    from models import avatar_file
    from models.heads.registry import by_name
    from models.renderer import AvatarRenderer
    from models.splat.choose import best
    from models.types import DriveFrame

    loaded = avatar_file.load(avatar)
    renderer = AvatarRenderer(loaded, by_name(loaded.head), best(), *SIZE)
    states = []
    for on in (0, 1):
        picture = renderer.render(DriveFrame.expression(jawOpen=0.8 * on)).copy()
        picture[:LIGHT, :LIGHT] = 255 * on
        states.append(jpeg(picture))
    for number, length in enumerate(LENGTHS):
        for _ in range(length):
            yield states[number % 2]


def script(path: str) -> str:
    """What watches light and picture in a page, and has it prefer that path, of `PATHS`."""
    return SCRIPT.replace("PREFERENCES", json.dumps(PATHS[path])).replace("SIDE", str(SIDE))


@dataclass(frozen=True)
class Watched:
    """What a page has seen since the last `take`.

    light: when it changed, milliseconds of the page's clock. times (N,), pictures (N, SIDE * SIDE): what it showed, and when.
    held: milliseconds from each picture's last packet to its place on the page.
    """

    light: NDArray[np.floating]
    times: NDArray[np.floating]
    pictures: NDArray[np.float32]
    held: NDArray[np.floating]


def take(page: Page) -> Watched:
    """What a page with `script` has seen since it was last asked."""
    told = page.evaluate(TAKE.replace("SIDE", str(SIDE)))
    pictures = np.frombuffer(base64.b64decode(told["pictures"]), np.uint8).reshape(-1, SIDE * SIDE).astype(np.float32)
    return Watched(np.asarray(told["light"]), np.asarray(told["times"]), pictures, np.asarray(told["held"]))


def _measure(avatar: Path, frames: list[bytes], path: str, seconds: float) -> dict[str, Any]:
    drawn = PATHS[path]["drawnBy"]
    is_server = drawn == "server"  # without WebGL: in software it slows all of a page
    flags, window = (FLAGS, WINDOW) if is_server else (FLAGS_WITH_GRAPHICS, SMALL)
    with calling(avatar, frames, script(path), flags, window) as page:
        shown = "avatar" if drawn == "server" else "own-picture"
        page.wait_for_function("() => document.querySelector('[data-testid=avatar]').videoWidth > 0", timeout=120_000)
        if drawn == "device":
            _draw_here(page)
        page.wait_for_timeout(WARM_UP_MS)
        page.evaluate("name => window.watchPicture(name)", shown)
        take(page)
        page.wait_for_timeout(1000 * seconds)
        seen = take(page)
    held = {"held_ms": round(float(np.median(seen.held)), 1) if len(seen.held) else None}
    try:
        return delays(seen.light, seen.times, seen.pictures) | held
    except VisavisError:
        fps = round(len(seen.pictures) / seconds, 1)
        return {"p50_ms": None, "p95_ms": None, "first_ms": None, "fps": fps, "changes": 0} | held


def _draw_here(page: Page) -> None:
    """Let the page draw. It gives up where its first drive frame takes seconds, as on a machine that has too much to do."""
    from playwright.sync_api import TimeoutError as TooLateError

    for _ in range(ATTEMPTS):
        with suppress(TooLateError):
            page.wait_for_selector("[data-testid=own-picture]", timeout=30_000)
            return
        page.reload()
    raise VisavisError("the page was expected to draw by itself, it never did; measure when the machine has less to do")


@dataclass(frozen=True)
class Changes:
    """Of the picture, each after a change of the light. moments, halves (N,): when the light changed, and how long after it half
    of the change was there, milliseconds; quarters (M,): how long it was until a quarter was."""

    moments: NDArray[np.floating]
    halves: NDArray[np.floating]
    quarters: NDArray[np.floating]


def changes(light: NDArray[np.floating], times: NDArray[np.floating], pictures: NDArray[np.floating]) -> Changes:
    """light: when it changed, milliseconds. times (N,), pictures (N, P): what the page showed, and when. Raises `VisavisError`
    where the picture does not follow the light."""
    found = []
    places = np.searchsorted(times, light, side="right")
    for moment, start, end in zip(light, places, places[1:], strict=False):
        if start >= STANDING and end >= start + STANDING:
            standing = [pictures[place - STANDING : place].mean(axis=0) for place in (start, end)]
            found.append((moment, start, end, *standing))
    if not found:
        raise VisavisError(
            "the avatar was expected to follow the webcam, but its picture was not seen to change; measure for longer"
        )
    usual = float(np.median([np.linalg.norm(after - before) for *_, before, after in found]))
    halves, quarters = list[tuple[float, float]](), list[float]()
    for moment, start, end, before, after in found:
        change = after - before
        if np.linalg.norm(change) < LEAST_CLEAR * usual:
            continue
        share = (pictures[start:end] - before) @ change / (change @ change)
        halves += [(float(moment), float(times[start + place] - moment)) for place in np.flatnonzero(share >= 0.5)[:1]]
        quarters += [float(times[start + place] - moment) for place in np.flatnonzero(share >= 0.25)[:1]]
    moments, after_ms = np.array(halves).reshape(-1, 2).T
    return Changes(moments, after_ms, np.array(quarters))


def delays(light: NDArray[np.floating], times: NDArray[np.floating], pictures: NDArray[np.floating]) -> dict[str, Any]:
    """As `changes`. Returns as `bench_latency`."""
    found = changes(light, times, pictures)
    differs = np.abs(np.diff(pictures, axis=0)).max(axis=1) > 0
    return {
        "p50_ms": round(float(np.percentile(found.halves, 50)), 1),
        "p95_ms": round(float(np.percentile(found.halves, 95)), 1),
        "first_ms": round(float(np.median(found.quarters)), 1),
        "fps": round(float(1000 * differs.sum() / max(times[-1] - times[0], 1.0)), 1),
        "changes": len(found.halves),
    }
