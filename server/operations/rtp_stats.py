"""What the peer connections of this process send and receive, added up: the members of W3C webrtc-stats, without anybody's name.

`RtpMeter` looks at one peer connection now and then and adds what is new. What a page reports of itself is cut to what can be.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiortc import RTCRtpReceiver, RTCRtpSender
from aiortc.mediastreams import VIDEO_CLOCK_RATE
from prometheus_client import CollectorRegistry, Counter, Histogram

REGISTRY = CollectorRegistry()
"""Of the whole process: connections end, what they sent stays counted."""
LONGEST = 60.0
"""Seconds; round trips and jitter that a page reports are taken to be no longer."""
_TRIPS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0)
_JITTER = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5)

BYTES_SENT = Counter("visavis_outbound_rtp_bytes_sent", "Bytes of pictures sent (bytesSent).", registry=REGISTRY)
PACKETS_SENT = Counter("visavis_outbound_rtp_packets_sent", "Packets of pictures sent (packetsSent).", registry=REGISTRY)
REMOTE_LOST = Counter(
    "visavis_remote_inbound_rtp_packets_lost", "Packets of pictures that pages miss (packetsLost).", registry=REGISTRY
)
ROUND_TRIP = Histogram(
    "visavis_remote_inbound_rtp_round_trip_time_seconds",
    "Round trips to pages, one a second and page (roundTripTime).",
    buckets=_TRIPS,
    registry=REGISTRY,
)
REMOTE_JITTER = Histogram(
    "visavis_remote_inbound_rtp_jitter_seconds",
    "Jitter that pages report, one a second and page (jitter).",
    buckets=_JITTER,
    registry=REGISTRY,
)
PACKETS_RECEIVED = Counter("visavis_inbound_rtp_packets_received", "Packets of webcams (packetsReceived).", registry=REGISTRY)
LOST = Counter("visavis_inbound_rtp_packets_lost", "Packets of webcams that did not come (packetsLost).", registry=REGISTRY)
JITTER = Histogram(
    "visavis_inbound_rtp_jitter_seconds", "Jitter of webcams, one a second and page (jitter).", buckets=_JITTER, registry=REGISTRY
)


class RtpMeter:
    """Of one peer connection."""

    def __init__(self) -> None:
        self._before: dict[tuple[str, int], int] = {}

    async def sample(self, sender: RTCRtpSender | None, receivers: Iterable[RTCRtpReceiver]) -> int:
        """Count what is new. sender: of the picture. Returns the bytes of picture sent since the last time."""
        sent = 0
        if sender is not None:
            for stats in (await sender.getStats()).values():
                if stats.type == "outbound-rtp":
                    sent = self._new("bytes", stats.ssrc, stats.bytesSent)
                    BYTES_SENT.inc(sent)
                    PACKETS_SENT.inc(self._new("packets", stats.ssrc, stats.packetsSent))
                elif stats.type == "remote-inbound-rtp":
                    self._heard_of_page(stats)
        for receiver in receivers:
            if receiver.track is not None and receiver.track.kind == "video":
                for stats in (await receiver.getStats()).values():
                    if stats.type == "inbound-rtp":
                        PACKETS_RECEIVED.inc(self._new("received", stats.ssrc, stats.packetsReceived))
                        LOST.inc(self._new("lost", stats.ssrc, stats.packetsLost))
                        JITTER.observe(_seconds(stats.jitter / VIDEO_CLOCK_RATE))
        return sent

    def _heard_of_page(self, stats: Any) -> None:
        sent = self._before.get(("packets", stats.ssrc), 0)
        REMOTE_LOST.inc(self._new("missed", 0, min(stats.packetsLost, sent) if sent else max(0, stats.packetsLost)))
        REMOTE_JITTER.observe(_seconds(stats.jitter / VIDEO_CLOCK_RATE))
        if stats.roundTripTime is not None:
            ROUND_TRIP.observe(_seconds(stats.roundTripTime))

    def _new(self, name: str, ssrc: int, now: int) -> int:
        """How much a count has grown; what fell, as when a late packet was no lost one, counts when it has come back."""
        before = self._before.get((name, ssrc), 0)
        self._before[name, ssrc] = max(before, now)
        return max(0, now - before)


def _seconds(value: float) -> float:
    return min(max(value, 0.0), LONGEST)
