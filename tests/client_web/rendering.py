"""The page's own renderer in a real browser, for what compares its pictures with the server's."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.types import Array, Camera, DriveFrame
from tests.client_web.conftest import CLIENT, launching

if TYPE_CHECKING:
    from playwright.sync_api import Page

WEBGL = [
    "--headless",
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-gpu-compositing",
]
ESBUILD = CLIENT / "node_modules" / ".bin" / "esbuild"


@contextmanager
def renderer_page(folder: Path, script: str = "renderer.ts") -> Iterator[Page]:
    """An empty page with a script of `client_web/src/testing` in it, as `renderer`. folder: for the bundle."""
    from playwright.sync_api import sync_playwright

    bundle, source = folder / "renderer.js", CLIENT / "src" / "testing" / script
    words = [ESBUILD, source, "--bundle", "--format=iife", "--global-name=renderer", f"--outfile={bundle}", "--log-level=error"]
    subprocess.run(words, check=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launching(WEBGL))
        page = browser.new_page()
        page.set_default_timeout(180_000)
        page.add_script_tag(path=str(bundle))
        yield page
        browser.close()


def drawn(page: Page, drives: Sequence[DriveFrame], camera: Camera, stage: str = "stage") -> Array:
    """The browser's picture over white, (H, W, 3). stage: of the page's variables, the one that holds a `Stage`."""
    seated = [
        {
            "coefficients": d.coefficients.tolist(), "rotation": d.rotation.tolist(), "shift": d.translation.tolist(),
            "gaze": d.gaze.ravel().tolist(),
        }
        for d in drives
    ]  # fmt: skip
    lens: dict[str, Any] = {name: getattr(camera, name) for name in ("width", "height", "fx", "fy", "cx", "cy")}
    lens["worldToCamera"] = camera.world_to_camera[:3].ravel().tolist()
    pixels = base64.b64decode(page.evaluate(f"([seated, camera]) => {stage}.draw(seated, camera).pixels", [seated, lens]))
    rgba = np.frombuffer(pixels, np.uint8).reshape(camera.height, camera.width, 4)[::-1] / np.float32(255)
    assert (rgba[..., :3].max(axis=2) <= rgba[..., 3] + 2 / 255).all(), "premultiplied"
    return np.asarray(rgba[..., :3] + 1 - rgba[..., 3:], np.float32)


def psnr(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Decibels."""
    return float(-10 * np.log10(max(np.mean((a - b) ** 2), 1e-12)))
