"""Web avatars (`models.exchange.web_avatar`) of avatar files: made once each, the last few kept in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

from models import avatar_file
from models.errors import VisavisError
from models.exchange import web_avatar
from models.heads.registry import by_name

KEPT = 16
"""Web avatars that stay in memory, 1 to 2 MB each."""
AT_ONCE = 2
"""Web avatars that are made at the same time, of different files."""
MOST_WAITING = 16
"""Callers that wait for one to be made; each holds a thread."""
RETRY_AFTER = 2
"""Seconds; one is made in about one."""
MEDIA_TYPE = "application/octet-stream"


class TooManyWaitError(VisavisError):
    """So many wait that another one would hold up the server; try again after `RETRY_AFTER` seconds."""


class WebAvatarFiles:
    """Makes them, each file's once, and keeps the last few in memory. One that is there waits for nobody. For several threads."""

    def __init__(self, most: int = KEPT, *, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        self._most, self._most_waiting, self._waiting = most, most_waiting, 0
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._making: dict[str, Future[bytes]] = {}
        self._lock, self._turns = threading.Lock(), threading.BoundedSemaphore(at_once)

    def get(self, version: str) -> bytes | None:
        """One that is made already."""
        with self._lock:
            if version in self._kept:
                self._kept.move_to_end(version)
            return self._kept.get(version)

    def of(self, version: str, read: Callable[[], bytes]) -> bytes:
        """The web avatar of an avatar file; blocks for about a second when it is not made yet. version: another one for each
        content. read: the file's bytes. Raises what `read` raises, `AvatarFileError`, and `TooManyWaitError`."""
        found = self.get(version)
        if found is not None:
            return found
        with self._lock:
            if self._waiting >= self._most_waiting:
                raise TooManyWaitError("many avatars are being made ready just now; try again")
            self._waiting += 1
            making = self._making.get(version)
            is_first = making is None
            if making is None:
                making = self._making[version] = Future()
        try:
            if is_first:
                self._make(version, read, making)
            return making.result()
        finally:
            with self._lock:
                self._waiting -= 1

    def forget(self, version: str) -> None:
        """The file was erased: nothing of it stays, nor of what is being made of it."""
        with self._lock:
            self._kept.pop(version, None)
            self._making.pop(version, None)

    def _make(self, version: str, read: Callable[[], bytes], making: Future[bytes]) -> None:
        """Let `making` have the web avatar, or the reason why there is none."""
        try:
            with self._turns:
                made = _made(read())
        except BaseException as error:
            with self._lock:
                self._no_longer(version, making)
            making.set_exception(error)
            return
        with self._lock:
            if self._no_longer(version, making):
                self._kept[version] = made
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        making.set_result(made)

    def _no_longer(self, version: str, making: Future[bytes]) -> bool:
        """Take it out of what is being made; False when it was forgotten meanwhile."""
        is_wanted = self._making.get(version) is making
        if is_wanted:
            del self._making[version]
        return is_wanted


WEB_AVATARS = WebAvatarFiles()
"""Of this process, for calls and API."""


def etag(version: str) -> str:
    """As RFC 9110, 8.8.3: another one for each file, and for each version of the format."""
    return f'"{version.rpartition("/")[2]}.{web_avatar.VERSION}"'


def is_known(tag: str, if_none_match: str | None) -> bool:
    """Whether who asks has it already (RFC 9110, 13.1.2)."""
    return if_none_match is not None and tag in {part.strip().removeprefix("W/") for part in if_none_match.split(",")}


def _made(data: bytes) -> bytes:
    avatar = avatar_file.loads(data, "the avatar")
    model = by_name(avatar.head)
    avatar_file.check(avatar, model)
    return web_avatar.encode(web_avatar.WebAvatar.of_avatar(avatar, model))
