"""The rooms of a server: whose link opens which, when each has a render process, and how new ones are made."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from models.errors import StorageError, VisavisError
from server.accounts.limits import rooms_allowed
from server.accounts.people import ConflictError
from server.accounts.tokens import LEEWAY, InvalidTokenError
from server.api.service import Service
from server.call import ice
from server.call.avatars import AvatarCatalog
from server.call.config import ServerConfig
from server.call.greeting import greeting
from server.call.kept_rooms import KeptRoom, RoomStore
from server.call.peer import RoomPeer
from server.call.protocol import Failure, Hello, Moderate, Role, encode
from server.call.room import RESTARTS, MakePeer, Room
from server.call.room_links import RoomLinks
from server.call.rules import RoomKeys, RoomSettings, Visitor, as_sentence, same
from server.call.stored_avatars import StoredAvatars
from server.call.visitors import GONE, visitor_of
from server.call.wire import Wire, say_and_close

log = logging.getLogger(__name__)

IDLE_AFTER = 300.0
"""Seconds without anybody after which a room's process ends; the first room's goes on, so that a call can start at once."""
LOOK_EVERY = 5.0
RETRY_AFTER = 5.0
"""Seconds after which a page whose room cannot be opened now asks again."""
NO_ROOM = "there is no room at this address; ask for a new link"


class Rooms:
    """All rooms. Lives on the event loop."""

    def __init__(
        self,
        config: ServerConfig,
        kept: tuple[KeptRoom, ...],
        base_url: str,
        catalog: AvatarCatalog,
        store: RoomStore | None = None,
    ) -> None:
        """kept: the first one is always open. base_url: of the pages, as others reach them. store: where new rooms are kept."""
        self.catalog, self.base_url = catalog, base_url
        self._store, self.most = store or RoomStore(), config.max_rooms
        self._config = config
        self._settings = RoomSettings(
            base_url=base_url,
            **{name: getattr(config, name) for name in RoomSettings.__dataclass_fields__ if name != "base_url"},
        )
        self._links = RoomLinks(kept)
        self._open: dict[str, Room] = {}
        self._opening: dict[str, asyncio.Task[Room]] = {}
        self._on_failure: Callable[[], None] = lambda: None
        self._service: Service | None = None
        self.stored: StoredAvatars | None = None
        self._timer: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._removed: dict[str, float] = {}  # room token -> when it ends
        self._closed = False
        self._retry_after: float | None = None
        self._ended_restarts = 0
        self._changing = asyncio.Lock()
        self.failure = ""
        """One sentence once the first room can never work."""
        self._first = kept[0]

    @property
    def first(self) -> RoomKeys:
        """The keys of the room that is always there."""
        return self._first.keys

    @property
    def ready(self) -> bool:
        """Whether a call can start now."""
        room = self._open.get(self._first.id)
        return room is not None and room.ready

    @property
    def open(self) -> list[Room]:
        """The rooms that have a render process now."""
        return list(self._open.values())

    @property
    def restarts(self) -> int:
        """Render processes that were started in place of one that ended."""
        return self._ended_restarts + sum(max(0, room.worker.starts - 1) for room in self._open.values())

    @property
    def is_calling(self) -> bool:
        """Whether somebody has a connection for media."""
        return any(room.is_calling for room in self._open.values())

    @property
    def retry_after(self) -> float | None:
        """Seconds after which newcomers should ask again, once the server is being stopped."""
        return self._retry_after

    def drain(self, seconds: float) -> None:
        """Let nobody new in, and tell those who are here. seconds: until the server ends."""
        self._retry_after = seconds + RETRY_AFTER
        for room in self._open.values():
            room.drain(self._retry_after)

    @property
    def kept(self) -> list[KeptRoom]:
        """All rooms."""
        return self._links.rooms

    def open_room(self, room: str) -> Room | None:
        """The room of an id, if it has a render process now."""
        return self._open.get(room)

    def is_first(self, room: str) -> bool:
        """Whether it is the room that is always there."""
        return room == self._first.id

    def is_hosts_link(self, key: str) -> bool:
        """Whether it is the key of a host's link, of whichever room."""
        found = self._links.of(key)
        return found is not None and found[1] == "host"

    def role_of(self, key: str) -> Role | None:
        """What a link's key allows in whichever room it is of, or a room token of this server, whether or not it still holds."""
        found = self._links.of(key)
        if found is not None:
            return found[1]
        if self._service is None or key.count(".") != 2:
            return None
        try:
            grants = self._service.room_tokens.read(key)
        except InvalidTokenError:
            return None
        return grants.role if self._links.get(grants.room) else None

    async def admit(self, credential: str) -> tuple[KeptRoom, Visitor]:
        """Who shows a link's key or a room token, and where to. Raises `InvalidTokenError`, `VisavisError` for a database that
        cannot be asked. A token that has expired is let pass: see `Visitor.is_late`."""
        found = self._links.of(credential)
        if found is not None:
            return found[0], Visitor(found[1])
        service = self._service
        if service is None or credential.count(".") != 2:
            raise InvalidTokenError(NO_ROOM)
        grants = service.room_tokens.read(credential)
        room = self._links.get(grants.room)
        if room is None:
            raise InvalidTokenError(NO_ROOM)
        if grants.id in self._removed:
            raise InvalidTokenError(GONE)
        try:
            return room, await asyncio.to_thread(visitor_of, service.database, service.room_tokens, grants)
        except SQLAlchemyError:
            raise VisavisError("this server cannot look the token up now; try again in a moment") from None

    def use(self, service: Service) -> None:
        """Offer people their own avatars, and let room tokens in; call it before `start`."""
        self._service, self.stored = service, StoredAvatars(service.database, service.files)

    def erase_avatar(self, avatar: str) -> None:
        """The avatar was erased: nobody shows it any more."""
        if self.stored is not None:
            self.stored.forget(avatar)
        for room in self.open:
            room.erase_avatar(avatar)

    def put_out(self, person: str) -> None:
        """The account has ended: nobody is here with it any more."""
        for room in self.open:
            room.put_out(person)

    async def start(self, on_failure: Callable[[], None] = lambda: None) -> None:
        """Open the first room; `on_failure` is called when it says that it can never work (see `failure`)."""
        self._on_failure = on_failure
        ice.install(self._config.ice_addresses, self._config.ice_ports)
        await self._room(self._first)
        self._timer = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Refuse newcomers and end all rooms. May be called twice."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        rooms = [room.close() for room in self._open.values()]
        await asyncio.gather(*rooms, *self._opening.values(), *self._tasks, return_exceptions=True)

    def most_for(self, host: str) -> int:
        """How many rooms there may be when the host with that key makes one more: those to whom a room was given leave half of
        the places to accounts and to the first room's host, who has the link that the server prints."""
        return self.most if same(host, self.first.host) else max(1, self.most // 2)

    async def create(self, name: str = "", owner: str = "", most: int | None = None) -> KeptRoom:
        """Another room, which is kept. owner: id of an account. most: rooms in all; never more than `max_rooms` and the admins'
        limit. Raises `ConflictError` when there are too many, `StorageError` when it cannot be kept."""
        async with self._changing:
            limits = [self.most, most]
            if self._service is not None:
                limits.append(await asyncio.to_thread(rooms_allowed, self._service.database))
            most = min(limit for limit in limits if limit is not None)
            if len(self._links) >= most:
                raise ConflictError(
                    f"at most {most} rooms are kept here; use one of those, or raise --max-rooms and the desk's limit"
                )
            made = KeptRoom(RoomKeys.new(), name=name, owner=owner)
            try:
                await asyncio.to_thread(self._store.add, made)
            except (OSError, StorageError, SQLAlchemyError):
                raise StorageError("the new room cannot be kept on this server; look at its disk") from None
            self._links.enter(made)
            return made

    async def remove(self, room: str) -> None:
        """The room is no more, its links and tokens open nothing; whoever is there goes. Not of the first room. Raises
        `SQLAlchemyError`."""
        async with self._changing:
            kept = self._links.get(room)
            if kept is None or kept is self._first:
                return
            await asyncio.to_thread(self._store.remove, room)
            self._forget(kept)

    async def renew(self, room: str) -> KeptRoom | None:
        """Other links for a room: the old ones open nothing, whoever is there goes. `None` without it. May raise as `remove`."""
        async with self._changing:
            kept = self._links.get(room)
            if kept is None:
                return None
            made = replace(kept, keys=RoomKeys.new())
            await asyncio.to_thread(self._store.renew, made)
            await self._exchange(kept, made)
            return made

    async def reread(self) -> None:
        """Take over what others have changed about the kept rooms, such as `visavis admin links`."""
        async with self._changing:
            try:
                rooms = await asyncio.to_thread(self._store.rooms)
            except (OSError, StorageError, SQLAlchemyError):
                return  # the next look may find them
            for kept, made in [] if rooms is None else self._links.changes(rooms):
                await self._exchange(kept, made)

    async def _exchange(self, kept: KeptRoom | None, made: KeptRoom | None) -> None:
        is_first = kept is self._first
        if kept is not None and (made is not None or not is_first):
            self._forget(kept)
        if made is not None:
            self._links.enter(made)
            if is_first:
                self._first = made
                await self._room(made)

    def _forget(self, kept: KeptRoom) -> None:
        """Its links and tokens open nothing any more; whoever is there goes."""
        self._links.forget(kept)
        found = self._open.get(kept.id)
        if found is not None:
            found.moderate(Moderate("end"))
            self._end(kept.id)

    async def serve(self, wire: Wire, make_peer: MakePeer = RoomPeer, *, only_sends: bool = False) -> None:
        """One page's socket, from its first message to its end. make_peer: of its peer connections. only_sends: nothing of the
        room goes out to it."""
        hello = await greeting(wire, closed=self._closed)
        if hello is None:
            return
        try:
            kept, visitor = await self.admit(hello.key)
        except InvalidTokenError as error:
            await say_and_close(wire, encode(Failure("not_found", as_sentence(str(error)))))
            return
        except VisavisError as error:
            await say_and_close(wire, encode(Failure("busy", as_sentence(str(error)), final=False, retry_after=RETRY_AFTER)))
            return
        if not visitor.subscribes and not only_sends:
            await say_and_close(wire, encode(Failure("not_allowed", "This token only sends; ask for one that may also watch.")))
            return
        if self._retry_after is not None and kept.id not in self._open:
            failure = Failure("restarting", RESTARTS, final=False, retry_after=self._retry_after)
            await say_and_close(wire, encode(failure))
            return
        try:
            room = await self._room(kept)
        except VisavisError as error:
            await say_and_close(wire, encode(Failure("busy", as_sentence(str(error)), final=False, retry_after=RETRY_AFTER)))
            return
        person = visitor.person or await self.person_of(hello)
        await room.serve(wire, hello, replace(visitor, person=person), make_peer)

    async def person_of(self, hello: Hello) -> str:
        """The account whose token the hello brings; empty without a valid one."""
        if self._service is None or not hello.token:
            return ""
        try:
            return (await asyncio.to_thread(self._service.people.identify, hello.token)).person
        except InvalidTokenError:
            return ""

    async def _room(self, kept: KeptRoom) -> Room:
        """The room with that id, with a render process from now on. Raises `VisavisError`."""
        if (room := self._open.get(kept.id)) is not None:
            return room
        if (opening := self._opening.get(kept.id)) is None:
            opening = self._opening[kept.id] = asyncio.create_task(self._open_room(kept))
            opening.add_done_callback(lambda done: (self._opening.pop(kept.id), done.cancelled() or done.exception()))
        return await asyncio.shield(opening)  # others may wait for it

    async def _open_room(self, kept: KeptRoom) -> Room:
        """Its memory is reserved in a thread, which takes 25 ms by the usual settings and 70 at the most."""
        busy = partial(self._busy, kept.id)
        room = await asyncio.to_thread(Room, self._settings, kept.keys, self.catalog, busy, self.stored, self._revoke)
        if self._closed or self._links.get(kept.id) is None:
            await room.close()
            raise VisavisError("this room is closing; come back in a moment")
        self._open[kept.id] = room
        await room.start(on_failure=lambda: self._failed(kept))
        if self._retry_after is not None:
            room.drain(self._retry_after)
        return room

    def _revoke(self, token: str, until: float) -> None:
        """The holder of a room token was removed."""
        now = time.time()
        self._removed = {known: end for known, end in self._removed.items() if end + LEEWAY > now} | {token: until}

        async def keep() -> None:
            try:
                await asyncio.to_thread(self._store.revoke, token, until)
            except (OSError, StorageError, SQLAlchemyError):
                log.warning("a room token cannot be revoked now: the database cannot be used")

        self._spawn(keep())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _busy(self, own: str) -> float:
        """The part of the machine's cores that the other rooms take now."""
        return sum(room.cores_taken for kept, room in self._open.items() if kept != own) / (os.cpu_count() or 1)

    def _failed(self, kept: KeptRoom) -> None:
        room = self._open.get(kept.id)
        if room is None:
            return
        if kept is self._first:
            self.failure = room.worker.failure
            self._on_failure()
        else:
            log.error("a room cannot be opened: %s", room.worker.failure)
            self._end(kept.id)

    def _end(self, room: str) -> None:
        ended = self._open.pop(room)
        self._ended_restarts += max(0, ended.worker.starts - 1)
        self._spawn(ended.close())

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            with suppress(RuntimeError):
                await self.catalog.keep_fresh()
            await self._improve_avatars()
            await self.reread()
            now = time.monotonic()
            for kept, room in list(self._open.items()):
                if kept != self._first.id and room.is_empty and now - room.used > IDLE_AFTER:
                    self._end(kept)

    async def _improve_avatars(self) -> None:
        """Show people better avatars that were made meanwhile."""
        shown = {avatar for room in self.open for avatar in room.shown.taken.values()}
        if self.stored is None or not shown:
            return
        try:
            await self.stored.refresh(shown)
        except Exception as error:  # a database or a store that is away: the next look may find it
            log.warning("the store cannot be asked for better avatars now (%s)", type(error).__name__)
            return
        for room in self.open:
            room.shown.improve()
