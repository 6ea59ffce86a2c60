"""Avatars for the page's own renderer (`models.exchange.web_avatar`), made once and kept in memory for a while."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from typing import Protocol

from models import avatar_file
from models.exchange import web_avatar
from models.heads.registry import by_name
from server.api.problems import ProblemError
from server.store.files import FileStore

KEPT = 16
"""Web avatars that stay in memory, 1 to 2 MB each."""
AT_ONCE = 2
"""Web avatars that are made at the same time, of different files."""
MOST_WAITING = 16
"""Requests that wait for one to be made; each holds one of the 40 threads that answer requests."""
RETRY_AFTER = 2
"""Seconds; one is made in about one."""


class KeepsFiles(Protocol):
    """Such as the `Service`."""

    @property
    def files(self) -> FileStore:
        """Where the avatars are."""


class WebAvatars:
    """Makes them, each file's once, and keeps the last few in memory. One that is there waits for nobody. For several threads."""

    def __init__(self, most: int = KEPT, *, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        self._most, self._most_waiting, self._waiting = most, most_waiting, 0
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._making: dict[str, Future[bytes]] = {}
        self._lock, self._turns = threading.Lock(), threading.BoundedSemaphore(at_once)

    def of(self, service: KeepsFiles, name: str) -> bytes:
        """The web avatar of an avatar's file in the store; blocks for about a second when it is not made yet. Raises
        `StorageError`, `AvatarFileError`; `ProblemError` (503) when too many wait already."""
        with self._lock:
            found = self._kept.get(name)
            if found is not None:
                self._kept.move_to_end(name)
                return found
            if self._waiting >= self._most_waiting:
                raise ProblemError(503, "many avatars are being made ready just now; try again", retry_after=RETRY_AFTER)
            self._waiting += 1
            making = self._making.get(name)
            is_first = making is None
            if making is None:
                making = self._making[name] = Future()
        try:
            if is_first:
                self._make(service, name, making)
            return making.result()
        finally:
            with self._lock:
                self._waiting -= 1

    def forget(self, name: str) -> None:
        """The file was erased: nothing of it stays, nor of what is being made of it."""
        with self._lock:
            self._kept.pop(name, None)
            self._making.pop(name, None)

    def _make(self, service: KeepsFiles, name: str, making: Future[bytes]) -> None:
        """Let `making` have the web avatar, or the reason why there is none."""
        try:
            with self._turns:
                made = _encoded(service, name)
        except BaseException as error:
            with self._lock:
                self._no_longer(name, making)
            making.set_exception(error)
            return
        with self._lock:
            if self._no_longer(name, making):
                self._kept[name] = made
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        making.set_result(made)

    def _no_longer(self, name: str, making: Future[bytes]) -> bool:
        """Take it out of what is being made; False when it was forgotten meanwhile."""
        is_wanted = self._making.get(name) is making
        if is_wanted:
            del self._making[name]
        return is_wanted


def _encoded(service: KeepsFiles, name: str) -> bytes:
    avatar = avatar_file.loads(service.files.read(name), "the avatar")
    model = by_name(avatar.head)
    avatar_file.check(avatar, model)
    return web_avatar.encode(web_avatar.WebAvatar.of_avatar(avatar, model))
