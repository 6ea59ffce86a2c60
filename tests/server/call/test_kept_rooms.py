from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select

from server.call.kept_rooms import KeptRoom, RoomStore, standing
from server.call.rules import RoomKeys
from server.store.database import Database
from server.store.tables import Person, RevokedToken, StoredRoom
from tests.server.store.rows import add_person, make_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(make_database(tmp_path))
    yield opened
    opened.close()


def keys(rooms: tuple[KeptRoom, ...]) -> set[str]:
    return {key for room in rooms for key in vars(room.keys).values()}


def test_links_stay_for_the_same_port(tmp_path: Path, database: Database) -> None:
    (first,), note = RoomStore(database, 8080).load(tmp_path)
    assert note == "" and RoomStore(database, 8080).load(tmp_path) == ((first,), "")
    other, _ = RoomStore(database, 8081).load(tmp_path)
    assert len(keys((first, *other))) == 6 and not any(key in repr(first) for key in keys((first,)))


def test_rooms_that_are_added_and_removed(tmp_path: Path, database: Database) -> None:
    store, ada = RoomStore(database, 8080), add_person(database, "member")
    (first,), _ = store.load(tmp_path)
    made = [KeptRoom(RoomKeys.new(), name=f"Room {i}", owner=ada) for i in range(3)]
    for room in made:
        store.add(room)
    assert RoomStore(database, 8080).load(tmp_path)[0] == (first, *made)
    store.remove(made[1].id)
    assert RoomStore(database, 8080).load(tmp_path)[0] == (first, made[0], made[2])
    with database.session() as session:  # a room stays when who made it goes
        session.delete(session.get_one(Person, ada))
    assert [room.owner for room in RoomStore(database, 8080).load(tmp_path)[0]] == ["", "", ""]


def test_new_links_take_the_place_of_the_old_on_their_port_only(tmp_path: Path, database: Database) -> None:
    old, _ = RoomStore(database, 8080).load(tmp_path)
    other, _ = RoomStore(database, 8081).load(tmp_path)
    new, _ = RoomStore(database, 8080).load(tmp_path, renew=True)
    assert not keys(old) & keys(new) and old[0].id != new[0].id
    assert RoomStore(database, 8080).load(tmp_path)[0] == new and RoomStore(database, 8081).load(tmp_path)[0] == other


def test_servers_that_start_at_once_have_the_same_links(tmp_path: Path, database: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: RoomStore(database, 8080).load(tmp_path)[0], range(16)))
    assert len(set(made)) == 1


@pytest.mark.parametrize("kept", [False, True])
def test_without_a_database_or_on_a_free_port_nothing_is_kept(tmp_path: Path, database: Database, kept: bool) -> None:
    store = RoomStore(database if kept else None, 0 if kept else 8080)
    store.add(KeptRoom(RoomKeys.new()))
    store.revoke("t1", 1e12)
    assert keys(store.load(tmp_path)[0]) != keys(store.load(tmp_path)[0])
    with database.reading() as session:
        assert session.scalars(select(StoredRoom)).all() == session.scalars(select(RevokedToken)).all() == []


def test_links_of_an_earlier_versions_file_go_on(tmp_path: Path, database: Database) -> None:
    old = [RoomKeys.new() for _ in range(3)]
    path = tmp_path / "rooms-8080.json"
    path.write_text(json.dumps({"rooms": [vars(keys) for keys in old]}))
    rooms, note = RoomStore(database, 8080).load(tmp_path)
    assert [room.keys for room in rooms] == old and note == "" and not path.exists()
    assert RoomStore(database, 8080).load(tmp_path)[0] == rooms


def test_such_a_file_is_not_taken_when_new_links_are_asked_for(tmp_path: Path, database: Database) -> None:
    path, old = tmp_path / "rooms-8080.json", RoomKeys.new()
    path.write_text(json.dumps({"rooms": [vars(old)]}))
    assert not keys(RoomStore(database, 8080).load(tmp_path, renew=True)[0]) & set(vars(old).values()) and not path.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff", b"[" * 3000, b'{"rooms": 5}', b'{"rooms": [5]}',
     json.dumps({"rooms": [{"host": "short", "person": "b" * 20, "viewer": "c" * 20}]}).encode(),
     json.dumps({"rooms": [{"host": "a" * 20, "person": "a" * 20, "viewer": "c" * 20}]}).encode(),
     json.dumps({"rooms": [{"host": "a" * 20, "person": "b" * 20, "viewer": "../" * 9}]}).encode(), b" " * 300_000],
)  # fmt: skip
def test_a_damaged_file_is_kept_aside(tmp_path: Path, database: Database, content: bytes) -> None:
    path = tmp_path / "rooms-8080.json"
    path.write_bytes(content)
    rooms, note = RoomStore(database, 8080).load(tmp_path)
    (aside,) = tmp_path.glob("*.damaged")
    assert str(aside) in note and aside.read_bytes() == content and len(rooms) == 1
    assert RoomStore(database, 8080).load(tmp_path) == (rooms, "")


def test_who_stands_for_a_token(tmp_path: Path, database: Database) -> None:
    ada, eve = add_person(database, "member"), add_person(database, disabled=True)
    store = RoomStore(database, 8080)
    store.revoke("removed", 1e12)
    store.revoke("removed", 1e12)
    store.revoke("over", 1.0)
    assert standing(database, {ada, eve, "nobody"}, "removed") == ({ada: 0}, True)
    assert standing(database, {ada}, "another") == ({ada: 0}, False)
    store.load(tmp_path)
    assert standing(database, set(), "over") == ({}, False) and standing(database, set(), "removed") == ({}, True)
