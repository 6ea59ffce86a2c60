"""The webcam clip of the measuring page: a recording, frames, or the avatar itself with changing expressions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from models.video.reader import open_clip

Clip = str | Path | Sequence[NDArray[np.uint8]]

MOST_FRAMES = 300
OWN_FRAMES = 90


def own_clip(avatar_path: str | Path, size: tuple[int, int]) -> list[NDArray[np.uint8]]:
    """Three seconds of the avatar talking, blinking and turning its head; (H, W, 3) uint8 RGB frames of `size` (width,
    height) at 30 frames/s."""
    from models import avatar_file
    from models.heads.base import quaternion, rotation_vector
    from models.heads.registry import by_name
    from models.renderer import AvatarRenderer
    from models.splat.choose import best
    from models.types import DriveFrame

    avatar = avatar_file.load(Path(avatar_path))
    renderer = AvatarRenderer(avatar, by_name(avatar.head), best(), *size)
    frames = []
    for phase in np.linspace(0.0, 2 * np.pi, OWN_FRAMES, endpoint=False):
        lids = float(np.sin(3 * phase) > 0.9)
        face = DriveFrame.expression(
            jawOpen=0.25 - 0.25 * np.cos(6 * phase),
            mouthSmileLeft=max(0.0, np.sin(phase)),
            mouthSmileRight=max(0.0, np.sin(phase)),
            browInnerUp=max(0.0, -np.sin(phase)),
            eyeBlinkLeft=lids,
            eyeBlinkRight=lids,
        )
        turn = quaternion(rotation_vector(np.array([0.1 * np.sin(2 * phase), 0.35 * np.sin(phase), 0.0])))
        frames.append(renderer.render(DriveFrame(rotation=turn, coefficients=face.coefficients)))
    return frames


def load_clip(clip: Clip, size: tuple[int, int]) -> list[av.VideoFrame]:
    """The first frames of a clip as yuv420p of `size` (width, height). Raises `ClipError`."""
    if not isinstance(clip, str | Path):
        return [_fitted(rgb, size) for rgb in itertools.islice(clip, MOST_FRAMES)]
    return [_fitted(rgb, size) for rgb, _ in itertools.islice(open_clip(clip).frames(), MOST_FRAMES)]


def _fitted(picture: NDArray[np.uint8], size: tuple[int, int]) -> av.VideoFrame:
    """Scaled and cropped to fill `size` without stretching."""
    width, height = size
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    scale = max(width / frame.width, height / frame.height)
    wide, high = max(width, round(frame.width * scale)), max(height, round(frame.height * scale))
    rgb = frame.reformat(width=wide, height=high, format="rgb24").to_ndarray()
    left, top = (wide - width) // 2, (high - height) // 2
    cropped = np.ascontiguousarray(rgb[top : top + height, left : left + width])
    return av.VideoFrame.from_ndarray(cropped, format="rgb24").reformat(format="yuv420p")
