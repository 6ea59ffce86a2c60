from __future__ import annotations

import asyncio
import time
from typing import Any

import av
import numpy as np
import pytest
from aiortc import RTCPeerConnection
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    HeaderExtensionsMap,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    RtpPacket,
    is_rtcp,
    pack_remb_fci,
)

from models.errors import MissingPartError
from realtime.encoder import LiveH264Encoder, LiveVp8Encoder
from realtime.sending import TOO_OLD, LiveSender, make_live
from realtime.tracks import AvatarTrack

CODEC = RTCRtpCodecParameters("video/VP8", 90_000, payloadType=97)
MOST = 2_500_000
noise = np.random.default_rng(0)


class Wire:
    """In place of the DTLS transport: what leaves, with its time."""

    state = "connected"

    def __init__(self) -> None:
        self.left: list[tuple[float, bytes]] = []

    async def _send_rtp(self, data: bytes) -> None:
        self.left.append((time.monotonic(), data))

    def rtp(self) -> list[RtpPacket]:
        return [RtpPacket.parse(data) for _, data in self.left if not is_rtcp(data)]

    def reports(self) -> list[RtcpSrPacket]:
        return [p for _, d in self.left if is_rtcp(d) for p in RtcpPacket.parse(d) if isinstance(p, RtcpSrPacket)]

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def picture() -> av.VideoFrame:
    """Nothing that a codec could predict."""
    return av.VideoFrame.from_ndarray(noise.integers(0, 256, (192, 128), np.uint8), format="yuv420p")


class Sending:
    """A live sender that runs on a wire; `show` sends pictures at 30 a second."""

    def __init__(self) -> None:
        self.pc, self.wire, self.track = RTCPeerConnection(), Wire(), AvatarTrack()
        sender = self.pc.addTransceiver(self.track).sender
        self.sender = make_live(sender, "VP8", MOST)
        self.sender.setTransport(self.wire)  # type: ignore[arg-type]

    async def __aenter__(self) -> Sending:
        self.tasks = [asyncio.create_task(self.sender._run_rtp(CODEC)), asyncio.create_task(self.sender._run_rtcp())]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)
        await self.pc.close()

    async def show(self, count: int) -> None:
        for _ in range(count):
            self.track.deliver(picture())
            await asyncio.sleep(1 / 30)

    def keyframes(self) -> int:
        """Their first packet has the S bit, and the P bit of the frame header is clear (RFC 7741, 4.2 and 4.3)."""
        starts = [p.payload for p in self.wire.rtp() if p.payload[0] & 0x10]
        return sum(not payload[4] & 1 for payload in starts)

    async def hear(self, packet: Any) -> None:
        await self.sender._handle_rtcp_packet(packet)


async def test_a_storm_of_keyframe_requests_makes_one_a_second() -> None:
    async with Sending() as sending:
        start = time.monotonic()
        for _ in range(18):
            await sending.hear(RtcpPsfbPacket(RTCP_PSFB_PLI, 1, sending.sender._ssrc))
            await sending.show(1)
        assert 1 <= sending.keyframes() <= 2 + int(time.monotonic() - start)  # the first picture is one


async def test_a_lost_packet_is_sent_again_only_while_it_is_young() -> None:
    async with Sending() as sending:
        await sending.show(6)
        number = sending.wire.rtp()[-1].sequence_number
        nack = RtcpRtpfbPacket(RTCP_RTPFB_NACK, 1, sending.sender._ssrc, [number])
        for pause, times in ((0.0, 2), (TOO_OLD + 0.05, 2)):
            await asyncio.sleep(pause)
            await sending.hear(nack)
            assert [p.sequence_number for p in sending.wire.rtp()].count(number) == times


async def test_packets_keep_to_the_rate_and_say_when_they_left(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Sending() as sending:
        sending.sender.control.estimate(200_000, time.monotonic())
        extensions = HeaderExtensionsMap()
        extensions._HeaderExtensionsMap__ids.abs_send_time = 3  # type: ignore[attr-defined]
        monkeypatch.setattr(sending.sender, "_RTCRtpSender__rtp_header_extensions_map", extensions)
        monkeypatch.setattr(sending.sender.control, "_rate", 200_000.0)
        monkeypatch.setattr(sending.sender.control, "_most", 200_000.0)
        await sending.show(30)
        rtp = [(when, data) for when, data in sending.wire.left if not is_rtcp(data)]
        span = rtp[-1][0] - rtp[0][0]
        assert 8 * sum(len(data) for _, data in rtp[1:]) / span < 1.5 * 200_000
        stamps = [RtpPacket.parse(data, extensions).extensions.abs_send_time for _, data in rtp]
        said = np.diff(np.array(stamps, float)) % (1 << 24) / (1 << 18)
        apart = np.abs(said - np.diff([when for when, _ in rtp]))  # a wait before leaving is not the line's
        assert np.mean(apart < 0.02) > 0.9, "but where the machine did something else in between"


async def test_round_trips_and_estimates_reach_the_rate_control() -> None:
    async with Sending() as sending:
        while not sending.wire.reports():
            await sending.show(1)
        await sending.show(20)
        _, *more = sending.wire.reports()
        assert len(more) >= 2, "one report a second is too few"
        stamps = [report.sender_info.rtp_timestamp for report in more]
        assert stamps == sorted(stamps) and stamps[-1] > stamps[0]
        heard: list[Any] = []
        sending.sender.control.report = lambda *told: bool(heard.append(told))  # type: ignore[method-assign]
        sending.sender.control.estimate = lambda *told: bool(heard.append(told))  # type: ignore[method-assign]
        middle = more[-1].sender_info.ntp_timestamp >> 16 & 0xFFFFFFFF
        info = RtcpReceiverInfo(sending.sender._ssrc, 0, 7, 4711, 0, middle, 0)
        await sending.hear(RtcpRrPacket(1, [info]))
        await sending.hear(RtcpRrPacket(1, [info]))
        assert heard[0][:2] == (7, 4711) and 0 <= heard[0][2] < 2.0 and heard[1][2] is None  # told once a report
        await sending.hear(RtcpPsfbPacket(RTCP_PSFB_APP, 1, 0, pack_remb_fci(300_000, [sending.sender._ssrc])))
        assert heard[2][0] == pytest.approx(300_000, rel=0.01)
        await sending.hear(RtcpPsfbPacket(RTCP_PSFB_APP, 1, 0, b"not a REMB"))
        assert len(heard) == 3


async def test_aiortc_still_has_the_places_we_put_ours_in() -> None:
    pc = RTCPeerConnection()
    for name, encoder in (("VP8", LiveVp8Encoder), ("h264", LiveH264Encoder)):
        sender = make_live(pc.addTransceiver("video").sender, name, MOST)
        assert isinstance(sender, LiveSender) and isinstance(sender.encoder, encoder)
    with pytest.raises(MissingPartError):
        make_live(sender, "VP8", MOST)
    await pc.close()
