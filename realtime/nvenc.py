"""H.264 by an NVIDIA GPU's own encoder (NVENC), where libavcodec can open it: most of their graphics cards have one, their cards
for computing (A100, H100, H200) have none.

It takes pictures from the host's memory and copies them by itself. A new rate makes it begin anew with a keyframe (libavcodec's
nvenc.c, `reconfig_encoder`: resetEncoder, forceIDR), so `wants_rate` lets it change seldom. A GPU takes only so many streams, and
none under 145 x 49 pixels: whoever gets no encoder here goes on with that of the processor.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import Any, cast

import av
from aiortc.mediastreams import VIDEO_TIME_BASE
from av.video.codeccontext import VideoCodecContext

log = logging.getLogger(__name__)

NAME = "h264_nvenc"
PROBE = 256
"""Pixels to a side of the picture with which it is tried."""
OPTIONS = {
    "preset": "p3", "tune": "ull", "profile": "baseline", "rc": "cbr", "multipass": "disabled", "zerolatency": "1", "delay": "0",
    "forced-idr": "1",
}  # fmt: skip
TOO_HIGH, TOO_LOW = 1.15, 0.8
"""Times the rate that is wanted: above the first it falls at once; under the second it rises, when `PATIENCE` is over."""
PATIENCE = 4.0
"""Seconds since the last change after which the rate may rise."""


@cache
def problem() -> str | None:
    """Why NVENC cannot be used here, in words that fit into a sentence; `None` where it can. Tried once, which takes part of a
    second with a GPU: not on an event loop."""
    try:
        codec = _opened(PROBE, PROBE, 30, 1_000_000, 2_000_000)
        frame = av.VideoFrame(PROBE, PROBE, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.pts = 0
        return None if codec.encode(frame) else "it gives its pictures late"
    except (av.FFmpegError, ValueError) as error:
        return f"it cannot be opened ({_reason(error)})"


def announce() -> None:
    """Say in one line of the log which encoder a server's pictures get. Not on an event loop: see `problem`."""
    why_not = problem()
    if why_not is None:
        log.info("pictures are encoded as H.264 by NVENC for pages that take it, else by the processor")
    else:
        log.info("pictures are encoded by the processor; NVENC is not used: %s", why_not)


def preferred(codecs: Sequence[Any]) -> list[Any]:
    """Codecs as aiortc lists them, H.264 first where NVENC encodes it."""
    return sorted(codecs, key=lambda codec: problem() is not None or codec.mimeType.lower() != "video/h264")


def opened(width: int, height: int, rate: int, bitrate: int, limit: int) -> VideoCodecContext | None:
    """An open encoder for yuv420p pictures, `rate` of them a second; `None` where there is none for this one. bitrate, limit:
    bits a second, usual and most."""
    if problem() is not None:
        return None
    try:
        return _opened(width, height, rate, bitrate, limit)
    except (av.FFmpegError, ValueError) as error:
        log.info("a stream is encoded by the processor: NVENC takes no other of its size (%s)", _reason(error))
        return None


def is_nvenc(codec: VideoCodecContext) -> bool:
    """Whether `opened` made it."""
    return codec.name == NAME


def wants_rate(has: int, wanted: int, since: float) -> bool:
    """Whether a change of the rate is worth a keyframe. has, wanted: bits a second. since: seconds since the last change."""
    return has > TOO_HIGH * wanted or (has < TOO_LOW * wanted and since > PATIENCE)


def _opened(width: int, height: int, rate: int, bitrate: int, limit: int) -> VideoCodecContext:
    codec = cast(VideoCodecContext, av.CodecContext.create(NAME, "w"))
    codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
    codec.bit_rate, codec.time_base, codec.framerate = bitrate, VIDEO_TIME_BASE, Fraction(rate)
    codec.gop_size, codec.max_b_frames = 3000, 0
    codec.options = {**OPTIONS, "maxrate": str(limit), "bufsize": str(limit // 4)}
    codec.open()
    return codec


def _reason(error: Exception) -> str:
    return re.sub(r"\s+", " ", getattr(error, "strerror", None) or str(error))[:160]
