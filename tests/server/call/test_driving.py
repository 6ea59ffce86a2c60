"""The channel of drive frames: what pages may say, who gets what, and a whole call whose pages draw by themselves."""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from models import arkit
from models.errors import ProtocolError
from models.exchange import drive_frames
from models.exchange.drive_frames import KnownParts, SentFrame, pack_record
from models.types import DriveFrame
from realtime.room.record_table import Record
from server.call import driving
from server.call.driving import BACKLOG, DriveInput, DriveLine, DriveRelay
from server.call.protocol import Failure, Join, Place, RoomState, ViewerFrame
from server.call_client import CallClient
from tests.models.exchange.test_drive_frames import GOOD, some_frame
from tests.server.call.serving import rests, running, until

pytestmark = pytest.mark.timeout(240)
OWN = 7


def message(sequence: int, participant: int = OWN, value: float = 0.5, known: KnownParts = KnownParts.ALL) -> bytes:
    coefficients = np.zeros(arkit.COUNT, np.float32)
    coefficients[0] = value
    return drive_frames.encode([SentFrame(DriveFrame(coefficients=coefficients), participant, sequence, known)])


def taken(given: DriveInput, messages: list[tuple[int, float]]) -> list[bool]:
    """Whether each of (sequence, time) is taken."""
    return [given.take(message(sequence), now) is not None for sequence, now in messages]


def test_late_and_replayed_frames_are_dropped() -> None:
    times = [(5, 0.0), (6, 0.03), (6, 0.06), (5, 0.09), (7, 0.12), (65000, 0.15), (8, 0.18)]
    assert taken(DriveInput(OWN), times) == [True, True, False, False, True, False, True]
    assert taken(DriveInput(OWN), [(65535, 0.0), (0, 0.03)]) == [True, True], "it wraps"
    assert taken(DriveInput(OWN), [(500, 0.0), (1, 1.5)]) == [True, True], "a page that begins anew"


def test_sixty_frames_a_second_are_taken_and_a_flood_is_told() -> None:
    given = DriveInput(OWN)
    assert sum(taken(given, [(i, i / 90) for i in range(900)])) == pytest.approx(600, abs=15), "a headset's rate"
    calm = DriveInput(OWN)
    assert all(taken(calm, [(i, i / 30) for i in range(90)]))
    flooded = DriveInput(OWN)
    frames, told = 0, []
    for i in range(3000):
        try:
            frames += flooded.take(message(i), i / 1000) is not None
        except ProtocolError as error:
            told.append(str(error))
    assert frames <= 3 * 60 + 15 and len(told) > 1000 and all("60 drive frames a second" in sentence for sentence in told)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "0 bytes"),
        ("{}", "binary"),
        (b"\x01" + GOOD[1:], "version 1; reload the page"),
        (GOOD[:-1], "send whole ones"),
        (GOOD, "own number"),
        (message(1, participant=OWN + 1), "own number"),
        (drive_frames.encode([some_frame(0)] * 3), "own number"),
        (message(1)[:15] + b"\xff\x7f" * 3 + message(1)[21:], "quaternion"),
    ],
)
def test_lies_are_refused_in_one_sentence(data: Any, says: str) -> None:
    with pytest.raises(ProtocolError, match=re.escape(says)) as caught:
        DriveInput(OWN).take(data, 0.0)
    assert "\n" not in str(caught.value)
    with pytest.raises(ProtocolError, match="viewer"):
        DriveInput(-1).take(data, 0.0)


class Channel:
    """A data channel, and the transport below it, that keeps what is sent."""

    def __init__(self) -> None:
        self.transport, self._data_channel_queue = self, deque[Any]()
        self.readyState, self.bufferedAmount = "open", 0
        self.sent: list[bytes] = []
        self.listener: Callable[[Any], None] = lambda _: None

    def on(self, _event: str, listener: Callable[[Any], None]) -> None:
        self.listener = listener

    def _addBufferedAmount(self, amount: int) -> None:  # noqa: N802
        pass

    async def _data_channel_flush(self) -> None:
        self.sent.append(self._data_channel_queue.popleft()[2])


def line(participant: int = OWN) -> tuple[DriveLine, Channel, Mock, Mock]:
    channel, drive, malformed = Channel(), Mock(), Mock()
    return DriveLine(channel, participant, drive, Mock(), malformed), channel, drive, malformed  # type: ignore[arg-type]


def test_a_page_that_lies_hears_one_sentence_and_its_good_frames_are_taken() -> None:
    _, channel, drive, malformed = line()
    for _ in range(50):
        channel.listener(b"no")
    channel.listener(message(1))
    assert malformed.call_count == 1 and drive.call_count == 1
    assert drive.call_args[0][0] == message(1)[3:]
    assert abs(drive.call_args[0][1] - time.monotonic()) < 5


def test_who_does_not_keep_up_misses_frames_and_a_closed_channel_gets_none() -> None:
    own, channel, _, _ = line()
    own.send(b"one")
    channel.bufferedAmount = BACKLOG
    own.send(b"two")
    channel.bufferedAmount, channel.readyState = 0, "closed"
    own.send(b"three")
    assert channel.sent == [b"one"]


class Shown:
    """Avatars as the render process shows them."""

    def __init__(self, people: int) -> None:
        self.records = {p: Record(1, 0.0, pack_record(some_frame(p))) for p in range(people)}

    def move(self, *people: int) -> None:
        for p in people:
            self.records[p] = Record(self.records[p].count + 1, 0.0, pack_record(some_frame(100 + p)))

    def __call__(self) -> dict[int, Record]:
        return self.records


def heard(channel: Channel) -> list[list[tuple[int, int]]]:
    """Participant and sequence of the frames of each message."""
    return [[(frame.participant, frame.sequence) for frame in drive_frames.decode(data)] for data in channel.sent]


async def test_all_get_the_same_bytes_and_only_what_has_moved() -> None:
    shown = Shown(3)
    relay = DriveRelay(shown)
    relay.moved()
    pages = [line() for _ in range(3)]
    for page, *_ in pages:
        relay.open(page)
        relay.open(page)
    first = pages[0][1]
    assert heard(first) == [[(0, 0), (1, 0), (2, 0)]], "a newcomer gets all at once"
    shown.move(1)
    relay.moved()
    assert heard(first)[1:] == [[(1, 1)]]
    relay.repeat()
    assert heard(first)[2:] == [[(0, 0), (1, 1), (2, 0)]], "a lost frame heals"
    assert all(channel.sent[1:] == first.sent[1:] for _, channel, *_ in pages)
    assert all(a is b for _, channel, *_ in pages for a, b in zip(channel.sent[1:], first.sent[1:], strict=True)), "packed once"
    del shown.records[1]
    relay.close(pages[0][0])
    relay.repeat()
    assert len(first.sent) == 3 and heard(pages[1][1])[-1] == [(0, 0), (2, 0)]
    relay.stop()


async def test_people_who_move_at_different_times_share_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driving, "LEAST", 0.4)
    monkeypatch.setattr(driving, "MOST", 0.4)
    shown = Shown(4)
    relay = DriveRelay(shown)
    page, channel, _, _ = line()
    relay.open(page)
    channel.sent.clear()
    for p in (0, 1, 2, 3, 1):
        shown.move(p)
        relay.moved()
        await asyncio.sleep(0)
    assert heard(channel) == [[(0, 1)]], "the first goes at once"
    await until(lambda: len(channel.sent) == 2)
    assert heard(channel)[1] == [(1, 1), (2, 1), (3, 1)], "of one who moved twice the last"
    relay.moved()
    relay.stop()
    await asyncio.sleep(0.5)
    assert len(channel.sent) == 2


async def test_a_full_house_goes_in_messages_of_one_packet() -> None:
    relay = DriveRelay(Shown(20))
    page, channel, _, _ = line()
    relay.open(page)
    assert sum(len(frames) for frames in heard(channel)) == 20 and len(channel.sent) == 2 and max(map(len, channel.sent)) <= 1200


def brightness(page: CallClient, participant: int) -> float:
    """As the page was told last."""
    for data in reversed(page.driven):
        for frame in drive_frames.decode(data):
            if frame.participant == participant:
                return float(frame.drive.coefficients[0])
    return -1.0


async def test_a_call_whose_viewer_draws_by_itself_and_whose_page_drives_its_avatar() -> None:
    async with running() as server, AsyncExitStack() as pages:
        eve = await pages.enter_async_context(server.page("viewer", place=Place(draws=True)))
        ada = await pages.enter_async_context(server.page("person", Join("Ada"), filmed=False))
        bob = await pages.enter_async_context(server.page("person", Join("Bob"), place=Place(draws=True)))
        number = ada.welcome.participant
        await until(lambda: len([p for p in eve.said[RoomState].people if p.seated]) == 2)
        await until(lambda: brightness(eve, number) == 0.0)

        sequence = 0

        async def until_told(wanted: Callable[[], bool], value: float) -> None:
            nonlocal sequence
            while not wanted():
                sequence += 1
                ada.drive.send(message(sequence, number, value))
                await asyncio.sleep(0.03)

        await until_told(lambda: brightness(eve, number) == pytest.approx(0.8, abs=0.01), 0.8)
        await until_told(lambda: brightness(bob, number) == pytest.approx(0.8, abs=0.01), 0.8)
        late = await pages.enter_async_context(server.page("viewer", place=Place(draws=True)))
        await until(lambda: len(late.driven) > 0)
        first = {frame.participant for frame in drive_frames.decode(late.driven[0])}
        assert first == {number, bob.welcome.participant}, "all at once"
        pictures = eve.pictures + bob.pictures + late.pictures
        assert pictures == 0

        ada.drive.send(message(sequence + 1, bob.welcome.participant))
        for _ in range(400):
            ada.drive.send(b"no")
        await until(lambda: Failure in ada.said)
        assert not ada.said[Failure].final and ada.said[Failure].code == "bad_message"
        await until_told(lambda: brightness(eve, number) == pytest.approx(0.6, abs=0.01), 0.6)

        eve.say(ViewerFrame(Place()))
        await until(lambda: eve.pictures > 3)
        await rests(lambda: len(eve.driven), 1.2)  # pictures are back on the same connection, and no drive frames come any more
