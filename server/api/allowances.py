"""/api/limits: how much one person may keep, and all together."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from server.accounts.limits import PersonLimits, change_limits, read_limits
from server.api.problems import ProblemError
from server.api.service import Admin, IfMatch, ServiceDep, check_version, note

router = APIRouter(prefix="/api/limits", tags=["admin"])
Count = Annotated[int, Field(ge=0, le=10_000)]


class LimitsOut(BaseModel):
    """avatars, rooms_each: that one person may have. jobs: enrollments of one person that wait or run. rooms: in all, as long as
    `--max-rooms` allows it. version: for `If-Match`."""

    avatars: int
    jobs: int
    rooms: int
    rooms_each: int
    version: int


class LimitsChange(BaseModel):
    """What is left out stays."""

    avatars: Count | None = None
    jobs: Annotated[int, Field(ge=1, le=100)] | None = None
    rooms: Annotated[int, Field(ge=1, le=256)] | None = None
    rooms_each: Annotated[int, Field(ge=0, le=256)] | None = None


def _out(limits: PersonLimits) -> LimitsOut:
    return LimitsOut(**vars(limits))


@router.get("")
def read(_: Admin, service: ServiceDep) -> LimitsOut:
    """The limits."""
    with service.database.reading() as session:
        return _out(read_limits(session))


@router.patch("")
def change_them(admin: Admin, service: ServiceDep, change: LimitsChange, if_match: IfMatch = None) -> LimitsOut:
    """Set some of them; what is there already stays. With `If-Match: VERSION` only when nobody has changed them since."""
    changes = change.model_dump(exclude_none=True)
    if not changes:
        raise ProblemError(422, "at least one limit was expected, none came; name one")
    with service.database.session() as session:
        service.database.alone(session)
        check_version(read_limits(session), if_match)
        made = change_limits(session, changes)
        session.add(note(admin, "limits.change", **changes))
        return _out(made)
