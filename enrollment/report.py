"""Pictures of an avatar: a preview sheet of views and expressions, two previews for the avatar file, and a turntable."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from models import arkit, png, provenance
from models.avatar import Avatar, AvatarPoser
from models.heads.base import HeadModel, PersonHead, Pose, rotation_vector
from models.posture import body_under
from models.splat.base import Rasterizer
from models.splat.choose import best
from models.types import Camera, Gaussians

COLUMNS = 4
DISTANCE = 1.1
"""Metres from the camera to the axis of the head."""
PITCH = 4.0
"""Pitch of the camera, degrees; positive: from above."""
BUST, CHIN = -0.25, -0.17
"""Lowest heights in avatar space, metres, of a picture of head and shoulders (which fade out below) and of a picture of the
head."""
HEAD_WIDTH = 0.13
"""Half the width of the head for the framing, metres."""
MARGIN = 1.08
"""Height of a picture relative to what it shows."""
VISIBLE = 0.5
"""Opacity above which a Gaussian counts for the framing."""
THREE_QUARTER = 35.0
"""Yaw of the second preview, degrees."""
PREVIEW = 256
"""Side of a stored preview, pixels."""
TURNTABLE, SIDE = 24, 320
"""Pictures of a turntable, all around, and their side in pixels."""
WEBP_QUALITY = 82
LABEL = (120, 120, 120)
"""Colour of the labels."""


@dataclass(frozen=True)
class PreviewView:
    """View, expression and pose of one picture of a sheet. yaw: degrees around the head, 90 is the person's left. coefficients:
    by ARKit name. gaze: yaw and pitch of both eyes, radians. turn: rotation of the head, axis times angle, radians."""

    label: str
    yaw: float = 0.0
    coefficients: dict[str, float] = field(default_factory=dict)
    gaze: tuple[float, float] = (0.0, 0.0)
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def pose(self, person: PersonHead) -> Pose:
        """Pose of head, shoulders and eyes for this view."""
        head = np.eye(4)
        head[:3, :3] = rotation_vector(np.array(self.turn))
        return Pose(head, body_under(head, person.joints), np.tile(np.array(self.gaze, np.float32), (2, 1)))


AROUND = tuple(PreviewView("front" if yaw == 0 else "back" if yaw == 180 else f"{yaw}°", float(yaw)) for yaw in range(0, 360, 45))
EXPRESSIONS = (
    PreviewView("neutral"),
    PreviewView(
        "smile", coefficients={"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0, "cheekSquintLeft": 0.4, "cheekSquintRight": 0.4}
    ),
    PreviewView("jaw open", coefficients={"jawOpen": 0.8}),
    PreviewView("pucker", coefficients={"mouthPucker": 1.0}),
    PreviewView("blink", coefficients={"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}),
    PreviewView("brows up", coefficients={"browInnerUp": 1.0, "browOuterUpLeft": 1.0, "browOuterUpRight": 1.0}),
    PreviewView("looks aside", gaze=(0.4, 0.0)),
    PreviewView("tilted", turn=(0.1, 0.35, 0.2)),
)


class PreviewRenderer:
    """Draws one avatar with a camera at a fixed distance."""

    def __init__(self, avatar: Avatar, model: HeadModel, rasterizer: Rasterizer | None = None) -> None:
        self.poser = AvatarPoser(avatar, model)
        self.rasterizer = best() if rasterizer is None else rasterizer
        neutral = self.poser.pose(np.zeros(arkit.COUNT))
        self.bust, self.head = _framing(neutral, BUST), _framing(neutral, CHIN)

    def camera(self, view: PreviewView, size: int, *, close: bool = False) -> Camera:
        """The camera of a square picture of head and shoulders, or `close` of the head."""
        middle, height = self.head if close else self.bust
        return Camera.orbit(
            np.deg2rad(view.yaw), np.deg2rad(PITCH), DISTANCE, width=size, height=size,
            fov_y=float(2 * np.arctan(0.5 * MARGIN * height / DISTANCE)), target=(0.0, middle, 0.0),
        )  # fmt: skip

    def picture(self, view: PreviewView, size: int, *, close: bool = False) -> NDArray[np.uint8]:
        """(size, size, 3) uint8 on white, as `camera` sees it."""
        gaussians = self.poser.pose(np.array(arkit.vector(**view.coefficients)), view.pose(self.poser.person))
        color = self.rasterizer.render(gaussians, self.camera(view, size, close=close)).color
        return np.asarray(np.round(np.clip(color, 0, 1) * 255), np.uint8)


def _framing(gaussians: Gaussians, lowest: float) -> tuple[float, float]:
    """Height of the middle of the part above `lowest`, and the extent that a picture of that part must show, metres."""
    points = gaussians.means[(gaussians.opacities > VISIBLE) & (gaussians.means[:, 1] > lowest)]
    head = points[np.abs(points[:, 0]) < HEAD_WIDTH] if lowest == CHIN else points
    if not len(head):
        return 0.0, 0.4
    top = float(head[:, 1].max())
    across = 2 * float(np.linalg.norm(head[:, [0, 2]], axis=1).max())
    return 0.5 * (top + lowest), max(top - lowest, across)


def preview_sheet(avatar: Avatar, model: HeadModel, rasterizer: Rasterizer | None = None, size: int = 384) -> NDArray[np.uint8]:
    """Two rows of eight directions around and two rows of expressions and poses, labelled, (4 size, 4 size, 3) uint8 sRGB."""
    renderer = PreviewRenderer(avatar, model, rasterizer)
    views = (*AROUND, *EXPRESSIONS)
    sheet = Image.new("RGB", (COLUMNS * size, -(-len(views) // COLUMNS) * size), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(max(10, size // 24))
    for i, view in enumerate(views):
        x, y = i % COLUMNS * size, i // COLUMNS * size
        sheet.paste(Image.fromarray(renderer.picture(view, size, close=view in EXPRESSIONS)), (x, y))
        draw.text((x + size // 32, y + size // 48), view.label, LABEL, font)
    return provenance.label(np.asarray(sheet, np.uint8))


def previews(avatar: Avatar, model: HeadModel, rasterizer: Rasterizer | None = None) -> dict[str, bytes]:
    """Small PNG pictures by name, for `Avatar.previews`."""
    renderer = PreviewRenderer(avatar, model, rasterizer)
    views = {"front": PreviewView(""), "three_quarter": PreviewView("", THREE_QUARTER)}
    return {name: png.encode(renderer.picture(view, PREVIEW), 9) for name, view in views.items()}


def front(avatar: Avatar, model: HeadModel, rasterizer: Rasterizer | None = None) -> bytes:
    """The avatar from the front, a small PNG."""
    return png.encode(PreviewRenderer(avatar, model, rasterizer).picture(PreviewView(""), PREVIEW), 9)


def turntable(avatar: Avatar, model: HeadModel, rasterizer: Rasterizer | None = None) -> bytes:
    """The avatar from all around: `TURNTABLE` square pictures side by side in one WebP, the first from the front, then towards
    the person's left."""
    renderer = PreviewRenderer(avatar, model, rasterizer)
    views = [PreviewView("", 360.0 * i / TURNTABLE) for i in range(TURNTABLE)]
    stream = io.BytesIO()
    strip = Image.fromarray(np.hstack([renderer.picture(view, SIDE) for view in views]))
    strip.save(stream, "WEBP", quality=WEBP_QUALITY, xmp=provenance.XMP.encode())
    return stream.getvalue()
