"""A picture's way over a narrow line in virtual time: our rate control and pacer, a stand-in encoder, a bottleneck, and a
viewer with the receive-side estimator that browsers have (aiortc's port of libwebrtc's). A minute takes a second or two.

What is simplified: the encoder gives each picture the bits that it is told with some scatter, and a keyframe `KEYFRAME`
times as many; the way back from the viewer has a delay and no cap.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiortc.rate import RemoteBitrateEstimator

from realtime.pacing import WIDE, Pacer, pace
from realtime.rate_control import RateControl
from realtime.sending import KEYFRAMES, OVERDUE, OVERRUN, REPORTS, TOO_OLD, WAITING
from tests.network.bottleneck import Bottleneck, Line

PACKET = 1200
"""Bytes of payload."""
RTP, SRTP = 24, 10
"""Bytes of header with extensions, and of the authentication tag."""
KEYFRAME = 3.5
LEAST_PICTURE = 2500
"""Bits: the coarsest that a codec makes of a moving face."""
SOUND_PACKET, SOUND_INTERVAL = 110, 0.02


@dataclass
class _Picture:
    drawn: float
    keyframe: bool
    packets: int
    arrived: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Packet:
    """number: of the RTP packet. picture: index. place: within the picture. left: time of sending, seconds."""

    number: int
    picture: int
    place: int
    size: int
    left: float


class Simulation:
    """`run` it as long as wanted, change `line` in between, and read `shown`: (time, latency) of each picture, seconds."""

    def __init__(self, line: Line, most: int = 2_500_000, *, demand: float = 1e9, back: float = 0.02, seed: int = 0) -> None:
        """demand: bits a second that the picture needs at the best quality. back: delay of what the viewer says, seconds."""
        self.bottleneck = Bottleneck(line, seed)
        self.control, self.pacer = RateControl(most), Pacer()
        self.demand = demand
        self.shown: list[tuple[float, float]] = []
        self.sound: list[float] = []
        self.rates: list[tuple[float, int]] = []
        self.keyframes = self.resent = 0
        self.sound_sent = 0
        self._back = back
        self._random = random.Random(seed)
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = itertools.count()
        self.now = 0.0
        self._pictures: list[_Picture] = []
        self._kept: dict[int, Packet] = {}
        self._missed: set[int] = set()
        self._number = 0
        self._queue: list[tuple[int, int, int]] = []
        self._last_taken, self._gap = 0.0, 1 / 30
        self._next_turn = 0.0
        self._keyframe_wanted, self._last_keyframe = True, -10.0
        # the viewer
        self._estimator = RemoteBitrateEstimator()
        self._seen, self._received, self._decoded = -1, 0, -1
        self._report: tuple[float, float] | None = None
        self._asked: dict[int, float] = {}
        for work in (self._take_picture, self._say_sound, self._send_report, self._receive_report):
            self._at(0.0, work)

    def run(self, seconds: float) -> None:
        """Go on for so long."""
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            self.now, _, work, arguments = heapq.heappop(self._events)
            work(*arguments)
        self.now = end

    def _at(self, when: float, work: Callable[..., None], *arguments: Any) -> None:
        heapq.heappush(self._events, (max(when, self.now), next(self._count), work, arguments))

    # The server

    def _take_picture(self) -> None:
        now = self.now
        if (wait := max(self._next_turn - now, self.pacer.wait(now))) > 0:
            self._at(now + max(wait, 1e-3), self._take_picture)
            return
        interval = self.control.interval
        self._next_turn = max(self._next_turn, now - interval / 2) + interval
        rate = self.control.rate(now)
        self.rates.append((now, rate))
        self._gap += 0.3 * (min(now - self._last_taken, 0.1) - self._gap)
        self._last_taken = now
        least = OVERDUE if self.control.is_full(now) else KEYFRAMES[rate >= WIDE]
        keyframe = self._keyframe_wanted and now - self._last_keyframe >= least
        bits = 0.94 * min(rate, self.demand) * self._gap * self._random.lognormvariate(0, 0.2)
        if keyframe:
            self._keyframe_wanted, self._last_keyframe = False, now
            self.keyframes += 1
            bits *= KEYFRAME
        size = int(max(bits, LEAST_PICTURE) / 8)
        index, parts = len(self._pictures), -(-size // PACKET)
        self._pictures.append(_Picture(now, keyframe, parts))
        self._queue = [(index, place, min(PACKET, size - place * PACKET)) for place in range(parts)]
        self._send_next()

    def _send_next(self) -> None:
        if not self._queue:
            due = (int(self.now * 30) + 1) / 30  # the renderer's next picture
            self._at(due, self._take_picture)
            return
        if (wait := self.pacer.wait(self.now)) > 0:
            self._at(self.now + max(wait, 1e-3), self._send_next)
            return
        picture, place, size = self._queue.pop(0)
        self._number += 1
        self._kept[self._number] = Packet(self._number, picture, place, size, self.now)
        self._put(self._kept[self._number])
        self._send_next()

    def _put(self, packet: Packet) -> None:
        rate, is_free = self.control.rate(self.now), self.control.is_free(self.now)
        self.pacer.sent(packet.size + RTP, pace(rate, is_free=is_free), self.now)
        self.control.sent(packet.size + RTP, self.now)
        arrival = self.bottleneck.send(packet.size + RTP + SRTP, self.now)
        if arrival is not None:
            self._at(arrival, self._arrive, packet, self.now)

    def _say_sound(self) -> None:
        self.sound_sent += 1
        arrival = self.bottleneck.send(SOUND_PACKET, self.now)
        if arrival is not None:
            self.sound.append(arrival - self.now)
        self._at(self.now + SOUND_INTERVAL, self._say_sound)

    def _send_report(self) -> None:
        arrival = self.bottleneck.send(42, self.now)
        if arrival is not None:
            self._at(arrival, self._take_report, self.now)
        self._at(self.now + REPORTS, self._send_report)

    def _resend(self, number: int) -> None:
        packet = self._kept[number]
        if number not in self._missed:
            self._missed.add(number)
            if self.control.missing(packet.left, self.now):
                self.pacer.pause(OVERRUN, self.now)
        late = self.now - packet.left > TOO_OLD
        if late or self.control.is_full(self.now) or self.pacer.wait(self.now) > WAITING:
            self._keyframe_wanted = True
        else:
            self.resent += 1
            self._put(packet)

    def _hear_estimate(self, bitrate: int) -> None:
        if self.control.estimate(bitrate, self.now):
            self.pacer.pause(OVERRUN, self.now)

    def _hear_report(self, lost: int, highest: int, trip: float | None) -> None:
        if self.control.report(lost, highest, trip, self.now):
            self.pacer.pause(self.control.queue, self.now)

    # The viewer

    def _arrive(self, packet: Packet, left: float) -> None:
        milliseconds = int(self.now * 1000) + 1
        stamp = int(left * (1 << 18)) & 0xFFFFFF
        estimate = self._estimator.add(milliseconds, stamp, packet.size, 1)
        if estimate is not None:
            self._at(self.now + self._back, self._hear_estimate, estimate[0])
        self._received += packet.left == left
        for number in range(self._seen + 1, packet.number):
            self._at(self.now + 0.01, self._ask, number, 3)
        self._seen = max(self._seen, packet.number)
        self._asked[packet.number] = self.now
        self._pictures[packet.picture].arrived.add(packet.place)
        self._show(packet.picture)

    def _ask(self, number: int, times: int) -> None:
        if number > 0 and number not in self._asked and times:
            self._at(self.now + self._back, self._resend, number)
            self._at(self.now + 0.1, self._ask, number, times - 1)

    def _show(self, index: int) -> None:
        """Every picture that is whole and whose predecessor, or itself as a keyframe, can be decoded."""
        picture = self._pictures[index]
        if picture.keyframe and len(picture.arrived) == picture.packets and index > self._decoded:
            self._decoded = index - 1
        while self._decoded + 1 < len(self._pictures):
            following = self._pictures[self._decoded + 1]
            if len(following.arrived) < following.packets:
                return
            self._decoded += 1
            self.shown.append((self.now, self.now - following.drawn))

    def _take_report(self, left: float) -> None:
        self._report = left, self.now

    def _receive_report(self) -> None:
        trip = None
        if self._report is not None:
            left, arrived = self._report
            trip = arrived - left + self._back * self._random.uniform(1.0, 1.3)
            self._report = None
        lost = self._seen - self._received
        self._at(self.now + self._back, self._hear_report, lost, self._seen, trip)
        self._at(self.now + self._random.uniform(0.15, 0.25), self._receive_report)

    # What came of it

    def seen(self, start: float, end: float) -> tuple[float, float, float]:
        """Pictures a second, the longest time without one, and the median latency, from `start` to `end`, in seconds."""
        span = [row for row in self.shown if start <= row[0] < end]
        moments = [start, *(moment for moment, _ in span), end]
        latency = float(np.median([late for _, late in span])) if span else float("inf")
        return len(span) / (end - start), float(np.diff(moments).max()), latency
