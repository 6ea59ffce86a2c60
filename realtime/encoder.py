"""Our own encoders behind aiortc's packetizers: bitrates for 512x512 pictures, steady rate changes, one thread each.

aiortc's limits are module constants far below what a 512x512 face needs, and every change of the target by more than a tenth
makes a new VP8 encoder, with a keyframe and a hitch. Here `rate` may be set before any picture and holds from that picture
on. Frames, not packets, go through the sender, so keyframe requests work as in aiortc.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.mediastreams import VIDEO_CLOCK_RATE, VIDEO_TIME_BASE
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from realtime import nvenc
from realtime.timing import StageTimes

DEFAULT_BITRATE = 2_500_000
"""Bits a second, at most."""
FRAME_RATE = 30
LONGEST_GAP = 0.1
"""Seconds; a picture after a longer pause has no more bits than one after this."""
PAYLOAD = 0.94
"""Part of the rate that remains for the picture's data beside headers and retransmissions."""
_STEADY = 0.3


@dataclass(frozen=True)
class Compressed:
    """A picture as a codec gives it, before it is cut into packets. parts: one bitstream of VP8, or the NAL units of H.264.
    keyframe: whether a decoder can begin with it. milliseconds: that encoding took."""

    parts: list[bytes]
    keyframe: bool
    milliseconds: float


class _Live(ABC):
    """Added to both encoders: the rate, the time between pictures, and the times that encoding takes."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = self.rate = most
        self.times = StageTimes()
        self._last = 0
        self._gap = 1 / FRAME_RATE

    @abstractmethod
    def compress(self, frame: av.VideoFrame, force_keyframe: bool = False) -> Compressed:
        """See the encoders."""

    @abstractmethod
    def packetize(self, compressed: Compressed) -> list[bytes]:
        """See the encoders."""

    def encode(self, frame: Any, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """A yuv420p frame with 90 kHz time stamps -> RTP payloads and the time stamp, as aiortc's senders ask for them."""
        return self.packetize(self.compress(frame, force_keyframe)), frame.pts

    def _done(self, parts: list[bytes], keyframe: bool, start: float) -> Compressed:
        milliseconds = (time.perf_counter() - start) * 1000
        self.times.add("encode", milliseconds)
        return Compressed(parts, keyframe, milliseconds)

    def _bits(self, stamp: int) -> float:
        """Bits for a picture with that time stamp, from the rate and the usual time between pictures."""
        gap = (stamp - self._last) / VIDEO_CLOCK_RATE
        self._gap += _STEADY * (min(max(gap, 1 / 120), LONGEST_GAP) - self._gap)
        self._last = stamp
        return PAYLOAD * self.rate * self._gap


class LiveVp8Encoder(_Live, Vp8Encoder):
    """VP8 by libvpx, constant bitrate, realtime.

    The codec's bitrate cannot be changed, but its time stamps can: less time passes in them when fewer bits are to be spent, and
    more when more are. So every rate holds at once, without a new codec and its keyframe.
    """

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self._time = 0

    def compress(self, frame: av.VideoFrame, force_keyframe: bool = False) -> Compressed:
        """A yuv420p frame with 90 kHz time stamps -> what `packetize` takes, of this encoder or of another one."""
        start = time.perf_counter()
        codec: VideoCodecContext | None = self.codec
        if codec is None or (codec.width, codec.height) != (frame.width, frame.height):
            codec = self.codec = _vp8(frame.width, frame.height, self.most)
        stamp = frame.pts
        assert stamp is not None
        step = max(1, round(VIDEO_CLOCK_RATE * self._bits(stamp) / self.most))
        frame.pict_type = PictureType.I if force_keyframe else PictureType.NONE
        frame.pts, frame.duration = self._time, step
        self._time += step
        packets = list(codec.encode(frame))
        frame.pts = stamp
        return self._done([b"".join(bytes(p) for p in packets)], any(p.is_keyframe for p in packets), start)

    def packetize(self, compressed: Compressed) -> list[bytes]:
        """RTP payloads (RFC 7741), with this stream's picture numbers."""
        payloads: list[bytes] = [p for part in compressed.parts for p in self._packetize(part, self.picture_id)]
        self.picture_id = (self.picture_id + 1) % (1 << 15)
        return payloads


class LiveH264Encoder(_Live, H264Encoder):
    """H.264 constrained baseline without delay, by NVENC where it is there (realtime/nvenc.py), else by x264. It takes each
    picture to last 1/30 s, however long it does."""

    _changed = 0  # time stamp of the picture since which the codec has its rate

    def compress(self, frame: av.VideoFrame, force_keyframe: bool = False) -> Compressed:
        """A yuv420p frame with 90 kHz time stamps -> what `packetize` takes, of this encoder or of another one."""
        start = time.perf_counter()
        assert frame.pts is not None
        bitrate = round(FRAME_RATE * self._bits(frame.pts))
        codec: VideoCodecContext | None = self.codec
        if codec is None or (codec.width, codec.height) != (frame.width, frame.height) or not self._fits(bitrate):
            codec = self._begin(frame, bitrate)
        since = (frame.pts - self._changed) / VIDEO_CLOCK_RATE
        has = codec.bit_rate or 0
        if nvenc.wants_rate(has, bitrate, since) if nvenc.is_nvenc(codec) else abs(has - bitrate) > 0.05 * bitrate:
            codec.bit_rate, self._changed = bitrate, frame.pts
        frame.pict_type = PictureType.I if force_keyframe else PictureType.NONE
        try:
            packets = list(codec.encode(frame))
        except av.FFmpegError:
            if not nvenc.is_nvenc(codec):
                raise
            packets = list(self._begin(frame, bitrate, on_gpu=False).encode(frame))  # the GPU may be gone; the call goes on
        units = list(self._split_bitstream(b"".join(bytes(p) for p in packets)))
        return self._done(units, any(p.is_keyframe for p in packets), start)

    def packetize(self, compressed: Compressed) -> list[bytes]:
        """RTP payloads (RFC 6184)."""
        return list(self._packetize(iter(compressed.parts)))

    def _begin(self, frame: av.VideoFrame, bitrate: int, *, on_gpu: bool = True) -> VideoCodecContext:
        self._limit, self._changed = 2 * bitrate, frame.pts or 0
        given = (frame.width, frame.height, FRAME_RATE, bitrate, self._limit)
        self.codec = (nvenc.opened(*given) if on_gpu else None) or _h264(frame.width, frame.height, bitrate, self._limit)
        return self.codec

    def _fits(self, bitrate: int) -> bool:
        """Whether the limit that the codec was made with, and cannot change, suits: it bounds the size of a keyframe."""
        return 0.2 * self._limit <= bitrate <= self._limit


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
        "max-intra-rate": "300",
        "minrate": str(bitrate),
        "overshoot-pct": "15",
        "static-thresh": "1",
        "undershoot-pct": "100",
    }
    return codec


def _h264(width: int, height: int, bitrate: int, limit: int) -> VideoCodecContext:
    codec = _context("libx264", width, height, bitrate)
    codec.gop_size = 3000
    codec.profile = "Baseline"
    codec.options = {"level": "31", "preset": "superfast", "tune": "zerolatency", "forced-idr": "1"}
    codec.options |= {"maxrate": str(limit), "bufsize": str(limit // 4)}  # or a keyframe takes a second to send
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
