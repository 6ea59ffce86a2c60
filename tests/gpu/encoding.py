"""NVENC in the acceptance: what it encodes can be decoded, comes at once, and how fast."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.gpu.table import NotRun, Row, at_least, at_most, reported

Rate = Callable[[Callable[[int], None]], float]
BITS, SIDE = 2_500_000, 512
LEAST_DB = 30.0
ENOUGH = 120.0
"""Pictures a second of 512 pixels: four pages."""
MOST_STREAMS = 16
"""That are opened to see how many the GPU takes."""


def nvenc(rate: Rate, side: int = SIDE) -> Iterator[Row]:
    """Rows of the live H.264 encoder where NVENC opens."""
    for module in ("av", "aiortc"):
        if importlib.util.find_spec(module) is None:
            raise NotRun(f"{module} is not installed; pictures are encoded with it")
    from realtime import nvenc as encoder

    if (why_not := encoder.problem()) is not None:
        raise NotRun(f"NVENC: {why_not}")
    import av

    from realtime.encoder import LiveH264Encoder

    live, decoder = LiveH264Encoder(BITS), av.CodecContext.create("h264", "r")
    worst, late, keyframes = 99.0, 0, 0
    for index in range(30):
        frame = picture(index, side)
        compressed = live.compress(frame)
        data = b"".join(b"\0\0\0\1" + unit for unit in compressed.parts)
        late += not data
        keyframes += compressed.keyframe
        seen = [*decoder.decode(av.Packet(data)), *([] if index < 29 else decoder.decode(None))] if data else []
        wanted = frame.to_ndarray().astype(float)
        if seen and index == 29:
            worst = float(-10 * np.log10(max(np.mean((seen[-1].to_ndarray() - wanted) ** 2) / 255**2, 1e-9)))
    if not encoder.is_nvenc(live.codec):
        raise ValueError("NVENC opens, and the live encoder does not use it")
    yield at_least("nvenc: a decoded picture, PSNR", worst, LEAST_DB, "dB")
    yield at_most("nvenc: pictures of thirty that did not come at once", late, 0)
    yield at_most("nvenc: keyframes of thirty pictures", keyframes, 1)
    frames = [picture(index, side) for index in range(8)]
    stamp = 30 * 3000

    def encode(index: int) -> None:
        frame = frames[index % len(frames)]
        frame.pts = stamp + 3000 * index
        live.compress(frame)

    yield at_least(f"nvenc: {side} px", rate(encode), ENOUGH, "/s")
    streams = [encoder.opened(side, side, 30, BITS, 2 * BITS) for _ in range(MOST_STREAMS)]
    yield reported("nvenc: streams at once", float(sum(stream is not None for stream in streams)), "", f"of {MOST_STREAMS}")


def picture(index: int, side: int) -> Any:
    """A yuv420p frame of soft shapes that move."""
    import av
    from aiortc.mediastreams import VIDEO_TIME_BASE

    y, x = np.mgrid[: 3 * side // 2, :side] / side
    values = 128 + 60 * np.sin(9 * x + 0.2 * index) * np.cos(7 * y - 0.1 * index)
    frame = av.VideoFrame.from_ndarray(values.astype(np.uint8), format="yuv420p")
    frame.pts, frame.time_base = 3000 * index, VIDEO_TIME_BASE
    return frame
