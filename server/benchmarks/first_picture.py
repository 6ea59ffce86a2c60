"""From opening a call's address to the first picture that the page draws by itself, in headless Chromium, again and again.

Each time it is a browser with an empty cache, and the server is warm. Chromium draws in software, on the cores of the server.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from server.benchmarks.browser import calling
from server.benchmarks.latency import FLAGS_WITH_GRAPHICS, PATHS, SMALL, webcam

LONGEST_MS = 60_000
SCRIPT = """
localStorage.setItem("visavis.preferences", JSON.stringify(PREFERENCES));
const get = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, options) {
  return get.call(this, kind, kind === "webgl2" ? { ...options, preserveDrawingBuffer: true } : options);
};
window.firstPicture = new Promise((done) => {
  const read = new OffscreenCanvas(32, 32).getContext("2d", { willReadFrequently: true });
  const isDrawn = (canvas) => {
    read.drawImage(canvas, 0, 0, 32, 32); // waits until the GPU has drawn it
    return read.getImageData(0, 0, 32, 32).data.filter((value, i) => i % 4 === 3 && value > 128).length > 100;
  };
  const look = (shown) => {
    const canvas = document.querySelector("[data-testid=own-picture]");
    const isVisible = canvas && getComputedStyle(canvas).opacity === "1";
    if (shown && isVisible && isDrawn(canvas)) done(performance.now());
    else requestAnimationFrame(() => look(isVisible));
  };
  new MutationObserver((_, observer) => {
    if (!document.querySelector("[data-testid=own-picture]")) return;
    observer.disconnect();
    requestAnimationFrame(() => look(false));
  }).observe(document, { childList: true, subtree: true, attributeFilter: ["data-testid"] });
});
"""
WEIGHT = """() => ["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind))
  .filter(({ name }) => !name.includes("/web-avatar")).reduce((sum, { transferSize }) => sum + transferSize, 0)"""


def bench_first_picture(avatar: Path, joins: int = 10) -> dict[str, Any]:
    """p50_ms, p95_ms: from navigation to when the first picture of the page's own renderer is drawn and shown at full opacity, be
    it of the coarse avatar at rest, before the call is connected. page_kb: what was fetched till then without the avatar. joins:
    how many. Raises `MissingPartError` without playwright or Chromium."""
    script = SCRIPT.replace("PREFERENCES", json.dumps(PATHS["page"]))
    times, weights = list[float](), list[float]()
    with calling(avatar, webcam(avatar), script, FLAGS_WITH_GRAPHICS, SMALL) as page:
        address, browser = page.url, page.context.browser
        assert browser is not None
        page.evaluate("firstPicture")
        page.context.close()
        for _ in range(joins):
            viewport: Any = dict(zip(("width", "height"), SMALL, strict=True))
            context = browser.new_context(permissions=["camera", "microphone"], viewport=viewport)
            context.set_default_timeout(LONGEST_MS)
            page = context.new_page()
            page.add_init_script(script)
            page.goto(address)
            times.append(page.evaluate("firstPicture"))
            weights.append(page.evaluate(WEIGHT))
            context.close()
    return figures(times, weights)


def figures(times: list[float], weights: list[float]) -> dict[str, Any]:
    """times: milliseconds of each join. weights: bytes. Returns as `bench_first_picture`."""
    return {
        "p50_ms": round(float(np.percentile(times, 50))),
        "p95_ms": round(float(np.percentile(times, 95))),
        "page_kb": round(float(np.median(weights)) / 1000),
        "joins": len(times),
    }
