"""How a page's webcam and microphone are received: a jitter buffer that does not hold frames back, and live decoding.

aiortc's own buffer releases a frame only when the next frame's first packet is there (33 ms late at 30 frames/s), and waits
without a time limit for a packet that never comes, up to 512 packets or about two seconds. The buffer here releases a frame with
its last packet, which carries the marker bit (RFC 7741, 4.1 for VP8; RFC 6184, 5.1 for H.264), and after `REORDER_WAIT` skips to
the next whole frame and asks for a keyframe (PLI, RFC 4585, 6.3.1). Decoding is in `realtime.decoding`, and how many bits the
page is told that it may send in `realtime.bitrate_estimator`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from aiortc import RTCRtpReceiver
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtp import RtpPacket

from models.errors import MissingPartError
from realtime.bitrate_estimator import BitrateEstimator
from realtime.decoding import KeyframeRequests, LiveDecoder, NewestFrames

REORDER_WAIT = 0.25
"""Seconds to wait for a lost packet to be sent again; a round trip and its margin."""
CAPACITY = 512
SOUND = 25
"""Decoded frames of sound, of 20 ms each, that may wait to be forwarded."""
_JITTER_BUFFER, _DECODER_QUEUE, _ESTIMATOR = (
    f"_RTCRtpReceiver__{name}" for name in ("jitter_buffer", "decoder_queue", "remote_bitrate_estimator")
)


class PromptJitterBuffer(JitterBuffer):
    """See the module. Drop-in for `aiortc.jitterbuffer.JitterBuffer(capacity, is_video=True)`.

    `add` gives one frame for each packet at most; several that a late packet completes leave with the packets after it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, keyframes: KeyframeRequests | None = None) -> None:
        """keyframes: requests of the decoder, which are sent with the next packet."""
        super().__init__(CAPACITY, is_video=True)
        self._clock, self._keyframes = clock, keyframes or KeyframeRequests(clock)
        self._waiting_since: float | None = None
        self._more = False

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Take a packet; returns whether to send a PLI, and a frame when one is complete."""
        lost, frame = super().add(packet)
        self._drop_padding()
        now = self._clock()
        if frame is not None or self._is_empty():
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = now
        elif now - self._waiting_since > REORDER_WAIT:
            self._skip_to_next_frame()
            self._waiting_since = None
            lost, frame = True, self._take_marked()
        return self._keyframes.take() or lost, frame

    def _remove_frame(self, sequence_number: int) -> JitterFrame | None:
        """The frame that this packet has completed. Most packets cannot have, and cost no walk through the frame."""
        packet, before, after = (self._packets[(sequence_number + i) % self.capacity] for i in (0, -1, 1))
        assert packet is not None
        ends_the_last = before is not None and before.timestamp != packet.timestamp  # for senders without marker bits
        if not (packet.marker or ends_the_last or after is not None or self._more):
            return None
        frame = super()._remove_frame(sequence_number)
        if frame is None or not frame.data:
            frame = self._take_marked()
        self._more = frame is not None
        return frame

    def _at(self, offset: int) -> RtpPacket | None:
        assert self._origin is not None
        return self._packets[(self._origin + offset) % self.capacity]

    def _is_empty(self) -> bool:
        return all(packet is None for packet in self._packets)

    def _take_marked(self) -> JitterFrame | None:
        first = self._at(0)
        if first is None:
            return None
        parts: list[bytes] = []
        for offset in range(self.capacity):
            packet = self._at(offset)
            if packet is None or packet.timestamp != first.timestamp:
                return None
            parts.append(packet._data)  # type: ignore[attr-defined]  # aiortc puts the payload without descriptor here
            if packet.marker:
                self.remove(offset + 1)
                data = b"".join(parts)
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
    """Give a receiver that has not started yet a `LiveDecoder`, and one of video a `PromptJitterBuffer` and a
    `BitrateEstimator` too.

    aiortc offers no public way to choose them. Call it on the event loop.
    """
    track = receiver.track
    if track is None:
        return  # it will never receive
    if not all(hasattr(receiver, name) for name in (_JITTER_BUFFER, _DECODER_QUEUE, _ESTIMATOR)) or not hasattr(track, "_queue"):
        raise MissingPartError("aiortc 1.14 to 1.16 was expected, another layout was found; install aiortc==1.16.*")
    video = track.kind == "video"
    track._queue = NewestFrames(1 if video else SOUND)
    keyframes = KeyframeRequests() if video else None
    setattr(receiver, _DECODER_QUEUE, LiveDecoder(track._queue, keyframes))
    if video:
        setattr(receiver, _JITTER_BUFFER, PromptJitterBuffer(keyframes=keyframes))
        setattr(receiver, _ESTIMATOR, BitrateEstimator())
