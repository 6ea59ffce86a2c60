"""How far the page's renderer is from the server's rasterizer: avatars from ten sides with six expressions, in decibels.

`python -m tests.client_web.measure_parity [--sheet FILE.png] [--side PIXELS] [FILE.avatar ...]`. Without files: the astronaut and
four synthetic people are enrolled first. The page draws the web avatar, so what quantising loses counts.
"""

from __future__ import annotations

import argparse
import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from models import arkit, avatar_file, png
from models.avatar import Avatar, AvatarPoser
from models.exchange.web_avatar import WebAvatar, decode, encode
from models.heads.registry import by_name
from models.posture import pose_of
from models.renderer import view_camera
from models.splat.cpu import CpuRasterizer
from models.types import Array, DriveFrame
from tests.client_web.rendering import drawn, psnr, renderer_page

if TYPE_CHECKING:
    from playwright.sync_api import Page

VIEWS = (
    (0.0, 0.0), (0.35, 0.1), (-0.35, -0.1), (0.8, 0.0), (-0.8, 0.2), (1.57, 0.0), (-1.57, 0.1), (2.5, 0.3), (3.14, 0.0),
    (0.0, 0.6),
)  # fmt: skip
"""Yaw and pitch of the camera, radians."""
EXPRESSIONS: tuple[tuple[dict[str, float], tuple[float, float, float], tuple[float, float]], ...] = (
    ({}, (0.0, 0.0, 0.0), (0.0, 0.0)),
    (
        {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.8, "cheekSquintLeft": 0.6, "cheekSquintRight": 0.6},
        (0.0, 0.2, 0.05),
        (0.2, 0.0),
    ),
    ({"jawOpen": 0.9, "browInnerUp": 0.8, "eyeWideLeft": 0.7, "eyeWideRight": 0.7}, (-0.15, -0.3, 0.0), (0.0, 0.2)),
    ({"mouthPucker": 0.9, "eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}, (0.1, 0.0, 0.15), (0.0, 0.0)),
    ({"mouthFrownLeft": 0.8, "mouthFrownRight": 0.8, "browDownLeft": 1.0, "browDownRight": 1.0}, (0.2, 0.5, 0.0), (-0.3, -0.1)),
    ({"jawOpen": 0.5, "jawLeft": 0.6, "mouthFunnel": 0.6, "tongueOut": 0.8, "eyeBlinkRight": 0.6}, (0.0, -0.6, -0.1), (0.3, 0.1)),
)
"""Coefficients, rotation vector of the head, yaw and pitch of both eyes."""
SYNTHETIC = (3, 8, 21, 34)
"""Seeds."""


@dataclass(frozen=True)
class Scores:
    """Decibels, (views, expressions). all: the browser's pictures against the rasterizer's of the avatar. quantising: the
    rasterizer's of the web avatar against its own of the avatar. renderer: the browser's against those of the web avatar."""

    all: Array
    quantising: Array
    renderer: Array


def people() -> Iterator[tuple[str, Avatar]]:
    """The astronaut and synthetic people, enrolled."""
    import skimage.data

    from enrollment import enroll
    from models.heads.anny import AnnyHead
    from models.synthetic.cameras import orbit_camera
    from models.synthetic.head import SyntheticHead

    yield "astronaut", enroll([skimage.data.astronaut()], consent="public domain").avatar
    for seed in SYNTHETIC:
        sample = SyntheticHead.random(AnnyHead(), seed).render(orbit_camera(5.0, 2.0, size=512, shown=0.42), arkit.vector())
        photo = np.asarray(np.clip(sample.over(0.72), 0, 1) * 255 + 0.5, np.uint8)
        yield f"synthetic {seed}", enroll([photo], consent="a person who does not exist").avatar


def measure(page: Page, avatar: Avatar, side: int = 512) -> tuple[Scores, Array]:
    """Scores of one avatar, and its worst picture: the server's, the browser's and their difference times eight, side by side."""
    model = by_name(avatar.head)
    file = encode(WebAvatar.of_avatar(avatar, model))
    page.evaluate("file => { window.stage = new renderer.Stage([file]) }", base64.b64encode(file).decode())
    web, poser, rasterizer = decode(file), AvatarPoser(avatar, model), CpuRasterizer()
    scores = np.zeros((3, len(VIEWS), len(EXPRESSIONS)), np.float32)
    worst, row = np.inf, np.zeros((side, 3 * side, 3), np.float32)
    for k, (values, turn, gaze) in enumerate(EXPRESSIONS):
        coefficients = np.asarray(arkit.vector(**values), np.float32)
        rotation = Rotation.from_rotvec(turn).as_quat()[[3, 0, 1, 2]]
        drive = DriveFrame(0, 1, rotation, np.zeros(3), coefficients, np.array([gaze, gaze], np.float32))
        pose = pose_of(drive, poser.person.joints)
        for v, (yaw, pitch) in enumerate(VIEWS):
            camera = view_camera(yaw, pitch, width=side, height=side)
            server = rasterizer.render(poser.pose(coefficients, pose), camera).color.copy()
            quantised = rasterizer.render(web.posed(coefficients, pose), camera).color.copy()
            browser = drawn(page, [drive], camera)
            scores[:, v, k] = psnr(server, browser), psnr(server, quantised), psnr(quantised, browser)
            if scores[0, v, k] < worst:
                worst, row = scores[0, v, k], np.concatenate([server, browser, np.abs(server - browser) * 8], axis=1)
    return Scores(*scores), row


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("avatars", nargs="*", type=Path)
    parser.add_argument("--side", type=int, default=512, help="of the pictures, pixels")
    parser.add_argument(
        "--sheet", type=Path, help="worst picture of each avatar: the server's, the browser's, their difference x 8"
    )
    given = parser.parse_args()
    avatars = ((path.stem, avatar_file.load(path)) for path in given.avatars) if given.avatars else people()
    every, rows = [], []
    print("decibels: browser against server (mean, worst); of it quantising, and drawing")
    with TemporaryDirectory() as folder, renderer_page(Path(folder)) as page:
        for name, avatar in avatars:
            scores, row = measure(page, avatar, given.side)
            every.append(scores.all)
            rows.append(row)
            parts = " ".join(f"{s.mean():6.1f} {s.min():6.1f}" for s in (scores.all, scores.quantising, scores.renderer))
            view, expression = np.unravel_index(scores.all.argmin(), scores.all.shape)
            print(f"{name[:24]:24} {parts}   worst: view {view}, expression {expression}", flush=True)
    total = np.stack(every)
    print(f"all {len(every)}: mean {total.mean():.1f}, worst {total.min():.1f}")
    if given.sheet:
        png.write(given.sheet, np.asarray(np.clip(np.concatenate(rows), 0, 1) * 255 + 0.5, np.uint8))


if __name__ == "__main__":
    main()
