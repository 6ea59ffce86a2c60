from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from server.call import links


def keys(kept: links.Links) -> tuple[str, str]:
    return kept.person_key, kept.viewer_key


def test_links_stay_for_the_same_avatar_and_port_and_only_its_owner_can_read_them(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "state"
    first = links.keep(folder, "me.avatar", 8080)
    assert first.note == "" and keys(links.keep(folder, "me.avatar", 8080)) == keys(first)
    others = [links.keep(folder, "me.avatar", 8081), links.keep(folder, "you.avatar", 8080)]
    assert len({*keys(first), *keys(others[0]), *keys(others[1])}) == 6
    (path,) = folder.glob("links-8081-*")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not list(folder.glob(".*"))
    assert first.person_key not in repr(first) and first.viewer_key not in repr(first)


def test_new_links_take_the_place_of_the_old(tmp_path: Path) -> None:
    old = links.keep(tmp_path, "me.avatar", 8080)
    new = links.keep(tmp_path, "me.avatar", 8080, renew=True)
    assert not set(keys(old)) & set(keys(new)) and keys(links.keep(tmp_path, "me.avatar", 8080)) == keys(new)
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff", b"[" * 3000, b'{"person_key": "short", "viewer_key": "short"}',
     json.dumps({"person_key": "k" * 20, "viewer_key": "k" * 20}).encode(),
     json.dumps({"person_key": "k" * 20, "viewer_key": "../" * 9}).encode(), b" " * 100_000],
)  # fmt: skip
def test_a_damaged_file_is_kept_aside_and_new_links_are_made(tmp_path: Path, content: bytes) -> None:
    links.keep(tmp_path, "me.avatar", 8080)
    (path,) = tmp_path.iterdir()
    path.write_bytes(content)
    made = links.keep(tmp_path, "me.avatar", 8080)
    (aside,) = tmp_path.glob("*.damaged")
    assert str(aside) in made.note and aside.read_bytes() == content
    assert keys(links.keep(tmp_path, "me.avatar", 8080)) == keys(made)


@pytest.mark.parametrize("place", ["a file", "/proc/nothing/here", "~"])
def test_where_nothing_can_be_kept_the_links_are_for_this_run(tmp_path: Path, place: str) -> None:
    (tmp_path / "a file").write_text("x")
    made = links.keep(tmp_path / place if place == "a file" else Path(place), "me.avatar", 8080)
    assert "this run" in made.note and "--state" in made.note and made.person_key != made.viewer_key
    assert not Path("~").exists()


def test_a_folder_in_the_files_place_is_kept_aside(tmp_path: Path) -> None:
    kept = links.keep(tmp_path, "me.avatar", 8080)
    (path,) = tmp_path.iterdir()
    path.unlink()
    path.mkdir()
    assert links.keep(tmp_path, "me.avatar", 8080).note and kept.note == ""


def test_servers_that_start_at_once_have_the_same_links(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: keys(links.keep(tmp_path, "me.avatar", 8080)), range(32)))
    assert len(set(made)) == 1 and [p.suffix for p in tmp_path.iterdir()] == [".json"]


def test_a_file_system_without_hard_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    made = links.keep(tmp_path, "me.avatar", 8080)
    assert made.note == "" and keys(links.keep(tmp_path, "me.avatar", 8080)) == keys(made)
