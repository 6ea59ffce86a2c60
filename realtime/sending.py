"""A video sender that keeps to the capacity of its line: rate control, pacing, limits on keyframes and on retransmission.

aiortc's sender sends a picture's packets all at once, answers each request for a lost packet (NACK) however late, makes a
keyframe for each request (PLI and FIR, RFC 4585 and 5104), and passes no report on. On a narrow line these make each other
worse: retransmissions fill the line, more is lost, and each keyframe is ten pictures long. Here

- packets of a picture leave at a pace; while they do, newer pictures overtake each other in the track (latest wins);
- keyframes are made at most every `KEYFRAMES` seconds;
- pages that see the same share an encoder (realtime/shared_encoding.py);
- packets older than `TOO_OLD`, or asked for while the line is full, are not sent again; a keyframe replaces them soon.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections import OrderedDict
from typing import Any

from aiortc import RTCRtpSender, clock
from aiortc.mediastreams import VIDEO_CLOCK_RATE
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtcrtpsender import RTCEncodedFrame
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_SR,
    RTP_HISTORY_SIZE,
    AnyRtcpPacket,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpSrPacket,
    RtpPacket,
    is_rtcp,
    unpack_remb_fci,
)

from models.errors import MissingPartError
from realtime.encoder import DEFAULT_BITRATE, LiveH264Encoder, LiveVp8Encoder
from realtime.pacing import WIDE, Pacer, pace
from realtime.playout_delay import PromptExtensions
from realtime.rate_control import RateControl
from realtime.shared_encoding import Line, SharedEncoding
from realtime.tracks import AvatarTrack

TOO_OLD = 0.3
"""Seconds after which a lost packet is not sent again: the picture that it belongs to would be shown too late."""
KEYFRAMES = 1.0, 0.3
"""Least seconds between two keyframes, on a narrow line and on a wide one."""
OVERDUE = 2.0
"""Seconds since the last keyframe after which one that is asked for is made though the line seems full."""
WAITING = 0.1
"""Seconds of packets that may wait to leave when a lost one is to be sent again before them."""
REPORTS = 0.2
"""Seconds between sender reports."""
OVERRUN = 0.4
"""Seconds of rest for a line of which the queue has overflowed."""
REMEMBERED = 512
"""Packets whose time of sending is kept."""
_ENCODER = "_RTCRtpSender__encoder"
_REPORT = struct.Struct("!BBHLQLLL")
_HISTORY = "_RTCRtpSender__rtp_history"
_EXTENSIONS = "_RTCRtpSender__rtp_header_extensions_map"
_PARTS = (
    _ENCODER,
    _HISTORY,
    _EXTENSIONS,
    "_handle_rtcp_packet",
    "_next_encoded_frame",
    "_retransmit",
    "_send_keyframe",
    "transport",
)


class LiveSender(RTCRtpSender):
    """See the module. Made by `make_live`; lives on the event loop."""

    control: RateControl
    encoder: LiveVp8Encoder | LiveH264Encoder

    def begin(self, encoder: LiveVp8Encoder | LiveH264Encoder, most: int) -> None:
        """Before the first packet; `most`: bits a second."""
        self.control = RateControl(most)
        self.encoder = encoder
        setattr(self, _ENCODER, encoder)
        self._extensions = PromptExtensions()
        setattr(self, _EXTENSIONS, self._extensions)
        self._pacer = Pacer()
        self._left_at: OrderedDict[int, float] = OrderedDict()
        self._missed: OrderedDict[int, float] = OrderedDict()
        self._reported_at: OrderedDict[int, float] = OrderedDict()
        self._last_report, self._reported = b"", 0.0
        self._next_turn = 0.0
        self._sharing, self._shared = SharedEncoding(encoder), False
        self._keyframe_wanted = False
        self._last_keyframe = 0.0

    @property
    def transport(self) -> Any:
        """The connection's transport; RTP that aiortc sends by it goes through `_send_rtp` below."""
        return _Paced(self, super().transport)

    def hold_pictures(self, held: bool) -> None:
        """Whether the page may hold pictures back before it shows them."""
        self._extensions.held = held

    # Out

    async def send_rtp(self, transport: Any, data: bytes) -> None:
        """Send an RTP or RTCP packet of this sender when it is its turn."""
        if is_rtcp(data):
            self._note_report(data)
        else:
            sequence = int.from_bytes(data[2:4], "big")
            fresh = int.from_bytes(data[8:12], "big") == self._ssrc
            if fresh and self._pacer.wait(time.monotonic()) > 0:
                while (wait := self._pacer.wait(time.monotonic())) > 0:
                    await asyncio.sleep(wait)
                data = self._restamped(sequence, data)
            now = time.monotonic()
            self._pacer.sent(len(data), pace(self.control.rate(now), is_free=self.control.is_free(now)), now)
            self.control.sent(len(data), now)
            if fresh:
                _remember(self._left_at, sequence, now)
        await transport._send_rtp(data)

    def _restamped(self, sequence: int, data: bytes) -> bytes:
        """The packet with the present as its time of sending (abs-send-time), or its wait here would look like the line's."""
        packet = self._kept(sequence)
        if packet is None:
            return data
        packet.extensions.abs_send_time = clock.current_ntp_time() >> 14 & 0xFFFFFF
        renewed: bytes = packet.serialize(getattr(self, _EXTENSIONS))
        return renewed

    def _kept(self, sequence: int) -> RtpPacket | None:
        packet: RtpPacket | None = getattr(self, _HISTORY).get(sequence % RTP_HISTORY_SIZE)
        return packet if packet is not None and packet.sequence_number == sequence else None

    def _note_report(self, data: bytes) -> None:
        """Remember when a sender report leaves, by the middle of its NTP time, which comes back in receiver reports."""
        if data[1] == RTCP_SR and len(data) >= _REPORT.size:
            self._last_report = data[: _REPORT.size]
            self._reported = time.monotonic()
            _remember(self._reported_at, int.from_bytes(data[10:14], "big"), self._reported)

    async def _report_again(self, now: float) -> None:
        """aiortc reports about once a second; the round trips of more reports show a queue while it is still short."""
        since = now - self._reported
        if self._last_report and since >= REPORTS:
            head, kind, _, ssrc, ntp, rtp, packets, octets = _REPORT.unpack(self._last_report)
            ntp, rtp = ntp + round(since * (1 << 32)), rtp + round(since * VIDEO_CLOCK_RATE)
            report = _REPORT.pack(head, kind, _REPORT.size // 4 - 1, ssrc, ntp, rtp & 0xFFFFFFFF, packets, octets)
            await self.transport._send_rtp(report)

    async def _next_encoded_frame(self, codec: RTCRtpCodecParameters) -> RTCEncodedFrame | None:
        now = time.monotonic()
        interval = 0.0 if self._shared else self.control.interval
        while (wait := max(self._next_turn - now, self._pacer.wait(now))) > 0:
            await asyncio.sleep(wait)
            now = time.monotonic()
        self._next_turn = max(self._next_turn, now - interval / 2) + interval
        await self._report_again(now)
        rate = self.control.rate(now)
        if isinstance(self.track, AvatarTrack) and self._shares(self.track, rate, now):
            encoded = await self._sharing.next(self.track)
            return None if encoded is None or not self._enabled else RTCEncodedFrame(*encoded, None)  # type: ignore[arg-type]
        gap = OVERDUE if self.control.is_full(now) else KEYFRAMES[rate >= WIDE]
        if self._keyframe_wanted and now - self._last_keyframe >= gap:
            self._keyframe_wanted, self._last_keyframe = False, now
            super()._send_keyframe()
        self.encoder.rate = rate
        return await super()._next_encoded_frame(codec)

    def _shares(self, track: AvatarTrack, rate: int, now: float) -> bool:
        """Whether the next picture comes from an encoder that others use as well."""
        was_shared = self._shared
        has_lost, control = was_shared and self._keyframe_wanted, self.control
        line = Line(rate, control.interval, is_full=control.is_full(now), has_lost=has_lost, climbs=control.climbs)
        self._shared = self._sharing.shares(track.stream, line, now)
        if self._shared:
            self._keyframe_wanted = False
        elif was_shared:
            self._keyframe_wanted, self._last_keyframe = True, 0.0
        return self._shared

    # In

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        now = time.monotonic()
        if isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
            self._take_estimate(packet, now)
            return
        if isinstance(packet, (RtcpRrPacket, RtcpSrPacket)):
            for report in packet.reports:
                if report.ssrc == self._ssrc:
                    left = self._reported_at.pop(report.lsr, None)
                    trip = None if left is None else max(0.0, now - left - report.dlsr / 65536)
                    if self.control.report(report.packets_lost, report.highest_sequence, trip, now):
                        self._pacer.pause(self.control.queue, now)
        await super()._handle_rtcp_packet(packet)

    def _take_estimate(self, packet: RtcpPsfbPacket, now: float) -> None:
        try:
            bitrate, ssrcs = unpack_remb_fci(packet.fci)
        except ValueError:
            return  # another application's message
        if self._ssrc in ssrcs and self.control.estimate(bitrate, now):
            self._pacer.pause(OVERRUN, now)

    async def _retransmit(self, sequence_number: int) -> None:
        now = time.monotonic()
        if sequence_number not in self._missed:
            _remember(self._missed, sequence_number, now)
            if self.control.missing(self._left_at.get(sequence_number, 0.0), now):
                self._pacer.pause(OVERRUN, now)
        left, packet = self._left_at.get(sequence_number), self._kept(sequence_number)
        too_late = left is None or packet is None or now - left > TOO_OLD
        if packet is None or too_late or self.control.is_full(now) or self._pacer.wait(now) > WAITING:
            self._keyframe_wanted = True
        else:
            packet.extensions.abs_send_time = clock.current_ntp_time() >> 14 & 0xFFFFFF
            await super()._retransmit(sequence_number)

    def _send_keyframe(self) -> None:
        self._keyframe_wanted = True


class _Paced:
    """A transport whose RTP goes through the sender's pacer; the rest is the transport's."""

    def __init__(self, sender: LiveSender, transport: Any) -> None:
        self._sender, self._transport = sender, transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    async def _send_rtp(self, data: bytes) -> None:
        await self._sender.send_rtp(self._transport, data)


def _remember(moments: OrderedDict[int, float], key: int, now: float) -> None:
    moments.pop(key, None)
    moments[key] = now
    if len(moments) > REMEMBERED:
        moments.popitem(last=False)


def make_live(sender: RTCRtpSender, codec_name: str, most: int = DEFAULT_BITRATE) -> LiveSender:
    """Make a video sender that has not started yet a `LiveSender` with our encoder for the negotiated codec.

    aiortc makes its senders itself and offers no place for another class or encoder, so the object is given ours.
    """
    if type(sender) is not RTCRtpSender or not all(hasattr(sender, part) for part in _PARTS):
        raise MissingPartError("aiortc 1.14 to 1.16 was expected, another layout was found; install aiortc==1.16.*")
    sender.__class__ = LiveSender
    assert isinstance(sender, LiveSender)
    sender.begin(LiveH264Encoder(most) if codec_name.upper() == "H264" else LiveVp8Encoder(most), most)
    return sender
