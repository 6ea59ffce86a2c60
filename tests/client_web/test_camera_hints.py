"""What the page says while somebody looks into the camera, and what a guided clip takes for done, on drawn heads of several people, sizes
and lights. The page's own modules measure them, in Node."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models import arkit
from models.heads.base import Pose, rotation_vector
from models.heads.registry import by_name
from models.posture import body_under
from models.synthetic.head import HeadSample, SyntheticHead
from models.types import Camera
from tests.client_web.scripts import answers

Pixels = NDArray[np.floating]
SCRIPT = Path(__file__).with_name("camera_hints.mjs")
WIDTH, HEIGHT = 320, 240
OVAL = (0.5, 0.48, 0.74, 0.75)
"""Middle, height and aspect, as in measure.ts."""
PEOPLE = 4
DONE = {
    "left": {"yaw": 16.0}, "right": {"yaw": -16.0}, "up": {"pitch": -12.0},
    "smile": {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9}, "open": {"jawOpen": 0.7},
}  # fmt: skip
"""What is asked for, and a head that does it."""
IDLE: dict[str, dict[str, float]] = {
    "still": {}, "moved": {"yaw": 3.0, "pitch": 2.0}, "blinking": {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
}  # fmt: skip


def drawn(head: SyntheticHead, degrees: float, *, yaw: float = 0.0, pitch: float = 0.0, **values: float) -> HeadSample:
    """A webcam's picture. degrees: field of view, so the head's size. yaw: towards the person's left; pitch: down; degrees."""
    camera = Camera.orbit(0, 0, 0.8, width=WIDTH, height=HEIGHT, fov_y=float(np.deg2rad(degrees)), target=(0, 0, 0))
    place = np.eye(4)
    place[:3, :3] = rotation_vector(np.deg2rad([pitch, yaw, 0]))
    pose = Pose(place, body_under(place, head.person.joints), np.zeros((2, 2), np.float32))
    return head.render(camera, np.asarray(arkit.vector(**values), np.float32), pose, supersample=1)


def encoded(picture: Pixels, width: int, height: int, *, oval: bool = True) -> str:
    """RGBA of the oval's box, or of all of it, in base64. picture: (H, W, 3), 0 to 255."""
    rows, columns = picture.shape[:2]
    x, y, size, aspect = OVAL[0] * columns, OVAL[1] * rows, OVAL[2] * rows, OVAL[3]
    left, top = round(x - aspect * size / 2), round(y - size / 2)
    part = picture[top : round(top + size), left : round(left + aspect * size)] if oval else picture
    small = cv2.resize(part.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA).clip(0, 255).round()
    return base64.b64encode(np.dstack([small, np.full((height, width), 255)]).astype(np.uint8).tobytes()).decode()


def asked(lines: list[dict[str, object]]) -> list[dict[str, Any]]:
    """What the page makes of them."""
    return answers(SCRIPT, lines)


@pytest.fixture(scope="module")
def people() -> list[tuple[SyntheticHead, float]]:
    """Heads in random light, and their field of view."""
    model, rng = by_name("anny"), np.random.default_rng(0)
    return [(SyntheticHead.random(model, 100 + seed), float(rng.uniform(21, 32))) for seed in range(PEOPLE)]


def test_a_guided_clip_sees_what_was_done_and_nothing_else(people: list[tuple[SyntheticHead, float]]) -> None:
    rng = np.random.default_rng(1)
    cases = [(name, values) for name, values in (IDLE | DONE).items()]
    lines: list[dict[str, object]] = []
    for head, degrees in people:
        for name, values in cases:
            picture = 255 * drawn(head, degrees, **values).color
            lines.append({"cue": encoded(picture + rng.normal(0, 4, picture.shape), 48, 64), "rests": name == "still"})
    answers = asked(lines)
    seen: dict[str, int] = {}
    for (name, _), answer in zip(cases * PEOPLE, answers, strict=True):
        done = answer["done"]
        assert isinstance(done, list)
        assert name in DONE or done == [], (name, answer)
        assert not {"left", "right"} <= set(done) and (name not in ("left", "right") or {"left": "right", "right": "left"}[name] not in done)
        seen[name] = seen.get(name, 0) + (name in done)
    assert all(seen[name] >= PEOPLE - 1 for name in DONE), seen  # somebody may be asked once more


def test_hints_are_true_and_do_not_nag(people: list[tuple[SyntheticHead, float]]) -> None:
    rng = np.random.default_rng(2)
    lines: list[dict[str, object]] = []
    expected: list[str] = []
    shade = np.clip((np.arange(WIDTH) - 0.41 * WIDTH) / 60, 0.12, 1)[None, :, None]
    for head, degrees in people:
        sample = drawn(head, degrees, yaw=float(rng.uniform(-8, 8)), pitch=float(rng.uniform(-5, 5)))
        picture, person = 255 * sample.color, sample.matte[..., None]
        cases = {
            "good": picture, "good, a wall": picture * person + 225 * (1 - person), "dark": 0.12 * picture, "bright": 3 * picture + 40,
            "blurred": cv2.GaussianBlur(picture, (0, 0), 4), "one-sided": picture * shade,
            "backlit": 0.3 * picture * person + 240 * (1 - person),
        }  # fmt: skip
        for name, pixels in cases.items():
            noisy = pixels + rng.normal(0, 0.6, pixels.shape)
            lines.append({"oval": encoded(noisy, 144, 192), "around": encoded(noisy, 32, 24, oval=False)})
            expected.append(name.partition(",")[0])
    told = [answer["hint"] for answer in asked(lines)]
    wrong = [(want, got) for want, got in zip(expected, told, strict=True) if want != got and (want, got) != ("backlit", "dark")]
    assert not [pair for pair in wrong if pair[0] == "good"], wrong
    assert len(wrong) <= 1, wrong
