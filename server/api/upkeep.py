"""What a server does by itself from time to time: guests who did not come back are erased, with everything that is theirs."""

from __future__ import annotations

import asyncio
import logging
import time

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from models.errors import VisavisError
from server.accounts.people import Identity
from server.accounts.tokens import DAY
from server.api.erasing import erase_person
from server.api.service import Service
from server.store.tables import Person

log = logging.getLogger(__name__)
EVERY = 3600.0
"""Seconds between two looks."""
AT_ONCE = 100
"""Guests who are erased in one look, so that the database is others' too."""
ACTOR = "server"
"""Who did it, in the audit log."""


def erase_abandoned(service: Service, days: int, now: float | None = None) -> int:
    """Erase guests whose token has ended unused, as nobody can come back to what is theirs; returns how many. days: that a token
    lasts. now: seconds since 1970. Blocks."""
    before = (time.time() if now is None else now) - (days + 1) * DAY
    query = select(Person.id).where(Person.role == "guest", Person.seen < before).order_by(Person.seen).limit(AT_ONCE)
    with service.database.reading() as session:
        found = session.scalars(query).all()
    for person in found:
        erase_person(service, Identity(ACTOR, "admin", ACTOR), person, unused_days=days)
    return len(found)


async def keep_up(service: Service, days: int) -> None:
    """Until it is cancelled."""
    while True:
        try:
            await asyncio.to_thread(erase_abandoned, service, days)
        except (VisavisError, SQLAlchemyError, OSError) as error:
            log.warning("guests who did not come back cannot be erased now (%s)", type(error).__name__)
        await asyncio.sleep(EVERY)
