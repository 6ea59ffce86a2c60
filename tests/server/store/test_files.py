from __future__ import annotations

import base64
import os
import resource
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from models.errors import StorageError
from server.store.files import MAGIC, SUFFIX, FileStore

KEY, OTHER = (base64.b64encode(bytes([i] * 32)).decode() for i in (1, 2))
FACE = b"a face that nobody else may see" * 10


def everything(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture(params=["folder", "memory", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "folder":
        yield str(tmp_path / "files")
        return
    if request.param == "s3":
        yield request.getfixturevalue("s3_url")
        return
    name = f"/{secrets.token_hex(4)}"
    yield f"memory:/{name}"
    fsspec.filesystem("memory").rm(name, recursive=True)


@pytest.mark.parametrize("key", ["", KEY])
def test_files_are_kept_listed_replaced_and_erased(url: str, key: str) -> None:
    store = FileStore(url, key)
    store.check()
    assert store.names() == store.names("jobs1") == [] and store.age("jobs1/photo0") == 0.0
    store.delete("jobs1/photo0")
    store.write("jobs1/photo0", b"")
    store.write("jobs1/photo1", FACE)
    store.write("avatars/a1.avatar", b"first")
    store.write("avatars/a1.avatar", b"second")
    again = FileStore(url, key)
    assert again.names() == ["avatars/a1.avatar", "jobs1/photo0", "jobs1/photo1"]
    assert again.names("jobs1") == ["jobs1/photo0", "jobs1/photo1"]
    assert [again.read(name) for name in again.names()] == [b"second", b"", FACE]
    assert -60 < again.age("jobs1/photo1") < 600
    again.delete("jobs1")
    again.delete("avatars/a1.avatar")
    assert store.names() == []
    with pytest.raises(StorageError, match="missing"):
        store.read("avatars/a1.avatar")


def test_what_is_too_large_is_not_read(url: str) -> None:
    store = FileStore(url, KEY)
    store.write("a/b", bytes(100))
    assert store.read("a/b", most=100) == bytes(100)
    with pytest.raises(StorageError, match="larger"):
        store.read("a/b", most=99)


def test_only_the_owner_of_the_process_may_look(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path / "files"))
    store.write("jobs1/photo0", FACE)
    for folder in (tmp_path / "files", tmp_path / "files" / "jobs1"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_nothing_of_a_file_can_be_read_where_it_lies(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path), KEY)
    store.write("avatars/a", FACE)
    store.write("avatars/b", FACE)
    first, second = (path.read_bytes() for path in everything(tmp_path))
    assert FACE[:16] not in first and first.startswith(MAGIC) and first != second


@pytest.mark.parametrize("place", [0, len(MAGIC), len(MAGIC) + 12, -1])
def test_a_file_that_was_altered_is_refused(tmp_path: Path, place: int) -> None:
    store = FileStore(str(tmp_path), KEY)
    store.write("avatars/a", FACE)
    (path,) = everything(tmp_path)
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(StorageError, match="altered"):
        store.read("avatars/a")


@pytest.mark.parametrize("length", [0, 3, len(MAGIC), len(MAGIC) + 5, len(MAGIC) + 12, len(MAGIC) + 20])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, length: int) -> None:
    store = FileStore(str(tmp_path), KEY)
    store.write("avatars/a", FACE)
    (path,) = everything(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(StorageError, match="altered"):
        store.read("avatars/a")


def test_files_that_were_exchanged_are_refused(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path), KEY)
    store.write("avatars/a", FACE)
    store.write("avatars/b", b"another face")
    first, second = everything(tmp_path)
    os.replace(first, second)
    with pytest.raises(StorageError, match="altered"):
        store.read("avatars/b")


def test_a_plain_file_does_not_take_the_place_of_an_encrypted_one(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path), KEY)
    store.write("avatars/a", FACE)
    (path,) = everything(tmp_path)
    path.write_bytes(b"somebody else's face")
    with pytest.raises(StorageError, match="altered"):
        store.read("avatars/a")
    path.rename(path.with_name("a"))
    with pytest.raises(StorageError, match="not encrypted"):
        store.read("avatars/a")


def test_another_key_or_none_is_a_sentence(tmp_path: Path) -> None:
    FileStore(str(tmp_path), KEY).write("avatars/a", FACE)
    with pytest.raises(StorageError, match="another key"):
        FileStore(str(tmp_path), OTHER).read("avatars/a")
    with pytest.raises(StorageError, match="no key was given"):
        FileStore(str(tmp_path)).read("avatars/a")


def test_a_plain_file_may_look_like_an_encrypted_one(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path))
    store.write("jobs1/photo0", MAGIC + b"!")
    assert store.read("jobs1/photo0") == MAGIC + b"!" and not everything(tmp_path)[0].name.endswith(SUFFIX)


@pytest.mark.parametrize("key", ["short", "%%%", base64.b64encode(bytes(31)).decode(), base64.b64encode(bytes(33)).decode(), "é"])
def test_a_key_that_is_none_is_a_sentence_which_does_not_repeat_it(tmp_path: Path, key: str) -> None:
    with pytest.raises(StorageError, match="32 bytes in base64") as caught:
        FileStore(str(tmp_path), key)
    assert key not in str(caught.value)


@pytest.mark.parametrize("url", ["nonsense://secret@host/a", "gdrive2://secret", "s3://secret@bucket/a", "/proc/secret/a"])
def test_a_place_that_cannot_be_reached_is_a_sentence_which_does_not_repeat_it(url: str) -> None:
    with pytest.raises(StorageError, match="--storage") as caught:
        FileStore(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "..",
        "../a",
        "a/..",
        "a/../b",
        "a//b",
        "/a",
        "a/b/c",
        "a/.b",
        "A",
        "a\\b",
        "a/b\n",
        "a\0b",
        "é",
        "a" * 65,
        "a/b.enc",
    ],
)
def test_names_lead_nowhere_else(tmp_path: Path, name: str) -> None:
    store = FileStore(str(tmp_path / "files"))
    for act in (store.read, store.delete, store.age, lambda n: store.write(n, b"")):
        with pytest.raises(StorageError, match="letters and digits"):
            act(name)
    assert everything(tmp_path) == []


@pytest.mark.parametrize("key", ["", KEY])
def test_a_full_disk_keeps_the_old_file_and_leaves_no_other(tmp_path: Path, key: str) -> None:
    """RLIMIT_FSIZE, which the system treats as a disk that is full."""
    store = FileStore(str(tmp_path), key)
    store.write("avatars/a", b"old")
    before = everything(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        for name in ("avatars/a", "avatars/b"):
            with pytest.raises(StorageError, match="no room"):
                store.write(name, bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert everything(tmp_path) == before and store.read("avatars/a") == b"old"


def test_what_the_library_raises_is_a_sentence(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileStore(url)
    store.write("a/b", b"c")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("https://key:secret@host is gone")

    for name in ("exists", "find", "cat_file", "rm", "size", "modified", "pipe_file", "makedirs", "info"):
        monkeypatch.setattr(store._system, name, broken, raising=False)
    for act in (lambda: store.read("a/b"), lambda: store.delete("a/b"), store.names, store.check, lambda: store.age("a/b")):
        with pytest.raises(StorageError, match="RuntimeError") as caught:
            act()
        assert "secret" not in str(caught.value)


def test_what_a_killed_process_left_is_no_file_of_the_store(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path))
    store.write("avatars/a", FACE)
    left = tmp_path / "avatars" / f".visavis-{'0' * 16}.tmp"
    left.write_bytes(FACE)
    assert store.names() == ["avatars/a"] and left.exists()
    os.utime(left, (0, 0))
    FileStore(str(tmp_path))
    assert not left.exists()
