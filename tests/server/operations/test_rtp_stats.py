from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from server.operations import rtp_stats
from server.operations.rtp_stats import LONGEST, RtpMeter


class Part:
    """A sender or a receiver whose statistics a test sets."""

    track: Any = SimpleNamespace(kind="video")

    def __init__(self) -> None:
        self.stats: list[Any] = []

    async def getStats(self) -> dict[int, Any]:  # noqa: N802 (W3C name)
        return dict(enumerate(self.stats))


def value(name: str) -> float:
    found = rtp_stats.REGISTRY.get_sample_value(name)
    assert found is not None, name
    return found


SENT, MISSED = "visavis_outbound_rtp_bytes_sent_total", "visavis_remote_inbound_rtp_packets_lost_total"
TRIPS, TRIP_SUM = (f"visavis_remote_inbound_rtp_round_trip_time_seconds_{end}" for end in ("count", "sum"))


async def test_only_what_is_new_counts_and_a_page_cannot_make_it_up() -> None:
    sender: Any = Part()
    receiver: Any = Part()
    meter = RtpMeter()
    assert await meter.sample(None, []) == 0
    steps = [(1000, 10, 2, 0.25), (3000, 30, 5, 0.05), (3000, 30, 1 << 23, 1e9), (4000, 40, -5, -1.0), (4000, 40, 40, None)]
    begun = [value(name) for name in (SENT, MISSED, TRIPS, TRIP_SUM)]
    sent = []
    for octets, packets, lost, trip in steps:
        sender.stats = [
            SimpleNamespace(type="outbound-rtp", ssrc=1, bytesSent=octets, packetsSent=packets),
            SimpleNamespace(type="remote-inbound-rtp", ssrc=1, packetsLost=lost, jitter=900, roundTripTime=trip),
        ]
        sent.append(await meter.sample(sender, [receiver]))
    assert sent == [1000, 2000, 0, 1000, 0]
    grown = [value(name) - before for name, before in zip((SENT, MISSED, TRIPS, TRIP_SUM), begun, strict=True)]
    assert grown[:3] == [4000, 40, 4] and abs(grown[3] - (0.25 + 0.05 + LONGEST)) < 1e-6


async def test_webcams_count_and_microphones_do_not() -> None:
    camera: Any = Part()
    microphone: Any = Part()
    meter = RtpMeter()
    microphone.track = SimpleNamespace(kind="audio")
    name = "visavis_inbound_rtp_packets_received_total"
    for part in (camera, microphone):
        part.stats = [SimpleNamespace(type="inbound-rtp", ssrc=7, packetsReceived=5, packetsLost=1, jitter=90)]
    before = value(name)
    await meter.sample(None, [camera, microphone])
    assert value(name) - before == 5
