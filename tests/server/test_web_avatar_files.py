"""Web avatars in memory: made once, nobody waits for another's, bounded, and gone with the avatar."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from models.errors import StorageError, VisavisError
from models.exchange.web_avatar import decode
from server.store.files import FileStore
from server.web_avatar_files import TooManyWaitError, WebAvatarFiles, etag, is_known

NAMES = [f"avatars/{letter}.avatar" for letter in "abcde"]


class SlowFiles(FileStore):
    """A store whose files take until they are let go."""

    def __init__(self, folder: Path, data: bytes) -> None:
        super().__init__(str(folder))
        for name in NAMES:
            self.write(name, data)
        self.go = threading.Event()
        self.reading: list[str] = []
        self.come = threading.Semaphore(0)

    def read(self, name: str, most: int = 1 << 28) -> bytes:
        data = super().read(name, most)
        self.reading.append(name)
        self.come.release()
        assert self.go.wait(30)
        return data

    def wait(self, count: int) -> None:
        for _ in range(count):
            assert self.come.acquire(timeout=30)


@pytest.fixture
def store(tmp_path: Path, small_avatar: bytes) -> Iterator[SlowFiles]:
    found = SlowFiles(tmp_path, small_avatar)
    yield found
    found.go.set()


@pytest.fixture
def ask(store: SlowFiles) -> Iterator[Callable[[WebAvatarFiles, str], Future[bytes]]]:
    with ThreadPoolExecutor(8) as pool:
        yield lambda cache, name: pool.submit(cache.of, name, lambda: store.read(name))
        store.go.set()


def of(cache: WebAvatarFiles, store: FileStore, name: str) -> bytes:
    return cache.of(name, lambda: store.read(name))


Ask = Callable[[WebAvatarFiles, str], Future[bytes]]


def test_one_that_is_there_waits_for_nobody_and_each_is_made_once(store: SlowFiles, ask: Ask) -> None:
    cache = WebAvatarFiles(at_once=2)
    store.go.set()
    first = of(cache, store, NAMES[0])
    store.go.clear()
    store.reading.clear()
    slow = [ask(cache, NAMES[1]), ask(cache, NAMES[1]), ask(cache, NAMES[2])]
    store.wait(2)
    assert ask(cache, NAMES[0]).result(30) is first and not any(one.done() for one in slow)
    store.go.set()
    assert slow[0].result(30) is slow[1].result(30) and len(decode(slow[2].result(30)).levels[-1]) == 1000
    assert sorted(store.reading) == NAMES[1:3]


def test_few_are_made_at_once_and_few_wait(store: SlowFiles, ask: Ask) -> None:
    cache = WebAvatarFiles(at_once=1, most_waiting=3)
    waiting = [ask(cache, NAMES[0])]
    store.wait(1)
    waiting += [ask(cache, name) for name in NAMES[1:3]]
    while cache._waiting < 3:
        time.sleep(0.001)
    with pytest.raises(TooManyWaitError, match="try again"):
        of(cache, store, NAMES[3])
    assert store.reading == NAMES[:1]
    store.go.set()
    assert all(one.result(30) for one in waiting) and of(cache, store, NAMES[3])


def test_few_are_kept_those_asked_for_last(store: SlowFiles) -> None:
    cache = WebAvatarFiles(most=2)
    store.go.set()
    for index in (0, 1, 0, 2):
        of(cache, store, NAMES[index])
    assert list(cache._kept) == [NAMES[0], NAMES[2]]


def test_what_was_erased_is_not_kept_not_even_what_was_being_made(store: SlowFiles, ask: Ask) -> None:
    cache = WebAvatarFiles()
    making = ask(cache, NAMES[0])
    store.wait(1)
    cache.forget(NAMES[0])
    store.go.set()
    assert making.result(30) and not cache._kept and not cache._making
    of(cache, store, NAMES[0])
    cache.forget(NAMES[0])
    assert not cache._kept


def test_a_fault_reaches_all_who_wait_and_is_forgotten(store: SlowFiles, ask: Ask) -> None:
    cache = WebAvatarFiles()
    FileStore.write(store, NAMES[0], b"spoiled")
    both = [ask(cache, NAMES[0]), ask(cache, NAMES[0])]
    store.wait(1)
    while cache._waiting < 2:
        time.sleep(0.001)
    store.go.set()
    for one in both:
        with pytest.raises(VisavisError):
            one.result(30)
    store.delete(NAMES[1])
    with pytest.raises(StorageError):
        of(cache, store, NAMES[1])
    assert not cache._making and not cache._waiting


def test_tags() -> None:
    tag = etag("avatars/x.avatar")
    assert tag != etag("avatars/y.avatar") and tag.startswith('"') and "/" not in tag
    assert is_known(tag, f'"other", W/{tag}') and not is_known(tag, '"other"') and not is_known(tag, None)
