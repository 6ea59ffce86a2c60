"""Whoever is in a room is told where to find the avatars there; an address ends with the seat, or with the file."""

from __future__ import annotations

from typing import Any, cast

import pytest

from realtime.room.worker import RoomWorker
from server import web_avatar_files
from server.call import web_avatar_route
from server.call.avatars import CatalogEntry
from server.call.protocol import RoomState
from server.call.shown_avatars import WEB_AVATAR_PATH, ShownAvatars
from server.call.stored_avatars import StoredAvatars
from server.call_client import CallClient
from server.web_avatar_files import WebAvatarFiles
from tests.server.call.serving import running, until

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(autouse=True)
def nothing_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_avatar_route, "WEB_AVATARS", WebAvatarFiles())


def told(page: CallClient) -> list[str]:
    """Where the page was told to find the web avatars."""
    state = page.said.get(RoomState, RoomState())
    return [person.web_avatar for person in state.people if person.web_avatar]


async def test_an_address_is_told_and_ends_with_the_seat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_avatar_files, "_made", lambda data: b"web " + data[:8])
    async with running() as server, server.page("viewer") as viewer:
        async with server.page("host"), server.page("person"):
            await until(lambda: len(told(viewer)) == 2)
            places = told(viewer)
            assert len(set(places)) == 2 and all(p.startswith(WEB_AVATAR_PATH) and len(p) > 30 for p in places)
            reply = await server.get(places[0])
            assert (reply.status, reply.body[:4], reply.headers["cache-control"]) == (200, b"web ", "private, no-cache")
            again = await server.get(places[0], **{"If-None-Match": reply.headers["etag"]})
            assert (again.status, again.body) == (304, b"")
            assert (await server.get(places[0][:-1] + "_")).status == 404
            assert (await server.get(WEB_AVATAR_PATH)).status == 404
        await until(lambda: not told(viewer))
        assert [(await server.get(place)).status for place in places] == [404, 404]


async def test_one_that_browsers_cannot_draw_is_said_in_a_sentence() -> None:
    async with running() as server, server.page("host") as page:  # its avatar is made for another head
        await until(lambda: bool(told(page)))
        reply = await server.get(told(page)[0])
        assert reply.status == 422 and b"let the server draw." in reply.body


class _Stored:
    entry: CatalogEntry

    def get(self, _: str) -> CatalogEntry:
        return self.entry


class _Worker:
    def replace(self, *_: Any) -> None:
        """Takes it; what becomes of it is told later."""


def test_a_better_file_has_another_address_once_it_is_shown() -> None:
    stored = _Stored()
    stored.entry = first = CatalogEntry("mine", "Mine", b"first", version="1")
    shown = ShownAvatars(cast(RoomWorker, _Worker()), cast(StoredAvatars, stored))
    shown.seat(7, "mine", first)
    shown.seat(8, "gone", None)
    place = shown.address(7)
    assert shown.at(place.removeprefix(WEB_AVATAR_PATH)) is first and shown.address(8) == shown.address(9) == ""
    for version, sentence in (("2", "it is none"), ("3", "")):
        stored.entry = CatalogEntry("mine", "Mine", b"better", version=version)
        shown.improve()
        assert shown.address(7) == place
        shown.replaced(7, sentence)
        assert (shown.address(7) == place) == bool(sentence)
    better = shown.address(7).removeprefix(WEB_AVATAR_PATH)
    assert shown.at(better) is stored.entry and shown.at(place.removeprefix(WEB_AVATAR_PATH)) is None
    shown.leave(7)
    assert shown.address(7) == "" and shown.at(better) is None
