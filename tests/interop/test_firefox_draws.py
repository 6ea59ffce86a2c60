"""Firefox tracks the person's face and draws the room by itself: neither webcam picture nor drawn picture passes the server."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from tests.e2e.test_private_camera import plain_avatar
from tests.interop.firefox import Firefox, FirefoxPage
from tests.server.call.serving import running, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(240)]

PREFERENCES = {"drawnBy": "device", "privateCamera": True}
WEBCAM = """() => {
  const [width, height, sway] = [640, 480, 90];
  navigator.mediaDevices.getUserMedia = async () => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [width, height];
    const bytes = Uint8Array.from(atob(PHOTO), (letter) => letter.charCodeAt(0));
    const photo = await createImageBitmap(new Blob([bytes], { type: 'image/jpeg' }));
    const context = canvas.getContext('2d');
    setInterval(() => context.drawImage(photo, sway * Math.sin(performance.now() / 600), -40, 614, 614), 66);
    return canvas.captureStream(15);
  };
  const get = HTMLCanvasElement.prototype.getContext;
  HTMLCanvasElement.prototype.getContext = function (kind, options) {
    return get.call(this, kind, kind === 'webgl2' ? { ...options, preserveDrawingBuffer: true } : options);
  };
}"""
"""A person who moves from side to side, in place of Firefox's fake webcam, which shows no face; and pictures that can be read
after they were shown."""
LOOK = """() => {
  const canvas = document.querySelector('[data-testid=own-picture]');
  const drawnBy = document.querySelector('[data-testid=stage]')?.dataset.drawnBy ?? '';
  if (!canvas?.width) return JSON.stringify({ drawnBy, pixels: null });
  const context = new OffscreenCanvas(64, 64).getContext('2d');
  context.drawImage(canvas, 0, 0, 64, 64);
  return JSON.stringify({ drawnBy, pixels: [...context.getImageData(0, 0, 64, 64).data].filter((_, i) => i % 4 === 3) });
}"""


async def seen(page: FirefoxPage) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await page.run(LOOK))
    return found


async def middle(page: FirefoxPage) -> float:
    """Of what is drawn, in parts of the picture's width; NaN while nothing is."""
    pixels = (await seen(page))["pixels"]
    opacity = np.zeros(1) if pixels is None else np.asarray(pixels, np.float64).reshape(64, 64).sum(axis=0)
    return float(opacity @ (np.arange(64) / 64) / opacity.sum()) if opacity.sum() > 0 else np.nan


async def test_the_own_avatar_follows_a_private_camera_in_a_picture_of_its_own(drawing_firefox: Firefox) -> None:
    photo = io.BytesIO()
    Image.fromarray(skimage.data.astronaut()).save(photo, "JPEG", quality=85)
    webcam = WEBCAM.replace("PHOTO", json.dumps(base64.b64encode(photo.getvalue()).decode()))
    factory = "realtime.room.pipeline:LiveRoomPipeline"
    async with (
        running(avatars={"ada": plain_avatar()}, factory=factory) as server,
        drawing_firefox.page(preferences=PREFERENCES, before=webcam) as page,
    ):
        await page.open(server.addresses.host + "?autojoin=1")
        middles: list[float] = []
        while not (len(middles) > 3 and np.ptp(middles[-40:]) > 0.02):
            if np.isfinite(found := await middle(page)):
                middles.append(found)
        assert (await seen(page))["drawnBy"] == "device"
        times = server.room.worker.times
        await until(lambda: "landmarks" in times.medians() and not {"decode", "splat"} & set(times.medians()))
