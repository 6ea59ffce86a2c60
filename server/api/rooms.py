"""/api/rooms: which there are, who is in them, and tokens that let somebody in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from server.accounts.limits import read_limits
from server.accounts.people import ConflictError, Identity, clean_name
from server.accounts.room_tokens import DEFAULT_LIFETIME, MAX_NAME, MOST_LIFETIME, Grant, Grants
from server.api.directory import RoomInfo
from server.api.paging import After, Limit, Page, page_of
from server.api.problems import ProblemError
from server.api.service import Me, Service, ServiceDep, note
from server.call.protocol import Role
from server.store.tables import Person

router = APIRouter(prefix="/api/rooms", tags=["rooms"])
LEAST_LIFETIME = 10
"""Seconds of a token."""
ALLOWS: dict[Role, set[Grant]] = {
    "host": {"host", "publish", "watch", "subscribe"},
    "person": {"publish", "watch", "subscribe"},
    "viewer": {"watch", "subscribe"},
}
"""What whoever has a link may hand on."""
NOT_YOURS = "there is no such room, or it is not yours"


class RoomOut(BaseModel):
    """A room. owner: who made it, `None` for the first room and those made by a host's link. created: seconds since 1970. first:
    whether it is the room that is always there. open: whether it has a render process now. people: with an avatar. viewers:
    those who watch. pictures: drawn a second. links: the addresses for a host, a person and a viewer; each is a secret."""

    id: str
    name: str
    owner: str | None
    created: float
    first: bool
    open: bool
    ready: bool
    people: int
    viewers: int
    pictures: float
    links: dict[str, str]


class NewRoom(BaseModel):
    """A room to make."""

    name: Annotated[str, Field(max_length=64, examples=["Monday meeting"])] = ""


class NewToken(BaseModel):
    """Whom to let in, and for what.

    grants: `watch`, come in without an avatar; `publish`, also with one; `host`, also mute, remove, lock and end; `subscribe`,
    see and hear the others. person: whose avatars may be taken (an id; another's only for an admin), nobody's when empty. name:
    what others see; the visitor's choice when empty. lifetime: seconds in which the room can be entered. key: of one of the
    room's links, for somebody who did not make the room; no more than that link allows is granted.
    """

    grants: Annotated[set[Grant], Field(min_length=1, examples=[["publish", "subscribe"]])] = {"watch", "subscribe"}
    person: Annotated[str, Field(max_length=32)] = ""
    name: Annotated[str, Field(max_length=MAX_NAME, examples=["Ada Lovelace"])] = ""
    lifetime: Annotated[int, Field(ge=LEAST_LIFETIME, le=MOST_LIFETIME)] = DEFAULT_LIFETIME
    key: Annotated[str, Field(max_length=256)] = ""


class RoomTokenOut(BaseModel):
    """A room token. link: the page's address with it. expires: seconds since 1970; who is in the room then stays."""

    id: str
    token: str
    link: str
    expires: float


def _out(room: RoomInfo) -> RoomOut:
    return RoomOut(
        id=room.id, name=room.name, owner=room.owner or None, created=room.created, first=room.is_first, open=room.is_open,
        ready=room.is_ready, people=room.people, viewers=room.viewers, pictures=round(room.pictures, 1), links=room.links,
    )  # fmt: skip


def _is_kept_by(me: Identity, room: RoomInfo) -> bool:
    return me.is_admin or (room.owner != "" and room.owner == me.person)


def find_room(service: Service, me: Identity, room_id: str) -> RoomInfo:
    """The room, for whoever may manage it. Raises `ProblemError`."""
    found = next((room for room in service.rooms.all() if room.id == room_id), None)
    if found is None or not _is_kept_by(me, found):
        raise ProblemError(404, NOT_YOURS)
    return found


@router.get("")
def list_rooms(me: Me, service: ServiceDep, after: After = "", limit: Limit = 100) -> Page[RoomOut]:
    """One's own rooms, all of them for an admin. In the order of their ids."""
    rooms = (room for room in service.rooms.all() if room.id > after and _is_kept_by(me, room))
    return page_of(rooms, limit, _out, lambda room: room.id)


@router.post("", status_code=201)
def add_room(me: Me, service: ServiceDep, new: NewRoom) -> RoomOut:
    """Make a room, which stays until it is deleted."""
    if me.role == "guest":
        raise ProblemError(403, "an account was expected, guests make no rooms; ask for one")
    with service.database.reading() as session:
        limits = read_limits(session)
    own = sum(room.owner == me.person for room in service.rooms.all())
    if not me.is_admin and own >= limits.rooms_each:
        raise ConflictError(f"at most {limits.rooms_each} rooms of one person are kept; delete one first")
    made = service.rooms.create(clean_name(new.name), me.person, limits.rooms)
    with service.database.session() as session:
        session.add(note(me, "room.add", made.id))
    return _out(made)


@router.get("/{room_id}")
def read_room(me: Me, service: ServiceDep, room_id: str) -> RoomOut:
    """One room."""
    return _out(find_room(service, me, room_id))


@router.post("/{room_id}/end", status_code=204)
def end_meeting(me: Me, service: ServiceDep, room_id: str) -> Response:
    """Everybody leaves the room, which stays; its links go on working."""
    found = find_room(service, me, room_id)
    service.rooms.end(found.id)
    with service.database.session() as session:
        session.add(note(me, "room.end", found.id))
    return Response(status_code=204)


@router.post("/{room_id}/links", status_code=201)
def renew_links(me: Me, service: ServiceDep, room_id: str) -> RoomOut:
    """Other links, where the old ones got into wrong hands: those open nothing any more, and everybody leaves the room."""
    made = service.rooms.renew(find_room(service, me, room_id).id)
    if made is None:
        raise ProblemError(404, NOT_YOURS)
    with service.database.session() as session:
        session.add(note(me, "room.renew", room_id))
    return _out(made)


@router.delete("/{room_id}", status_code=204)
def delete_room(me: Me, service: ServiceDep, room_id: str) -> Response:
    """The room is no more: everybody leaves it, its links and tokens open nothing."""
    found = find_room(service, me, room_id)
    if found.is_first:
        raise ConflictError("the first room stays; give it new links instead")
    service.rooms.remove(found.id)
    with service.database.session() as session:
        session.add(note(me, "room.delete", found.id))
    return Response(status_code=204)


@router.post("/{room_id}/tokens", status_code=201)
def make_token(me: Me, service: ServiceDep, room_id: str, new: NewToken) -> RoomTokenOut:
    """A token that lets one somebody into the room, for programs that show rooms in pages of their own."""
    if me.role == "guest":
        raise ProblemError(403, "an account or its API key was expected, guests make no tokens; ask for one")
    allowed = _may_grant(service, me, room_id, new.key)
    if not set(new.grants) <= allowed:
        raise ProblemError(403, f"at most {', '.join(sorted(allowed))} may be granted by this link; ask for another one")
    if new.grants <= {"subscribe"}:
        raise ProblemError(422, "watch, publish or host was expected beside subscribe; add one")
    if new.person not in ("", me.person) and not me.is_admin:
        raise ProblemError(403, "only an admin may make tokens for others' accounts; leave the person out")
    with service.database.session() as session:
        person = session.get(Person, new.person) if new.person else None
        if new.person and (person is None or person.disabled):
            raise ProblemError(422, "there is no such person, or the account is disabled; look at the list of people")
        generation = 0 if person is None else person.generation
        allows = dict.fromkeys(new.grants, True) | {"subscribe": "subscribe" in new.grants}
        grants = Grants(room_id, new.person, clean_name(new.name), **allows, generation=generation, issuer=me.person)  # type: ignore[arg-type]
        token, made = service.room_tokens.make(grants, new.lifetime)
        session.add(note(me, "room.token", room_id, token=made.id, grants=" ".join(sorted(new.grants))))
    return RoomTokenOut(id=made.id, token=token, link=service.rooms.link(token), expires=made.expires)


def _may_grant(service: Service, me: Identity, room_id: str, key: str) -> set[Grant]:
    if key:
        found = service.rooms.room_of(key)
        if found is None or found[0] != room_id:
            raise ProblemError(403, "the key of one of this room's links was expected, another one came")
        return ALLOWS[found[1]]
    find_room(service, me, room_id)
    return ALLOWS["host"]
