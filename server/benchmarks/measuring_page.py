"""Receiving pictures without decoding them: a measuring page counts those that a decoder could show.

A picture counts when all its packets have come, in time, and all pictures before it back to a keyframe did (RFC 7741, 4.1 and
RFC 6184, 5.1: the marker bit ends a picture). Everything that the sender hears of it stays aiortc's: receiver reports, estimates
of the bandwidth (REMB), requests for lost packets (NACK), and for a keyframe (PLI) where one of those came too late or never.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from aiortc import RTCRtpReceiver, RTCRtpTransceiver
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtp import RtpPacket

from models.errors import MissingPartError
from realtime.decoding import KeyframeRequests
from realtime.receiving import PromptJitterBuffer
from server.benchmarks.recorded_webcam import RecordedWebcam
from server.call_client import CallClient

_BUFFER = "_RTCRtpReceiver__jitter_buffer"
_VP8_START = b"\x9d\x01\x2a"
_SPS, _IDR = 7, 5


class PictureCounter(PromptJitterBuffer):
    """Puts pictures together as `PromptJitterBuffer`, and calls `count` for each that could be shown. Gives no frames away."""

    def __init__(self, count: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self._count, self._requests = count, KeyframeRequests(clock)
        self._is_broken = True

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Take a packet; returns whether to send a PLI, and never a frame."""
        lost, frame = super().add(packet)
        self._is_broken = self._is_broken or lost
        if frame is not None:
            self._is_broken = self._is_broken and not begins(frame.data)
            if self._is_broken:
                self._requests.request()
            else:
                self._count()
        return lost or (self._is_broken and self._requests.take()), None


def begins(data: bytes) -> bool:
    """Whether a decoder can begin with this picture: a keyframe of VP8 with its start code (RFC 6386, 9.1), or of H.264 with the
    parameters of its sequence (ITU-T H.264, 7.4.1.2.1)."""
    if data[3:6] == _VP8_START:
        return not data[0] & 1
    kinds = {unit[0] & 0x1F for unit in data.split(b"\0\0\1")[1:] if unit}
    return {_SPS, _IDR} <= kinds


class MeasuringPage(CallClient):
    """A page that takes next to nothing of the cores that it measures: it counts pictures instead of decoding them, and its
    webcam, if it has one, is a `RecordedWebcam`. `last_picture` stays empty."""

    def _prepare(self, picture: RTCRtpTransceiver) -> None:
        answer_keyframe_requests(picture)
        make_counting(picture.receiver, self._count)


class DecodingPage(CallClient):
    """A page that decodes as a `CallClient` does, with a `RecordedWebcam`."""

    def _prepare(self, picture: RTCRtpTransceiver) -> None:
        answer_keyframe_requests(picture)


def answer_keyframe_requests(picture: RTCRtpTransceiver) -> None:
    """Tell a `RecordedWebcam` of the keyframes that are asked for; aiortc tells its encoder, which has no work here."""
    webcam = picture.sender.track
    if isinstance(webcam, RecordedWebcam):
        picture.sender._send_keyframe = webcam.send_keyframe  # type: ignore[method-assign]


def make_counting(receiver: RTCRtpReceiver, count: Callable[[], None]) -> None:
    """Give a receiver of video that has not started yet a `PictureCounter`; aiortc offers no public way to choose one."""
    if not hasattr(receiver, _BUFFER):
        raise MissingPartError("aiortc 1.14 to 1.16 was expected, another layout was found; install aiortc==1.16.*")
    setattr(receiver, _BUFFER, PictureCounter(count))
