"""What the page's renderer costs the main thread of a browser, for one avatar at 512 x 512.

`python -m tests.client_web.measure_renderer FILE.avatar [TIMES]`; Chromium draws in software, which costs other threads.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from models import avatar_file
from models.exchange.web_avatar import WebAvatar, encode
from models.heads.registry import by_name
from tests.client_web.rendering import renderer_page


def measure(path: Path, times: int = 200, side: int = 512) -> dict[str, Any]:
    """Milliseconds of each part of each picture, and how many Gaussians there were."""
    avatar = avatar_file.load(path)
    file = base64.b64encode(encode(WebAvatar.of_avatar(avatar, by_name(avatar.head)))).decode()
    with TemporaryDirectory() as folder, renderer_page(Path(folder), "renderer_cost.ts") as page:
        found: dict[str, Any] = page.evaluate("([f, n, s]) => renderer.costs(f, n, s)", [file, times, side])
        return found


def main(path: str, times: str = "200") -> None:
    """Prints a table."""
    found = measure(Path(path), int(times))
    print(f"{found['gaussians']} Gaussians; milliseconds of the main thread: p50, p95")
    for name, values in found["costs"].items():
        late = np.asarray(values[len(values) // 5 :])  # the engine compiles first
        print(f"{name:8} {np.percentile(late, 50):6.2f} {np.percentile(late, 95):6.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
