"""The rooms of a server: whose link opens which, when each has a render process, and how new ones are made."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress

from models.errors import ProtocolError, StorageError, VisavisError
from server.accounts.tokens import InvalidTokenError
from server.api.service import Service
from server.call import ice
from server.call.avatars import AvatarCatalog
from server.call.config import ServerConfig
from server.call.links import Links
from server.call.peer import RoomPeer
from server.call.protocol import Failure, Hello, Role, decode, encode
from server.call.room import MakePeer, Room
from server.call.rules import RoomKeys, RoomSettings, as_sentence
from server.call.stored_avatars import StoredAvatars
from server.call.wire import Wire, say_and_close

log = logging.getLogger(__name__)

MAX_HELLO = 4096
"""Characters of the first message."""
IDLE_AFTER = 300.0
"""Seconds without anybody after which a room's process ends; the first room's goes on, so that a call can start at once."""
LOOK_EVERY = 5.0
RETRY_AFTER = 5.0
"""Seconds after which a page whose room cannot be opened now asks again."""


class Rooms:
    """All rooms. Lives on the event loop."""

    def __init__(self, config: ServerConfig, links: Links, base_url: str, catalog: AvatarCatalog) -> None:
        """base_url: of the pages, as others reach them."""
        self.catalog = catalog
        self._links, self._most = links, config.max_rooms
        self._config = config
        self._settings = RoomSettings(
            base_url=base_url,
            **{name: getattr(config, name) for name in RoomSettings.__dataclass_fields__ if name != "base_url"},
        )
        self._keys: list[RoomKeys] = []
        self._roles: dict[bytes, tuple[RoomKeys, Role]] = {}
        self._open: dict[RoomKeys, Room] = {}
        self._on_failure: Callable[[], None] = lambda: None
        self._service: Service | None = None
        self.stored: StoredAvatars | None = None
        self._timer: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False
        self._creating = asyncio.Lock()
        self.failure = ""
        """One sentence once the first room can never work."""
        for keys in links.rooms:
            self._enter(keys)

    def _enter(self, keys: RoomKeys) -> None:
        self._keys.append(keys)
        roles: list[tuple[str, Role]] = [(keys.host, "host"), (keys.person, "person"), (keys.viewer, "viewer")]
        self._roles |= {_digest(key): (keys, role) for key, role in roles}

    @property
    def first(self) -> RoomKeys:
        """The keys of the room that is always there."""
        return self._keys[0]

    @property
    def ready(self) -> bool:
        """Whether a call can start now."""
        room = self._open.get(self.first)
        return room is not None and room.ready

    @property
    def open(self) -> list[Room]:
        """The rooms that have a render process now."""
        return list(self._open.values())

    def role_of(self, key: str) -> Role | None:
        """What a key allows in whichever room it is of."""
        found = self._roles.get(_digest(key))
        return None if found is None else found[1]

    def use(self, service: Service) -> None:
        """Offer people their own avatars; call it before `start`."""
        self._service, self.stored = service, StoredAvatars(service.database, service.files)

    def erase_avatar(self, avatar: str) -> None:
        """The avatar was erased: nobody shows it any more."""
        if self.stored is not None:
            self.stored.forget(avatar)
        for room in self.open:
            room.erase_avatar(avatar)

    async def start(self, on_failure: Callable[[], None] = lambda: None) -> None:
        """Open the first room; `on_failure` is called when it says that it can never work (see `failure`)."""
        self._on_failure = on_failure
        ice.install(self._config.ice_addresses, self._config.ice_ports)
        await self._room(self.first)
        self._timer = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Refuse newcomers and end all rooms. May be called twice."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.gather(*(room.close() for room in self._open.values()), *self._closing)

    async def create(self) -> RoomKeys:
        """Another room, which is kept. Raises `VisavisError` when there are too many, or it cannot be kept."""
        async with self._creating:
            if len(self._keys) >= self._most:
                raise VisavisError(
                    f"at most {self._most} rooms are kept here; use one of those, or start with a higher --max-rooms"
                )
            made = RoomKeys.new()
            try:
                await asyncio.to_thread(self._links.write, (*self._keys, made))
            except (OSError, StorageError):
                raise VisavisError("the new room cannot be kept on this server; look at its disk") from None
            self._enter(made)
            return made

    async def serve(self, wire: Wire, make_peer: MakePeer = RoomPeer) -> None:
        """One page's socket, from its first message to its end. make_peer: of its peer connections."""
        text = await wire.receive()
        if text is None:
            return
        if self._closed:
            await wire.close(1012)
            return
        try:
            hello = decode(text)
        except ProtocolError as error:
            await say_and_close(wire, encode(Failure("bad_message", as_sentence(str(error)))))
            return
        if not isinstance(hello, Hello) or len(text) > MAX_HELLO:
            await say_and_close(wire, encode(Failure("bad_message", "A hello was expected first, something else came.")))
            return
        found = self._roles.get(_digest(hello.key))
        if found is None:
            sentence = "There is no room at this address; ask for a new link."
            await say_and_close(wire, encode(Failure("not_found", sentence)))
            return
        try:
            room = await self._room(found[0])
        except VisavisError as error:
            await say_and_close(wire, encode(Failure("busy", as_sentence(str(error)), final=False, retry_after=RETRY_AFTER)))
            return
        await room.serve(wire, hello, await self.person_of(hello), make_peer)

    async def person_of(self, hello: Hello) -> str:
        """The account whose token the hello brings; empty without a valid one."""
        if self._service is None or not hello.token:
            return ""
        try:
            return (await asyncio.to_thread(self._service.people.identify, hello.token)).person
        except InvalidTokenError:
            return ""

    async def _room(self, keys: RoomKeys) -> Room:
        room = self._open.get(keys)
        if room is None:
            room = Room(self._settings, keys, self.catalog, lambda: self._busy(keys), self.stored)
            self._open[keys] = room
            await room.start(on_failure=lambda: self._failed(keys))
        return room

    def _busy(self, keys: RoomKeys) -> float:
        """The part of the machine's cores that the other rooms take now."""
        return sum(room.cores_taken for own, room in self._open.items() if own != keys) / (os.cpu_count() or 1)

    def _failed(self, keys: RoomKeys) -> None:
        room = self._open.get(keys)
        if room is None:
            return
        if keys == self.first:
            self.failure = room.worker.failure
            self._on_failure()
        else:
            log.error("a room cannot be opened: %s", room.worker.failure)
            self._end(keys)

    def _end(self, keys: RoomKeys) -> None:
        task = asyncio.create_task(self._open.pop(keys).close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            with suppress(RuntimeError):
                await self.catalog.keep_fresh()
            now = time.monotonic()
            for keys, room in list(self._open.items()):
                if keys != self.first and room.is_empty and now - room.used > IDLE_AFTER:
                    self._end(keys)


def _digest(key: str) -> bytes:
    """What keys are looked up by, so that the time tells nothing about them."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
