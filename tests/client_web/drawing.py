"""The mock server's pictures: drawn heads that turn with the page's camera."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from server.call.protocol import Participant, ViewerCamera

SIZE, MASKED = 512, 496
"""Pixels: of a picture to a side, and the rows of one with a mask."""
HAIR = ("#3a2a22", "#7a4a2a", "#1d1d26", "#8a7a5a")
CLOTHES = ("#44635d", "#5a4a78", "#8a4a3a", "#3a5a86")


def cells(count: int) -> list[tuple[float, float, float, float]]:
    """left, top, width, height of each of `count` heads, in parts of the picture."""
    columns = math.ceil(math.sqrt(count)) if count else 1
    rows = math.ceil(count / columns)
    w, h = 1 / columns, 1 / max(1, rows)
    return [(i % columns * w, i // columns * h, w, h) for i in range(count)]


def draw_room(people: list[Participant], camera: ViewerCamera, seconds: float, behind: str = "white") -> np.ndarray:
    """(512, 512, 3) uint8."""
    image = Image.new("RGB", (SIZE, SIZE), behind)
    for person, (left, top, width, height) in zip(people, cells(len(people)), strict=True):
        if person.seated:
            part = Image.new("RGB", (round(SIZE * width), round(SIZE * height)), behind)
            draw_face(ImageDraw.Draw(part), part.width, part.height, camera, seconds + person.id, person.id)
            image.paste(part, (round(SIZE * left), round(SIZE * top)))
    return np.asarray(image)


def with_mask(picture: np.ndarray) -> np.ndarray:
    """The picture's first rows (496, 512, 3), and below them the mask of what differs from the first pixel, (248, 512, 3)."""
    picture = picture[:MASKED]
    mask = np.uint8(255) * (picture != picture[0, 0]).any(axis=2)
    return np.concatenate([picture, np.repeat(mask[::2, :, None], 3, axis=2)])


def portrait(name: str) -> Image.Image:
    """The picture of an avatar in the lobby."""
    image = Image.new("RGB", (192, 192), "white")
    draw_face(ImageDraw.Draw(image), 192, 192, ViewerCamera(), 1.0, ord(name[0]))
    return image


def draw_face(draw: ImageDraw.ImageDraw, width: int, height: int, camera: ViewerCamera, seconds: float, kind: int) -> None:
    """A head in the middle. Eyes and mouth are seen only from in front."""
    r = 0.24 * min(width, height) * 0.9 / camera.distance
    cx, cy = 0.5 * width, 0.46 * height + 0.008 * height * math.sin(2 * seconds)
    hair = HAIR[kind % len(HAIR)]

    def oval(yaw: float, up: float, rx: float, ry: float, colour: str) -> None:
        """A patch on the head at an angle to the nose, foreshortened."""
        angle = yaw - camera.yaw
        if math.cos(angle) > 0.15:
            x = cx + r * math.sin(angle)
            y = cy - r * up + r * math.sin(camera.pitch) * math.cos(angle)
            w, h = r * rx * math.cos(angle), r * ry
            draw.ellipse((x - w, y - h, x + w, y + h), fill=colour)

    draw.ellipse((cx - 2.0 * r, cy + 1.35 * r, cx + 2.0 * r, cy + 4.4 * r), fill=CLOTHES[kind % len(CLOTHES)])
    draw.rounded_rectangle((cx - 0.42 * r, cy + 0.7 * r, cx + 0.42 * r, cy + 1.65 * r), 0.4 * r, fill="#cf9c7e")
    draw.ellipse((cx - 1.08 * r, cy - 1.45 * r, cx + 1.08 * r, cy + 1.0 * r), fill=hair)
    turn = r * 0.16 * math.sin(-camera.yaw)
    if math.cos(camera.yaw) > -0.2:
        draw.ellipse((cx - 0.9 * r + turn, cy - 1.05 * r, cx + 0.9 * r + turn, cy + 1.28 * r), fill="#e3b497")
    blink = 0.015 if seconds % 3.0 < 0.15 else 0.085
    for side in (-0.38, 0.38):
        oval(side, 0.16, 0.15, blink, "#ffffff")
        oval(side, 0.16, 0.075, min(blink, 0.075), "#33475b")
        oval(side, 0.40, 0.19, 0.03, hair)
    oval(0.0, -0.16, 0.09, 0.1, "#d39d80")
    oval(0.0, -0.6, 0.3, 0.07 + 0.05 * abs(math.sin(4 * seconds)), "#a84f4c")
