"""Web avatars (`models.exchange.web_avatar`) of avatar files: made once each, the last few kept in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

from models import avatar_file
from models.exchange import web_avatar
from models.heads.registry import by_name

KEPT = 16
"""Web avatars that stay in memory, 1 to 2 MB each."""
MEDIA_TYPE = "application/octet-stream"


class WebAvatarFiles:
    """For several threads. Who asks for a file that is being made waits for it; nobody waits for another one."""

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._making: dict[str, Future[bytes]] = {}
        self._lock = threading.Lock()

    def get(self, version: str) -> bytes | None:
        """One that is made already."""
        with self._lock:
            if version in self._kept:
                self._kept.move_to_end(version)
            return self._kept.get(version)

    def of(self, version: str, read: Callable[[], bytes]) -> bytes:
        """The web avatar of an avatar file. version: another one for each content. read: the file's bytes. Raises what `read`
        raises, and `AvatarFileError`."""
        found = self.get(version)
        if found is not None:
            return found
        with self._lock:
            making = self._making.get(version)
            is_mine = making is None
            future = self._making.setdefault(version, Future())
        if not is_mine:
            return future.result()
        try:
            made = _made(read())
        except BaseException as error:
            future.set_exception(error)
            raise
        else:
            self._keep(version, made)
            future.set_result(made)
            return made
        finally:
            with self._lock:
                del self._making[version]

    def _keep(self, version: str, made: bytes) -> None:
        with self._lock:
            self._kept[version] = made
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)


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
