"""Webcams that are too much for a machine: real VP8 and H.264 of any size, encoded once and sent again and again."""

from __future__ import annotations

import asyncio
import functools
import time

import av
import numpy as np
from aiortc import RTCRtpReceiver
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpReceiveParameters
from aiortc.rtcrtpreceiver import RemoteStreamTrack
from aiortc.rtp import RTCP_PSFB_PLI, RtcpPacket, RtcpPsfbPacket, RtpPacket

CODECS = {"VP8": 96, "H264": 97}
"""Name -> payload type."""
ENCODERS = {"VP8": "libvpx", "H264": "libx264"}


@functools.cache
def encoded(codec: str, width: int, height: int, count: int = 2) -> list[bytes]:
    """A keyframe and `count` - 1 that need it; a picture with some detail, moving."""
    context = av.CodecContext.create(ENCODERS[codec], "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"  # type: ignore[attr-defined]
    context.bit_rate, context.framerate, context.gop_size = 8_000_000, 30, 3000  # type: ignore[attr-defined]
    fast = {"deadline": "realtime", "cpu-used": "16", "lag-in-frames": "0"}
    context.options = fast if codec == "VP8" else {"preset": "ultrafast", "tune": "zerolatency"}
    rng = np.random.default_rng(0)
    tile = rng.integers(0, 256, (height // 32 + 1, width // 32 + 1), np.uint8).repeat(32, 0).repeat(32, 1)
    packets: list[bytes] = []
    for index in range(count):
        frame = av.VideoFrame(width, height, "yuv420p")
        for plane, shape in zip(frame.planes, [(height, width)] + [(height // 2, width // 2)] * 2):
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(shape[0], plane.line_size)
            rows[:, : shape[1]] = np.roll(tile, 4 * index, 1)[: shape[0], : shape[1]]
        frame.pts = index
        packets += [bytes(packet) for packet in context.encode(frame)]  # type: ignore[attr-defined]
    return packets


class Transport:
    """The part of a DTLS transport that a receiver uses; counts the keyframe requests that go out."""

    state, _stats_id = "connected", "transport"

    def __init__(self) -> None:
        self.keyframes_wanted = 0

    def _register_rtp_receiver(self, *_: object) -> None: ...

    def _unregister_rtp_receiver(self, *_: object) -> None: ...

    async def _send_rtp(self, data: bytes) -> None:
        for packet in RtcpPacket.parse(data):
            self.keyframes_wanted += isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_PLI


class Webcam:
    """Sends `codec` at `rate` frames a second to a receiver, a keyframe whenever one is asked for."""

    def __init__(self, codec: str, width: int, height: int, rate: float, *, obeys: bool = True) -> None:
        self.transport = Transport()
        self.receiver = RTCRtpReceiver("video", self.transport)
        self.receiver._track = RemoteStreamTrack("video")
        self._payload_type = CODECS[codec]
        self._codec = RTCRtpCodecParameters(f"video/{codec}", 90_000, payloadType=self._payload_type)
        packetize = Vp8Encoder._packetize if codec == "VP8" else None
        self._frames = [
            packetize(frame, 0) if packetize else H264Encoder._packetize(H264Encoder._split_bitstream(frame))
            for frame in encoded(codec, width, height)
        ]
        self._rate, self._obeys = rate, obeys
        self._sequence = self._timestamp = 0
        self.sent: dict[int, float] = {}

    async def start(self) -> None:
        """Start the receiver; `make_prompt` it before."""
        await self.receiver.receive(RTCRtpReceiveParameters(codecs=[self._codec]))
        self.receiver._set_rtcp_ssrc(1)

    async def send(self, seconds: float) -> None:
        """Send for so long; frames that are overdue are left out. `sent` has the time by the frame's time stamp."""
        start, index, place, answered = time.monotonic(), 0, 0, 0
        first = self._timestamp
        while (now := time.monotonic()) < start + seconds:
            if self._obeys and self.transport.keyframes_wanted > answered:
                place, answered = 0, self.transport.keyframes_wanted
            self._timestamp = first + int(index * 90_000 / self._rate)
            self.sent[self._timestamp] = now
            payloads = self._frames[place]
            for number, payload in enumerate(payloads):
                packet = RtpPacket(self._payload_type, int(number == len(payloads) - 1), self._sequence, self._timestamp, 7)
                packet.payload = payload
                self._sequence = (self._sequence + 1) % 65_536
                await self.receiver._handle_rtp_packet(packet, int(now * 1000))
            place = place % (len(self._frames) - 1) + 1
            index = max(index + 1, int((time.monotonic() - start) * self._rate))
            await asyncio.sleep(max(0.0, start + index / self._rate - time.monotonic()))
