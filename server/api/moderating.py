"""/api/rooms/{id}/participants and /moderation: what a host does in a room without a page of it, such as by WHIP."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from server.accounts.people import Identity
from server.api.problems import ProblemError
from server.api.rooms import find_room
from server.api.service import MAX_INTEGER, Credential, Service, ServiceDep, note

router = APIRouter(prefix="/api/rooms", tags=["rooms"])
HOST = "host"
"""Who did it, in the audit log, where a link or a room token without an account was shown."""
WHO = "For an account that may manage the room, and for whoever shows its host's key or a room token with the grant `host`."


class ParticipantOut(BaseModel):
    """Somebody with an avatar. id: for `participant`. seated: whether the avatar can be seen."""

    id: int
    name: str
    muted: bool
    host: bool
    seated: bool


class ParticipantsOut(BaseModel):
    """Who is in a room, in the order of their numbers. viewers: those who only watch."""

    items: list[ParticipantOut]
    viewers: int
    locked: bool


class Order(BaseModel):
    """mute, remove: somebody, `participant`. lock, unlock, end: the room; `participant` is left out."""

    act: Literal["mute", "remove", "lock", "unlock", "end"]
    participant: Annotated[int, Field(ge=-1, le=MAX_INTEGER)] = -1


@router.get("/{room_id}/participants", description=WHO)
def list_participants(credential: Credential, service: ServiceDep, room_id: str) -> ParticipantsOut:
    """Who is in the room."""
    _host(service, credential, room_id)
    state = service.rooms.state_of(room_id)
    return ParticipantsOut(
        items=[ParticipantOut(id=p.id, name=p.name, muted=p.muted, host=p.host, seated=p.seated) for p in state.people],
        viewers=state.viewers, locked=state.locked,
    )  # fmt: skip


@router.post("/{room_id}/moderation", status_code=204, description=WHO)
def moderate(credential: Credential, service: ServiceDep, room_id: str, order: Order) -> Response:
    """Mute or remove somebody; lock, unlock or end the meeting."""
    who = _host(service, credential, room_id)
    if not service.rooms.moderate(room_id, order.act, order.participant) and order.act in ("mute", "remove"):
        raise ProblemError(404, "this participant is not in the room any more; look at the list of them")
    with service.database.session() as session:
        session.add(note(who, f"room.{order.act}", room_id))
    return Response(status_code=204)


def _host(service: Service, credential: str, room_id: str) -> Identity:
    """Who orders. Raises `InvalidTokenError`, `ProblemError`."""
    if service.rooms.hosted_by(credential) == room_id:
        return Identity(HOST, HOST, HOST)
    me = service.people.identify(credential)
    find_room(service, me, room_id)
    return me
