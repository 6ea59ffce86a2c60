"""How much one person may keep, and all together; an admin sets it while the server runs."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from server.store.database import Database
from server.store.tables import StoredLimits


@dataclass(frozen=True)
class PersonLimits:
    """avatars, rooms_each: that one person may have. jobs: enrollments of one person that wait or run. rooms: in all, as long as
    `--max-rooms` allows it. version: counts changes, 0 while nobody has changed them."""

    avatars: int = 50
    jobs: int = 3
    rooms: int = 256
    rooms_each: int = 4
    version: int = 0


def read_limits(session: Session) -> PersonLimits:
    """The limits now."""
    row = session.get(StoredLimits, 1)
    if row is None:
        return PersonLimits()
    return PersonLimits(row.avatars, row.jobs, row.rooms, row.rooms_each, row.version)


def change_limits(session: Session, changes: dict[str, int]) -> PersonLimits:
    """Set those that are named. Raises `IntegrityError`, `StaleDataError` when somebody else does so meanwhile."""
    row = session.get(StoredLimits, 1)
    if row is None:
        at_first = PersonLimits()
        values = {name: getattr(at_first, name) for name in ("avatars", "jobs", "rooms", "rooms_each")}
        row = StoredLimits(id=1, **values | changes)
        session.add(row)
    else:
        for name, value in changes.items():
            setattr(row, name, value)
    session.flush()
    return read_limits(session)


def rooms_allowed(database: Database) -> int | None:
    """What admins allow in all; `None` where that cannot be looked up."""
    try:
        with database.reading() as session:
            return read_limits(session).rooms
    except SQLAlchemyError:
        return None
