"""Which link opens which room, and what becomes of that when somebody else changes the kept rooms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from server.call.kept_rooms import KeptRoom, RoomStore
from server.call.room_links import RoomLinks
from server.call.rules import RoomKeys
from server.store.database import Database
from tests.server.call.serving import running
from tests.server.store.rows import make_database


def test_the_rooms_become_those_that_are_kept() -> None:
    same, other, gone, new = (KeptRoom(RoomKeys.new(), name=name) for name in ("same", "other", "gone", "new"))
    links, renewed = RoomLinks([same, other, gone]), replace(other, keys=RoomKeys.new())
    changes = links.changes([same, renewed, new])
    assert sorted(changes, key=str) == sorted([(other, renewed), (gone, None), (None, new)], key=str)
    for before, now in changes:
        if before is not None:
            links.forget(before)
        if now is not None:
            links.enter(now)
    assert links.changes([same, renewed, new]) == [] and len(links) == 3
    assert links.of(new.keys.viewer) == (new, "viewer") and links.of(renewed.keys.host) == (renewed, "host")
    assert links.of(other.keys.host) is links.of(gone.keys.host) is links.get(gone.id) is None


@pytest.mark.parametrize("which", ["first", "another"])
async def test_a_running_server_takes_over_what_the_command_line_has_changed(tmp_path: Path, which: str) -> None:
    database = Database(make_database(tmp_path))
    store = RoomStore(database, 8080)
    async with running() as server:
        rooms = server.rooms
        rooms._store = store
        store.add(KeptRoom(rooms.first, rooms.kept[0].id))
        another = await rooms.create("Another")
        await rooms._room(another)
        kept = another if which == "another" else rooms.kept[0]
        old = rooms.open_room(kept.id)
        store.renew(replace(kept, keys=RoomKeys.new()))
        await rooms.reread()
        assert rooms.role_of(kept.keys.host) is None and rooms.open_room(kept.id) is not old
        now = next(room for room in store.rooms() or () if room.id == kept.id)
        assert rooms.role_of(now.keys.host) == "host" and (which == "another" or rooms.first == now.keys)
        made = KeptRoom(RoomKeys.new())
        store.add(made)
        store.remove(another.id)
        store.remove(rooms.kept[0].id)  # the first one stays all the same
        await rooms.reread()
        assert {made.id} < {room.id for room in rooms.kept} and another.id not in {room.id for room in rooms.kept}
        assert rooms.role_of(rooms.first.host) == "host"
        renewed = await rooms.renew(made.id)
        assert renewed is not None and rooms.role_of(made.keys.host) is None and rooms.role_of(renewed.keys.host) == "host"
        assert await rooms.renew("none") is None
    database.close()
