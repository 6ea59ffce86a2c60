from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from server.call import links
from server.call.rules import RoomKeys


def keys(kept: links.Links) -> set[str]:
    return {key for room in kept.rooms for key in (room.host, room.person, room.viewer)}


def test_links_stay_for_the_same_port_and_only_its_owner_can_read_them(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "state"
    first = links.keep(folder, 8080)
    assert first.note == "" and links.keep(folder, 8080).rooms == first.rooms
    assert len(keys(first) | keys(links.keep(folder, 8081))) == 6
    (path,) = folder.glob("rooms-8081.json")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not list(folder.glob(".*")) and not any(key in repr(first) for key in keys(first))


def test_rooms_that_are_added_stay_too(tmp_path: Path) -> None:
    first = links.keep(tmp_path, 8080)
    first.write((*first.rooms, *(RoomKeys.new() for _ in range(255))))
    again = links.keep(tmp_path, 8080)
    assert again.rooms[0] == first.rooms[0] and len(keys(again)) == 3 * 256 and again.note == ""
    links.Links(first.rooms).write(())  # nowhere to be kept


def test_new_links_take_the_place_of_the_old(tmp_path: Path) -> None:
    old = links.keep(tmp_path, 8080)
    new = links.keep(tmp_path, 8080, renew=True)
    assert not set(keys(old)) & set(keys(new)) and keys(links.keep(tmp_path, 8080)) == keys(new)
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff", b"[" * 3000, b'{"rooms": []}', b'{"rooms": 5}', b'{"rooms": [5]}',
     json.dumps({"rooms": [{"host": "short", "person": "b" * 20, "viewer": "c" * 20}]}).encode(),
     json.dumps({"rooms": [{"host": "a" * 20, "person": "a" * 20, "viewer": "c" * 20}]}).encode(),
     json.dumps({"rooms": [{"host": "a" * 20, "person": "b" * 20, "viewer": "../" * 9}]}).encode(), b" " * 300_000],
)  # fmt: skip
def test_a_damaged_file_is_kept_aside_and_new_links_are_made(tmp_path: Path, content: bytes) -> None:
    links.keep(tmp_path, 8080)
    (path,) = tmp_path.iterdir()
    path.write_bytes(content)
    made = links.keep(tmp_path, 8080)
    (aside,) = tmp_path.glob("*.damaged")
    assert str(aside) in made.note and aside.read_bytes() == content
    assert keys(links.keep(tmp_path, 8080)) == keys(made)


@pytest.mark.parametrize("place", ["a file", "/proc/nothing/here", "~"])
def test_where_nothing_can_be_kept_the_links_are_for_this_run(tmp_path: Path, place: str) -> None:
    (tmp_path / "a file").write_text("x")
    made = links.keep(tmp_path / place if place == "a file" else Path(place), 8080)
    assert "this run" in made.note and "--state" in made.note and len(keys(made)) == 3 and made.path is None
    assert not Path("~").exists()


def test_a_folder_in_the_files_place_is_kept_aside(tmp_path: Path) -> None:
    kept = links.keep(tmp_path, 8080)
    (path,) = tmp_path.iterdir()
    path.unlink()
    path.mkdir()
    assert links.keep(tmp_path, 8080).note and kept.note == ""


def test_servers_that_start_at_once_have_the_same_links(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: links.keep(tmp_path, 8080).rooms, range(32)))
    assert len(set(made)) == 1 and [p.suffix for p in tmp_path.iterdir()] == [".json"]


def test_a_file_system_without_hard_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    made = links.keep(tmp_path, 8080)
    assert made.note == "" and keys(links.keep(tmp_path, 8080)) == keys(made)
