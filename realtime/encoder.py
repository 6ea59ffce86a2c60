"""Our own encoders behind aiortc's packetizers: bitrates for 512x512 pictures, steady rate changes, one thread each.

aiortc's limits are module constants far below what a 512x512 face needs, and every change of the target by more than a tenth
makes a new VP8 encoder, with a keyframe and a hitch. Here the receiver's estimate (REMB, draft-alvestrand-rmcat-remb-03)
moves the target along a ladder: down at once when less passes than is sent, up one rung at a time and not more often than
every `CLIMB` seconds. H.264 changes its rate without a new encoder. Frames, not packets, go through the sender, so keyframe
requests (PLI and FIR, RFC 4585 and 5104) work as in aiortc.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from aiortc import RTCRtpSender
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.mediastreams import VIDEO_TIME_BASE
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from models.errors import MissingPartError
from realtime.timing import StageTimes

LADDER = (200_000, 350_000, 600_000, 1_000_000, 1_600_000, 2_500_000, 4_000_000, 6_000_000)
"""Bits a second."""
DEFAULT_BITRATE = 2_500_000
CLIMB = 2.0
"""Seconds between two steps up."""
RATE_WINDOW = 2.0
"""Seconds over which the bitrate that is sent is averaged."""
NARROW, ROOM = 0.9, 1.2
"""Estimates below and above these parts of what is sent mean: too much, and room for more."""
FRAME_RATE = 30
_ATTRIBUTE = "_RTCRtpSender__encoder"


class BitrateLadder:
    """The rung to encode at. Starts at the highest within `most`: a local network takes it, and any other soon says no.

    A receiver never believes in much more than what it gets. So a low estimate is a sign of a narrow network only when it is
    lower than what is being sent; while a still picture needs few bits, it says nothing.
    """

    def __init__(self, most: int = DEFAULT_BITRATE) -> None:
        self._rungs = [rung for rung in LADDER if rung < most] + [most]
        self._index = len(self._rungs) - 1
        self._changed = 0.0
        self._frames: deque[tuple[float, int]] = deque()

    @property
    def rung(self) -> int:
        """Bits a second to encode at."""
        return self._rungs[self._index]

    def sent(self, size: int, now: float) -> None:
        """A frame of `size` bytes was encoded."""
        self._frames.append((now, size))
        while self._frames[0][0] < now - RATE_WINDOW:
            self._frames.popleft()

    def estimate(self, bitrate: int, now: float) -> None:
        """The receiver believes that `bitrate` bits a second can pass."""
        sending = 8 * sum(size for when, size in self._frames if when >= now - RATE_WINDOW) / RATE_WINDOW
        if bitrate < NARROW * sending:
            while self._index > 0 and self.rung > bitrate:
                self._index -= 1
                self._changed = now
        elif bitrate >= ROOM * sending and self._index + 1 < len(self._rungs) and now - self._changed >= CLIMB:
            self._index += 1
            self._changed = now


class _Live:
    """What both encoders add: the ladder in place of aiortc's limits, and the times that encoding takes."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.ladder = BitrateLadder(most)
        self.times = StageTimes()

    @property
    def target_bitrate(self) -> int:
        """Bits a second; aiortc sets the receiver's estimate here."""
        return self.ladder.rung

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        self.ladder.estimate(bitrate, time.monotonic())


class LiveVp8Encoder(_Live, Vp8Encoder):
    """VP8 by libvpx, constant bitrate, realtime."""

    def encode(self, frame: Any, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """A yuv420p frame with 90 kHz time stamps -> RTP payloads (RFC 7741) and the time stamp."""
        with self.times.measure("encode"):
            codec: VideoCodecContext | None = self.codec
            if (
                codec is None
                or (codec.width, codec.height) != (frame.width, frame.height)
                or codec.bit_rate != self.target_bitrate
            ):
                codec = self.codec = _vp8(frame.width, frame.height, self.target_bitrate)
            frame.pict_type = PictureType.I if force_keyframe else PictureType.NONE
            frame.duration = VIDEO_TIME_BASE.denominator // FRAME_RATE
            data = b"".join(bytes(packet) for packet in codec.encode(frame))
            payloads = self._packetize(data, self.picture_id)
            self.picture_id = (self.picture_id + 1) % (1 << 15)
            self.ladder.sent(len(data), time.monotonic())
            return payloads, frame.pts


class LiveH264Encoder(_Live, H264Encoder):
    """H.264 constrained baseline by x264, without delay."""

    def encode(self, frame: Any, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """A yuv420p frame with 90 kHz time stamps -> RTP payloads (RFC 6184) and the time stamp."""
        with self.times.measure("encode"):
            payloads, stamp = super().encode(frame, force_keyframe)
            self.ladder.sent(sum(map(len, payloads)), time.monotonic())
            return payloads, stamp

    def _encode_frame(self, frame: av.VideoFrame, force_keyframe: bool) -> Iterator[bytes]:
        codec: VideoCodecContext | None = self.codec
        if codec is None or (codec.width, codec.height) != (frame.width, frame.height):
            codec = self.codec = _h264(frame.width, frame.height, self.target_bitrate)
        if codec.bit_rate != self.target_bitrate:
            codec.bit_rate = self.target_bitrate
        frame.pict_type = PictureType.I if force_keyframe else PictureType.NONE
        yield from self._split_bitstream(b"".join(bytes(packet) for packet in codec.encode(frame)))


def _vp8(width: int, height: int, bitrate: int) -> VideoCodecContext:
    codec = _context("libvpx", width, height, bitrate)
    codec.gop_size = 3000
    codec.qmin, codec.qmax = 2, 52
    codec.options = {
        "bufsize": str(bitrate // 2),
        "cpu-used": "-6",
        "deadline": "realtime",
        "lag-in-frames": "0",
        "maxrate": str(bitrate),
        "max-intra-rate": "600",
        "minrate": str(bitrate),
        "overshoot-pct": "15",
        "static-thresh": "1",
        "undershoot-pct": "100",
    }
    return codec


def _h264(width: int, height: int, bitrate: int) -> VideoCodecContext:
    codec = _context("libx264", width, height, bitrate)
    codec.gop_size = 3000
    codec.profile = "Baseline"
    codec.options = {"level": "31", "preset": "superfast", "tune": "zerolatency", "forced-idr": "1"}
    codec.options |= {"maxrate": str(bitrate), "bufsize": str(bitrate // 4)}  # or a keyframe takes a second to send
    return codec


def _context(name: str, width: int, height: int, bitrate: int) -> VideoCodecContext:
    codec = av.CodecContext.create(name, "w")
    assert isinstance(codec, VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
    codec.bit_rate = bitrate
    codec.time_base = VIDEO_TIME_BASE
    codec.framerate = Fraction(FRAME_RATE)
    codec.thread_count = 1
    return codec


def own_encoder(sender: RTCRtpSender, codec_name: str, most: int = DEFAULT_BITRATE) -> LiveVp8Encoder | LiveH264Encoder:
    """Give a video sender that has not started yet our encoder for the negotiated codec, and return it.

    aiortc makes an encoder when the first frame comes unless there is one; it offers no public way to bring one's own.
    """
    if not hasattr(sender, _ATTRIBUTE):
        raise MissingPartError("aiortc 1.14 to 1.16 was expected, another layout was found; install aiortc==1.16.*")
    encoder = LiveH264Encoder(most) if codec_name.upper() == "H264" else LiveVp8Encoder(most)
    setattr(sender, _ATTRIBUTE, encoder)
    return encoder
