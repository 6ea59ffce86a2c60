"""The page's tracker finds the landmarks that the server's finds, in a real browser under the server's security policy."""

from __future__ import annotations

import base64
import functools
import http.server
import io
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from models.exchange import landmark_frames
from models.exchange.landmark_frames import LEAST_SIDE, LandmarkFrame
from models.tracking.face_tracker import FACES, TAKE_OVER
from models.tracking.landmarks import FaceMesh, Landmarks
from server.call.web import HEADERS
from tests.client_web.conftest import CHROMIUM, CLIENT, launching
from tests.client_web.scripts import answers
from tests.models.exchange.test_landmark_frames import some_face

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDTH, HEIGHT = 640, 480
PLACES = ((1.0, 60, 0), (1.5, -100, -20), (0.8, 100, 40))
"""Scale and shift of the pictures, pixels."""
LOOKS = 3
"""Times that each picture is looked at: its window follows the landmarks of the time before."""
WITHIN, WITHIN_ALL = 0.006, 0.02
"""Of the face's width: root mean square and largest difference of landmarks that count as the same. 0.6 % is less than a pixel
of a face of 140 pixels; the two cut the face out of the picture by other means, which blurs it a little differently."""

PAGE = "<!doctype html><title>tracker</title>"
START = """files => new Promise((resolve, reject) => {
  window.worker = new Worker('worker.js');
  worker.onerror = (event) => reject(new Error(event.message));
  worker.onmessage = ({ data }) => resolve(data.kind);
  worker.postMessage({ kind: 'start', files });
})"""
LOOK = """async ([picture, sequence]) => {
  const bytes = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
  const { message } = await new Promise((resolve) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.postMessage({ kind: 'picture', bitmap, sequence, time: 1000 * sequence }, [bitmap]);
  });
  return btoa(String.fromCharCode(...new Uint8Array(message)));
}"""


def portrait(scale: float, x: float, y: float) -> NDArray[np.uint8]:
    moved = np.array([[scale, 0, x], [0, scale, y]])
    picture = cv2.warpAffine(
        skimage.data.astronaut(), moved, (WIDTH, HEIGHT), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(picture, np.uint8)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """An empty page with a worker that tracks; every request that it makes is in `requested`."""
    sync_api = pytest.importorskip("playwright.sync_api")
    package, esbuild = CLIENT / "node_modules" / "@mediapipe" / "face_mesh", CLIENT / "node_modules" / ".bin" / "esbuild"
    if not CHROMIUM.exists() or not package.exists():
        pytest.skip(f"{CHROMIUM} or client_web/node_modules is missing")
    folder = tmp_path_factory.mktemp("tracker")
    source = CLIENT / "src" / "private_camera" / "worker.ts"
    subprocess.run(
        [esbuild, source, "--bundle", "--format=iife", f"--outfile={folder / 'worker.js'}", "--log-level=error"], check=True
    )
    [loader] = answers(
        Path(__file__).with_name("face_mesh_loader.mjs"), [{"path": str(package / "face_mesh_solution_simd_wasm_bin.js")}]
    )
    for path in package.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "face_mesh_solution_simd_wasm_bin.js").write_text(loader["text"])
    (folder / "index.html").write_text(PAGE)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        with sync_api.sync_playwright() as playwright:
            browser = playwright.chromium.launch(**launching())
            found = browser.new_page()
            found.set_default_timeout(60_000)
            breaches: list[str] = []
            found.on("console", lambda line: breaches.append(line.text) if "Content Security Policy" in line.text else None)
            found.goto(address)
            files = {path.name: address + path.name for path in folder.iterdir()}
            assert found.evaluate(START, files) == "ready"
            yield found
            browser.close()
        server.shutdown()
    assert breaches == []


class _Handler(http.server.SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def seen(page: Page, picture: NDArray[np.uint8]) -> LandmarkFrame:
    """As the page sends it, after a moment without anybody."""
    empty, file = io.BytesIO(), io.BytesIO()
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), 120, np.uint8)).save(empty, "PNG")
    Image.fromarray(picture).save(file, "PNG")
    for sequence, shown in enumerate([empty] + [file] * LOOKS):
        message = page.evaluate(LOOK, [base64.b64encode(shown.getvalue()).decode(), sequence])
    return landmark_frames.decode(base64.b64decode(message))


@pytest.mark.parametrize("place", PLACES)
def test_the_same_landmarks_as_the_servers(page: Page, place: tuple[float, float, float]) -> None:
    picture = portrait(*place)
    frame = seen(page, picture)
    assert frame.landmarks is not None and (frame.landmarks.width, frame.landmarks.height) == (WIDTH, HEIGHT)
    assert (frame.sequence, frame.time) == (LOOKS, 1000 * LOOKS)
    with FaceMesh(static=False, faces=FACES) as mesh:
        [server] = [mesh(picture) for _ in range(LOOKS)][-1]
    across = float(np.ptp(server[:, 0]))
    apart = (frame.landmarks.points - server) / across
    assert np.sqrt(np.mean(np.sum(apart[:, :2] ** 2, axis=1))) < WITHIN
    assert np.abs(apart[:, :2]).max() < WITHIN_ALL
    assert np.sqrt(np.mean(apart[:, 2] ** 2)) < WITHIN
    assert np.polyfit(server[:, 2], frame.landmarks.points[:, 2], 1)[0] == pytest.approx(1.0, abs=0.03), "the same depth"


def test_nobody_is_seen_where_nobody_is(page: Page) -> None:
    frame = seen(page, np.full((HEIGHT, WIDTH, 3), 120, np.uint8))
    assert frame.landmarks is None


def test_the_page_writes_the_bytes_that_the_server_writes() -> None:
    faces = [some_face(seed, *size) for seed, size in enumerate([(640, 480), (960, 540), (32, 8192)])]
    frames = [LandmarkFrame(face, 65530 + i, 7000 * i) for i, face in enumerate(faces)] + [LandmarkFrame(None, 5, 6)]
    lines: list[dict[str, object]] = []
    for frame in frames:
        face = frame.landmarks or Landmarks(np.zeros((0, 3), np.float32), 0.0, LEAST_SIDE, LEAST_SIDE)
        parts = (face.points / np.float32([face.width, face.height, face.width])).ravel().tolist() if frame.landmarks else None
        numbers = {"width": face.width, "height": face.height, "confidence": face.confidence, "points": parts}
        lines.append({"landmarks": {"sequence": frame.sequence, "time": frame.time, **numbers}})
    written = answers(Path(__file__).with_name("drive_wire.mjs"), lines)
    assert [base64.b64decode(answer["bytes"]) for answer in written] == [landmark_frames.encode(frame) for frame in frames]


def test_the_same_face_is_followed() -> None:
    source = CLIENT / "src" / "private_camera"
    assert f"TAKE_OVER = {TAKE_OVER};" in (source / "following.ts").read_text()
    assert f"FACES = {FACES};" in (source / "mesh.ts").read_text()


def test_another_text_of_the_package_fails_the_build(tmp_path: Path) -> None:
    other = tmp_path / "other.js"
    other.write_text("function createNamedFunction(name,body){return 0}")
    [answer] = answers(Path(__file__).with_name("face_mesh_loader.mjs"), [{"path": str(other)}])
    assert "one match" in answer["error"], json.dumps(answer)
