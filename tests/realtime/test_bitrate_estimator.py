"""The estimate of what a page may send, on lines of all kinds, in virtual time; and that a receiver of ours reports it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest
from aiortc.rate import RemoteBitrateEstimator

from realtime.bitrate_estimator import LOWEST, MEMORY, MOST, NEWEST, REPORT, START, BitrateEstimator
from tests.network.bottleneck import Bottleneck, Line

PACKET, BEAT, BACK = 1100, 1 / 30, 0.02
TOOK_OVER = 2.0
"""Seconds in which Chromium takes a report over at once; later it grows by `GROWTH` a second up to the last one."""
GROWTH = 1.08


class Page:
    """A webcam whose encoder fills what it is told, and a pacer; the server's estimator at the other end of a line."""

    def __init__(self, line: Line, *, demand: float = 1.7e6, seed: int = 0) -> None:
        self.now, self.rate, self.demand = 0.0, 300_000.0, demand
        self.bottleneck = Bottleneck(line, seed)
        self.estimator = BitrateEstimator(lambda: self.now)
        self.offset, self.drift = 57.0, 0.0
        """Of the page's clock, seconds, and seconds a second."""
        self.arrives: Callable[[float], float] = lambda arrival: arrival
        """When the server comes to read a packet that is there."""
        self.read: list[tuple[float, float, int]] = []
        """Of each packet: when, for how long it has waited, its size."""
        self.reports: list[tuple[float, int]] = []
        self._random = random.Random(seed)
        self._waiting: list[tuple[float, float, int]] = []

    def run(self, seconds: float) -> None:
        """A picture after the other; between them the server reads what has arrived."""
        end = self.now + seconds
        while self.now < end:
            start, rest = self.now, int(min(self.rate, self.demand) * BEAT / 8 * self._random.lognormvariate(0, 0.2))
            left = start
            while rest > 0:
                size, rest = min(rest, PACKET), rest - PACKET
                arrival = self.bottleneck.send(size, left)
                if arrival is not None:
                    self._waiting.append((self.arrives(arrival), left, size))
                left += 8 * size / (2.5 * self.rate)
            self._read(start + BEAT)
            self.rate = min(self.rate * GROWTH**BEAT, self.reports[-1][1] if self.reports else self.rate)

    def _read(self, until: float) -> None:
        self._waiting.sort()
        while self._waiting and self._waiting[0][0] <= until:
            arrival, left, size = self._waiting.pop(0)
            self.now = max(self.now, arrival)
            self.read.append((self.now, self.now - left - self.bottleneck.line.delay, size))
            sent = int((left * (1 + self.drift) + self.offset) % 64 * (1 << 18))
            report = self.estimator.add(0, sent, size, 7)
            if report is not None:
                assert report[1] == [7]
                self.reports.append((self.now, report[0]))
                self.rate = report[0] if self.now < TOOK_OVER else min(self.rate, report[0])
        self.now = until

    def latest(self, since: float) -> float:
        """The longest that any packet has waited since then, seconds."""
        return max(wait for when, wait, _ in self.read if when >= since)

    def used(self, since: float) -> float:
        """Bits a second that have arrived since then."""
        return 8 * sum(size for when, _, size in self.read if when >= since) / (self.now - since)


def test_a_free_line_is_used_from_the_start() -> None:
    page = Page(Line(delay=0.02))
    page.run(4)
    assert START <= page.reports[0][1] < 1.02 * START and page.reports[-1][1] == MOST
    assert page.used(2.0) > 0.8 * page.demand
    assert min(b - a for (a, _), (b, _) in zip(page.reports, page.reports[1:])) >= REPORT - 1e-9, "reports are not free"


@pytest.mark.parametrize("kilobits", [150, 300, 500, 1000])
def test_a_narrow_line_is_filled_and_hardly_waited_in(kilobits: float) -> None:
    page = Page(Line(rate=1000 * kilobits, queue=1.0, delay=0.02))
    page.run(40)
    assert page.latest(6.0) < 0.3 and page.used(6.0) > 0.6 * 1000 * kilobits


@pytest.mark.parametrize("kilobits", [300, 800])
def test_a_line_that_becomes_narrow_and_wide_again(kilobits: float) -> None:
    page = Page(Line(delay=0.02))
    page.run(10)
    page.bottleneck.line = Line(rate=1000 * kilobits, queue=1.0, delay=0.02)
    page.run(20)
    assert page.latest(15.0) < 0.3 and page.used(15.0) > 0.6 * 1000 * kilobits
    page.bottleneck.line = Line(delay=0.02)
    page.run(20)
    assert page.reports[-1][1] == MOST


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_jitter_loss_and_a_busy_server_are_no_narrow_line(seed: int) -> None:
    page, chance = Page(Line(delay=0.02, jitter=0.03, loss=0.05), seed=seed), random.Random(seed)
    page.arrives = lambda arrival: arrival + (0.06 if chance.random() < 0.3 else 0.0)
    page.run(10)
    page.arrives = lambda arrival: 0.3 * (arrival // 0.3 + 1) if arrival % 3 < 0.3 else arrival  # stands still for .3 s
    page.run(10)
    assert min(bits for when, bits in page.reports if when > 4) == MOST


def test_clocks_that_drift_and_wrap_and_a_longer_way() -> None:
    page = Page(Line(delay=0.02))
    page.drift = 2e-4
    page.run(70)
    assert page.reports[-1][1] == MOST, "64 s after the start the clock begins anew"
    page.bottleneck.line = Line(delay=0.25)
    page.run(MEMORY + 25)
    assert page.reports[-1][1] == MOST
    page.run(1)
    page.now += 40.0  # a camera that was off
    page.run(3)
    assert page.reports[-1][1] == MOST and min(bits for when, bits in page.reports if when > page.now - 3) == MOST


def test_a_line_that_hardly_carries_anything_keeps_the_least() -> None:
    page = Page(Line(rate=60_000, queue=0.5, delay=0.02))
    page.run(10)
    assert page.reports[-1][1] == LOWEST


def test_one_late_packet_of_a_few_says_nothing() -> None:
    now = 0.0
    estimator = BitrateEstimator(lambda: now)
    for number in range(NEWEST - 1):
        now = number * BEAT + 0.2 * (number > 0)
        report = estimator.add(0, int(number * BEAT * (1 << 18)), PACKET, 7)
        assert report is None or report[0] >= START


async def test_aiortc_calls_it_in_place_of_its_own() -> None:
    from aiortc import RTCPeerConnection

    from realtime.receiving import _ESTIMATOR, make_prompt

    page, server = RTCPeerConnection(), RTCPeerConnection()
    page.addTransceiver("video", direction="sendonly")
    await page.setLocalDescription(await page.createOffer())
    await server.setRemoteDescription(page.localDescription)
    receiver = server.getTransceivers()[0].receiver
    assert isinstance(getattr(receiver, _ESTIMATOR), RemoteBitrateEstimator)
    make_prompt(receiver)
    assert isinstance(getattr(receiver, _ESTIMATOR), BitrateEstimator)
    await asyncio.gather(page.close(), server.close())
