"""Web avatars are made once each, and nobody waits for another one's."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from models.errors import AvatarFileError
from server import web_avatar_files
from server.web_avatar_files import WebAvatarFiles, etag, is_known


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was made; each takes as long as its `Event` says."""
    found: list[bytes] = []

    def make(data: bytes) -> bytes:
        if data == b"spoiled":
            raise AvatarFileError("an avatar was expected")
        found.append(data)
        return b"web " + data

    monkeypatch.setattr(web_avatar_files, "_made", make)
    return found


def test_few_are_kept(made: list[bytes]) -> None:
    kept = WebAvatarFiles(most=2)
    for name in ("a", "b", "a", "c", "a", "b"):
        assert kept.of(name, name.encode) == b"web " + name.encode()
    assert made == [b"a", b"b", b"c", b"b"]
    assert kept.get("c") is None and kept.get("b") == b"web b"


def test_nobody_waits_for_another_file_and_everybody_for_the_own(made: list[bytes]) -> None:
    files, held = WebAvatarFiles(), threading.Event()

    def slow() -> bytes:
        held.wait(10)
        return b"slow"

    with ThreadPoolExecutor(3) as threads:
        waiting = [threads.submit(files.of, "slow", slow) for _ in range(2)]
        assert files.of("quick", lambda: b"quick") == b"web quick"
        assert not any(future.done() for future in waiting)
        held.set()
        assert [future.result(10) for future in waiting] == [b"web slow"] * 2
    assert made == [b"quick", b"slow"]


def test_one_that_cannot_be_made_is_tried_again(made: list[bytes]) -> None:
    files = WebAvatarFiles()
    for _ in range(2):
        with pytest.raises(AvatarFileError):
            files.of("x", lambda: b"spoiled")
    assert files.of("x", lambda: b"whole") == b"web whole"


def test_tags() -> None:
    tag = etag("avatars/x.avatar")
    assert tag != etag("avatars/y.avatar") and tag.startswith('"') and "/" not in tag
    assert is_known(tag, f'"other", W/{tag}') and not is_known(tag, '"other"') and not is_known(tag, None)
