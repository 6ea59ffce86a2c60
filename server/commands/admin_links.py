"""What `visavis admin links` does: rooms of a server's database, and the addresses that open them."""

from __future__ import annotations

from dataclasses import replace

from models.errors import VisavisError
from server.accounts.limits import read_limits
from server.accounts.people import ConflictError, clean_name
from server.call.addresses import base_urls, links_of
from server.call.kept_rooms import KeptRoom, RoomStore
from server.call.rules import RoomKeys
from server.commands.admin_store import Store


def change(store: Store, port: int, *, add: str | None, renew: str | None, gone: str | None) -> None:
    """Make a room of that name, give one (its id) other links, take one out. Raises `VisavisError`."""
    database, config = store.service.database, store.config
    rooms = RoomStore(database, port)
    if add is not None:
        with database.reading() as session:
            most = min(config.max_rooms, read_limits(session).rooms)
        if len(_kept(rooms)) >= most:
            raise ConflictError(f"at most {most} rooms are kept here; use one of those, or raise --max-rooms and the limit")
        made = KeptRoom(RoomKeys.new(), name=clean_name(add))
        rooms.add(made)
        store.note("room.add", made.id)
    if renew is not None:
        rooms.renew(replace(_find(rooms, renew), keys=RoomKeys.new()))
        store.note("room.renew", renew)
    if gone is not None:
        found = _find(rooms, gone)
        if found == _kept(rooms)[0]:
            raise ConflictError("the first room stays; give it other links with --renew")
        rooms.remove(found.id)
        store.note("room.delete", gone)


def shown(store: Store, port: int) -> list[dict[str, str]]:
    """The rooms with their addresses, the first one in front."""
    config = store.config
    secure = config.tls or config.tls_certificate is not None
    _, base_url = base_urls(config, port, "https" if secure else "http")
    return [
        {"id": room.id, "name": room.name, **links_of(base_url, room.keys)}
        for room in _kept(RoomStore(store.service.database, port))
    ]


def _kept(rooms: RoomStore) -> list[KeptRoom]:
    return sorted(rooms.rooms() or (), key=lambda room: (room.created, room.id))


def _find(rooms: RoomStore, room: str) -> KeptRoom:
    for kept in _kept(rooms):
        if kept.id == room:
            return kept
    raise VisavisError("the id of a room of this port was expected, another one came; see `visavis admin links`")
