"""A room with real media: each sees and hears the others, sees who is where, and is put out with a reason."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack

from server.call.avatars import AvatarCatalog, CatalogEntry
from server.call.protocol import Failure, Join, Labels, Moderate, Presence, RoomState, Stats, ViewerCamera, Welcome
from server.call.room import Room
from server.call.rules import RoomKeys, RoomSettings
from tests.server.call.room_page import RoomPage

pytestmark = pytest.mark.timeout(90)
KEYS = RoomKeys("h" * 22, "p" * 22, "v" * 22, "https://x/room/p", "https://x/room/v")
RED, GREEN = (8, 0, 0), (0, 8, 0)


class Catalog(AvatarCatalog):
    """Avatars of the fake pipeline (tests/realtime/room/fake.py)."""

    def __init__(self) -> None:
        super().__init__([])
        colours = {"red": b"\xff\0\0", "green": b"\0\xff\0", "broken": b"\0\0\xffrefuse"}
        self._entries = {name: CatalogEntry(name, name, data) for name, data in colours.items()}

    def refresh(self, *, strict: bool = False) -> None:
        pass


class Voice(MediaStreamTrack):
    """A microphone that hums."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    async def recv(self) -> av.AudioFrame:
        await asyncio.sleep(0.02)
        wave = (9000 * np.sin(np.arange(960) * 0.06)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, 960 * self._count, Fraction(1, 48_000)
        self._count += 1
        return frame


@asynccontextmanager
async def room() -> AsyncIterator[Room]:
    made = Room(
        RoomSettings(width=64, height=48, factory="tests.realtime.room.fake:FakeRoomPipeline", max_people=3, max_viewers=1),
        KEYS,
        Catalog(),
    )
    await made.start()
    try:
        yield made
    finally:
        await made.close()


async def until(what: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_two_see_and_hear_each_other_and_a_viewer_both() -> None:
    async with (
        room() as here,
        RoomPage(here, KEYS.host, Join("Ada", "red"), microphone=Voice()) as ada,
        RoomPage(here, KEYS.person, Join("Bob", "green")) as bob,
        RoomPage(here, KEYS.viewer, Join("Eve")) as eve,
    ):
        ids = [page.said[Welcome].participant for page in (ada, bob)]
        await until(lambda: ada.colour == GREEN and bob.colour == RED and eve.colour == (4, 4, 0))
        state: RoomState = eve.said[RoomState]
        assert [(p.name, p.id, p.host, p.seated) for p in state.people] == [
            ("Ada", ids[0], True, True),
            ("Bob", ids[1], False, True),
        ]
        await until(lambda: bob.voices.get(ids[0], 0) > 3000 and eve.voices.get(ids[0], 0) > 3000)
        assert ids[0] not in ada.voices, "not the own voice"
        await until(lambda: Labels in ada.said and Labels in eve.said)
        assert [label.participant for label in ada.said[Labels].labels] == [ids[1]]
        await until(lambda: {label.participant for label in eve.said[Labels].labels} == set(ids))
        eve.tell_channel(ViewerCamera(focus=ids[0]))
        await until(lambda: eve.colour == RED and [label.participant for label in eve.said[Labels].labels] == [ids[0]])
        await until(lambda: Stats in bob.said and bob.said[Stats].ready)

        ada.tell(Presence(muted=True))
        await until(lambda: bob.said[RoomState].people[0].muted)
        bob.heard.clear()
        await asyncio.sleep(0.5)
        assert all(loudness < 3000 for loudness in bob.heard.values()), "a muted voice is kept back"

        ada.tell(Moderate("remove", ids[1]))
        await until(lambda: Failure in bob.said and bob.said[Failure].code == "removed")
        await until(lambda: [p.id for p in ada.said[RoomState].people] == ids[:1] and ada.colour == RED)


async def test_an_avatar_that_cannot_be_shown_is_told_in_one_sentence() -> None:
    async with room() as here:
        page = RoomPage(here, KEYS.person, Join("Ada", "broken"))
        with pytest.raises(AssertionError):
            async with page:
                await page.until(type(None), 10)
        assert page.said[Failure].code == "avatar" and "this is none" in page.said[Failure].message


async def test_a_page_that_reloads_has_its_seat_again() -> None:
    async with room() as here, RoomPage(here, KEYS.host, Join("Ada", "red")) as ada:
        bob = RoomPage(here, KEYS.person, Join("Bob", "green"))
        await bob.enter()
        await bob.offer()
        await until(lambda: ada.colour == GREEN)
        welcome: Welcome = bob.said[Welcome]
        async with RoomPage(here, KEYS.person, Join("Bob", "green"), resume=welcome.resume) as again:
            assert again.said[Welcome].participant == welcome.participant
            await until(lambda: again.colour == RED and ada.colour == GREEN)
        for task in bob.tasks:
            task.cancel()
        await bob.pc.close()
