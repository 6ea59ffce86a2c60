"""A 4K webcam at 60 pictures a second through a whole call: `python -m tests.server.call.attacks.large_webcam [--seconds 30]`.

The page sends pictures that were encoded before, so that only the server works. Their brightness is a saw tooth that the
fake pipeline's pictures follow, so the delay from the webcam to the page's own picture is read from the pictures.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.codecs import CODECS
from aiortc.mediastreams import VIDEO_CLOCK_RATE, VIDEO_TIME_BASE, MediaStreamError
from av.video.frame import PictureType

from server.call_client import CallClient
from tests.server.call.attacks.stage import Stage, longest_gap, pictures, stage
from tests.server.call.serving import until

RATE, CYCLE, GROUP = 60, 120, 30
"""Pictures a second, until the brightness is the same again, and from keyframe to keyframe."""
LOW, HIGH = 30, 220
"""Brightness at the two ends of the saw tooth."""
SETTINGS: dict[str, dict[str, str]] = {
    "libvpx": {"deadline": "realtime", "cpu-used": "16", "lag-in-frames": "0", "error-resilient": "1"},
    "libx264": {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"},
}


def encoded(codec: str, width: int, height: int) -> list[bytes]:
    """`CYCLE` pictures of a still pattern that becomes brighter and brighter, as `codec` makes them."""
    context: Any = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate = Fraction(1, RATE), Fraction(RATE)
    context.bit_rate, context.gop_size, context.thread_count = 12_000_000, GROUP, 2
    context.options = SETTINGS[codec]
    columns, rows = np.arange(width, dtype=np.uint16), np.arange(height, dtype=np.uint16)[:, None]
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    pattern = (((columns // 64 + rows // 64) % 3) * 8).astype(np.uint8)
    found: list[bytes] = []
    for index in range(CYCLE):
        np.add(pattern, np.uint8(round(8 + _brightness(index) * 219 / 255)), out=planes[:height])
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts = index
        frame.pict_type = PictureType.I if index % GROUP == 0 else PictureType.NONE
        found += [bytes(packet) for packet in context.encode(frame)]
    return found + [bytes(packet) for packet in context.encode(None)]


def _brightness(index: int) -> float:
    return LOW + (HIGH - LOW) * (index % CYCLE) / CYCLE


class EncodedTrack(MediaStreamTrack):
    """A webcam whose pictures are sent as they are, in a loop. `start`: when the first one left, `time.monotonic`."""

    kind = "video"

    def __init__(self, packets: list[bytes]) -> None:
        super().__init__()
        self._packets, self._index = packets, 0
        self.start = 0.0

    async def recv(self) -> av.Packet:
        """The next picture when it is due."""
        if self.readyState != "live":
            raise MediaStreamError
        self.start = self.start or time.monotonic()
        await asyncio.sleep(self.start + self._index / RATE - time.monotonic())
        packet = av.Packet(self._packets[self._index % CYCLE])
        packet.pts, packet.time_base = self._index * VIDEO_CLOCK_RATE // RATE, VIDEO_TIME_BASE
        self._index += 1
        return packet


def delay(page: CallClient, track: EncodedTrack) -> float:
    """Seconds since the webcam's picture was sent of which the page shows the avatar now; at most `CYCLE` pictures."""
    frame = page.last_picture
    assert frame is not None
    green = float(frame.to_ndarray(format="rgb24")[16:-16, 16:-16, 1].mean())
    index = (green - LOW) / (HIGH - LOW) * CYCLE
    sent = (time.monotonic() - track.start) * RATE
    late = (sent - index + CYCLE / 8) % CYCLE - CYCLE / 8  # the codec changes the brightness by some pictures' worth
    return late / RATE


@dataclass
class Figures:
    """Of one call. delays: seconds, in the order in which they were read. memory: bytes by which the server grew while the
    call went on. shown: pictures a second of a viewer; gap: the longest that it had none while the person left, seconds.
    ports: media ports that were left over."""

    delays: list[float]
    memory: int
    shown: float
    gap: float
    ports: int


@contextmanager
def preferring(codec: str) -> Iterator[None]:
    """Offers of this process name only that codec for pictures."""
    kept = list(CODECS["video"])
    mime = "video/VP8" if codec == "libvpx" else "video/H264"
    CODECS["video"][:] = [c for c in kept if c.mimeType == mime or (c.mimeType == "video/rtx" and mime == "video/VP8")]
    try:
        yield
    finally:
        CODECS["video"][:] = kept


async def measure(server: Stage, packets: list[bytes], codec: str, seconds: float) -> Figures:
    """A viewer, and a person with that webcam for so long."""
    track = EncodedTrack(packets)
    async with server.page("viewer") as viewer:
        ports = len(server.media_ports)
        with preferring(codec):
            person = server.page("person", webcam=track)
            await person.__aenter__()
        await until(lambda: person.pictures > 30)
        await asyncio.sleep(1.0)
        memory, start, delays = server.memory, time.monotonic(), []
        while time.monotonic() < start + seconds:
            await asyncio.sleep(0.05)
            delays.append(delay(person, track))
        grown, shown = server.memory - memory, pictures(viewer, start) / (time.monotonic() - start)
        left = time.monotonic()
        await person.leave()
        while len(server.media_ports) > ports and time.monotonic() < left + 10:
            await asyncio.to_thread(server.status, 10.0)
        gap = longest_gap(viewer, left)
        return Figures(delays, grown, shown, gap, len(server.media_ports) - ports)


def main() -> None:
    """Print the figures for both codecs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each call")
    chosen = parser.parse_args()
    for codec in SETTINGS:
        packets = encoded(codec, 3840, 2160)
        with tempfile.TemporaryDirectory() as folder, stage(Path(folder)) as server:
            found = asyncio.run(measure(server, packets, codec, chosen.seconds))
        p50, p95 = np.percentile(found.delays, [50, 95])
        print(
            f"{codec}: {len(b''.join(packets)) * 8 / 2e6:.1f} Mbit/s; delay median {p50:.2f} s, 95 % {p95:.2f} s, last second "
            f"{np.median(found.delays[-20:]):.2f} s; memory grew by {found.memory / 1e6:.1f} MB; viewer {found.shown:.1f} "
            f"pictures/s, longest gap while the person leaves {found.gap:.2f} s; ports left over {found.ports}",
            flush=True,
        )


if __name__ == "__main__":
    main()
