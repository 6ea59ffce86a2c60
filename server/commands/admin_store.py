"""The settings that `visavis admin` is given, and the store that they lead to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import VisavisError

if TYPE_CHECKING:
    from server.accounts.people import Identity
    from server.api.service import Service
    from server.call.config import ServerConfig
    from server.store.tables import Person

ACTOR = "command-line"
"""Who did it, in the audit log."""


class Store:
    """Settings, and what they lead to once it is needed."""

    def __init__(self, options: dict[str, Any], file: Path | None, *, is_new: bool = False) -> None:
        """is_new: whether the state folder may still be missing. Raises `VisavisError`."""
        from server.call.config import load, state_folder

        config = load({name: value for name, value in options.items() if value is not None}, file)
        self.config: ServerConfig = config.with_values(state=config.state or state_folder())
        self._service: Service | None = None
        if not (is_new or config.database or self.state.is_dir()):
            raise VisavisError(f"a server's state folder was expected at {self.state}, there is none; choose another --state")

    @property
    def state(self) -> Path:
        return self.config.state or Path()

    @property
    def service(self) -> Service:
        from server.service import open_service

        if self._service is None:
            self._service = open_service(self.config)
        return self._service

    def close(self) -> None:
        if self._service is not None:
            self._service.database.close()

    def person(self, who: str) -> Person:
        """Of a login or an id. Raises `VisavisError`."""
        from sqlalchemy import or_, select

        from server.store.tables import Person

        with self.service.database.reading() as session:
            found = session.scalar(select(Person).where(or_(Person.login == who, Person.id == who)))
        if found is None:
            raise VisavisError("a login or an id of somebody on this server was expected, another came; see list-people")
        return found

    def note(self, act: str, subject: str = "", **detail: str | int | bool) -> None:
        """An entry of the audit log."""
        from server.api.service import note

        with self.service.database.session() as session:
            session.add(note(self.me, act, subject, **detail))

    @property
    def me(self) -> Identity:
        from server.accounts.people import Identity

        return Identity(ACTOR, "admin", ACTOR)
