"""Small recordings that tests make themselves."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

RATE = 44_100
RED, GREEN, BLUE, GREY = (200, 40, 40), (40, 180, 60), (50, 60, 190), (120, 120, 120)


def quarters(width: int, height: int, *colors: tuple[int, int, int]) -> NDArray[np.uint8]:
    """A picture (height, width, 3) of four flat quarters: top left, top right, bottom left, bottom right."""
    picture = np.empty((height, width, 3), np.uint8)
    y, x = height // 2, width // 2
    for place, color in zip((np.s_[:y, :x], np.s_[:y, x:], np.s_[y:, :x], np.s_[y:, x:]), colors, strict=True):
        picture[place] = color
    return picture


def write(
    path: Path,
    pictures: Sequence[NDArray[np.uint8]],
    times: Sequence[float] | None = None,
    *,
    fps: int = 25,
    tone: str | None = None,
    codec: str = "libx264",
    seconds: float | None = None,
    rate: int = RATE,
    options: dict[str, str] | None = None,
    aspect: Fraction | None = None,
) -> Path:
    """Record `pictures` (may be none), at `times` (default: evenly), with a 440 Hz sine in the codec `tone`."""
    length = seconds if seconds is not None else len(pictures) / fps
    with av.open(path, "w", container_options=options or {}) as container:
        video = sound = None
        if pictures:
            video = container.add_stream(codec, rate=fps, options={"crf": "10", "g": "10"} if codec == "libx264" else {})
            video.height, video.width = pictures[0].shape[:2]
            if aspect is not None:
                video.codec_context.sample_aspect_ratio = video.sample_aspect_ratio = aspect
            odd = video.height % 2 or video.width % 2
            video.pix_fmt = "yuv444p" if odd else "yuv420p"
            video.codec_context.time_base = Fraction(1, 1000)
        if tone is not None:
            sound = container.add_stream(tone, rate=rate, layout="mono")
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = round((times[i] if times is not None else i / fps) * 1000)
            frame.time_base = Fraction(1, 1000)
            container.mux(video.encode(frame))
        if video is not None:
            container.mux(video.encode(None))
        if sound is not None:
            wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(length * rate)) / rate).astype(np.float32)
            resampler = av.AudioResampler(sound.codec_context.format, "mono", rate, 1024)
            frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
            frame.rate, frame.pts = rate, 0  # type: ignore[attr-defined]
            for part in [*resampler.resample(frame), *resampler.resample(None)]:
                container.mux(sound.encode(part))
            container.mux(sound.encode(None))
    return path


def turn_clockwise(path: Path) -> None:
    """Mark the MP4's picture track to be shown turned by 90 degrees clockwise (ISO 14496-12, 8.3.2: the matrix in `tkhd`)."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    data[at : at + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def sound_of(path: Path) -> tuple[NDArray[np.float32], float]:
    """First channel of the sound, and the second at which it starts."""
    with av.open(path) as container:
        frames = list(container.decode(audio=0))
        wave = np.concatenate([frame.to_ndarray()[0].astype(np.float32) for frame in frames])
        return wave, float(frames[0].time)
