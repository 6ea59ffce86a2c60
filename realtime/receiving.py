"""A jitter buffer for webcam video that does not hold frames back.

aiortc's own lets a frame go only when the next frame's first packet is there (33 ms late at 30 frames/s), and waits without
a time limit for a packet that never comes, up to 512 packets or about two seconds. This one lets a frame go with its last
packet, which carries the marker bit (RFC 7741, 4.1 for VP8; RFC 6184, 5.1 for H.264), and after `PATIENCE` skips to the
next whole frame and asks for a keyframe (PLI, RFC 4585, 6.3.1).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from aiortc import RTCRtpReceiver
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtp import RtpPacket

from models.errors import MissingPartError

PATIENCE = 0.25
"""Seconds to wait for a lost packet to be sent again; a round trip and its margin."""
CAPACITY = 512
_ATTRIBUTE = "_RTCRtpReceiver__jitter_buffer"


class PromptJitterBuffer(JitterBuffer):
    """See the module. Drop-in for `aiortc.jitterbuffer.JitterBuffer(capacity, is_video=True)`.

    `add` gives one frame for each packet at most; several that a late packet completes leave with the packets after it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(CAPACITY, is_video=True)
        self._clock = clock
        self._waiting_since: float | None = None

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Take a packet; returns whether to send a PLI, and a frame when one is complete."""
        lost, frame = super().add(packet)
        if frame is None or not frame.data:
            frame = self._take_marked()
        self._drop_padding()
        now = self._clock()
        if frame is not None or self._is_empty():
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = now
        elif now - self._waiting_since > PATIENCE:
            self._skip_to_next_frame()
            self._waiting_since = None
            lost, frame = True, self._take_marked()
        return lost, frame

    def _at(self, offset: int) -> RtpPacket | None:
        assert self._origin is not None
        return self._packets[(self._origin + offset) % self.capacity]

    def _is_empty(self) -> bool:
        return all(packet is None for packet in self._packets)

    def _take_marked(self) -> JitterFrame | None:
        first = self._at(0)
        if first is None:
            return None
        data = b""
        for offset in range(self.capacity):
            packet = self._at(offset)
            if packet is None or packet.timestamp != first.timestamp:
                return None
            data += packet._data  # type: ignore[attr-defined]  # aiortc puts the payload without descriptor here
            if packet.marker:
                self.remove(offset + 1)
                return JitterFrame(data, first.timestamp) if data else None
        return None

    def _drop_padding(self) -> None:
        """Packets without payload, sent to probe the bandwidth, would make an empty frame, which ends a decoder."""
        while (packet := self._at(0)) is not None and not packet._data:  # type: ignore[attr-defined]
            self.remove(1)

    def _skip_to_next_frame(self) -> None:
        """Move on to the first frame after the gap of which the first packet is known to be there."""
        offsets = [offset for offset in range(self.capacity) if self._at(offset) is not None]
        gap = next((o for o in range(self.capacity) if self._at(o) is None), self.capacity)
        for offset in offsets:
            packet, before = self._at(offset), self._at(offset - 1) if offset else None
            assert packet is not None
            if offset > gap and before is not None and before.timestamp != packet.timestamp:
                self.remove(offset)
                return
        self.remove(offsets[-1] + 1)


def make_prompt(receiver: RTCRtpReceiver) -> None:
    """Give a video receiver that has not started yet a `PromptJitterBuffer`; aiortc offers no public way to choose one."""
    if not hasattr(receiver, _ATTRIBUTE):
        raise MissingPartError("aiortc 1.14 to 1.16 was expected, another layout was found; install aiortc==1.16.*")
    setattr(receiver, _ATTRIBUTE, PromptJitterBuffer())
