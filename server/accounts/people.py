"""Accounts and guests in the database, and what a request's credentials say about who sends it."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass

from sqlalchemy import func, select

from models.errors import VisavisError
from server.accounts import passwords
from server.accounts.tokens import Claims, InvalidTokenError, Tokens
from server.store.database import Database
from server.store.tables import ApiKey, AuditEntry, Person

API_KEY_PREFIX = "vv_"
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{0,62}")


@dataclass(frozen=True)
class Identity:
    """Who sends a request."""

    person: str
    role: str
    name: str

    @property
    def is_admin(self) -> bool:
        """Whether everything is allowed."""
        return self.role == "admin"


class People:
    """Of one database."""

    def __init__(self, database: Database, tokens: Tokens) -> None:
        self._database, self._tokens = database, tokens

    def has_admin(self) -> bool:
        """Whether somebody was made an admin; until then the set-up link works."""
        with self._database.session() as session:
            return bool(session.scalar(select(func.count()).select_from(Person).where(Person.role == "admin")))

    def add(self, login: str, name: str, password: str, role: str = "member", *, actor: str = "") -> Person:
        """An account. Raises `VisavisError` for a login that is taken or none, or a password that is too short."""
        if _LOGIN.fullmatch(login) is None:
            raise VisavisError("a login of small letters, digits, dots and dashes was expected, another came")
        kept = passwords.hashed(password)
        with self._database.session() as session:
            if session.scalar(select(Person.id).where(Person.login == login)) is not None:
                raise VisavisError("this login is taken; choose another one")
            person = Person(login=login, name=name.strip()[:64] or login, role=role, password=kept)
            session.add(person)
            session.flush()
            session.add(AuditEntry(actor=actor or person.id, act="person.add", object=person.id, detail={"role": role}))
            return person

    def guest(self, name: str = "") -> str:
        """A token for somebody who came by a room's link."""
        with self._database.session() as session:
            person = Person(name=name.strip()[:64] or "Guest", role="guest")
            session.add(person)
            session.flush()
            return self._tokens.make(Claims(person.id, person.role, person.generation))

    def sign_in(self, login: str, password: str) -> str:
        """A token. Raises `VisavisError` when login and password do not fit."""
        with self._database.session() as session:
            person = session.scalar(select(Person).where(Person.login == login))
            fits = passwords.matches(password, None if person is None else person.password)
            if person is None or not fits or person.disabled:
                raise VisavisError("this login and password do not fit; try again")
            return self._tokens.make(Claims(person.id, person.role, person.generation))

    def sign_out_everywhere(self, person: str) -> None:
        """All tokens of a person are refused from now on."""
        with self._database.session() as session:
            found = session.get(Person, person)
            if found is not None:
                found.generation += 1

    def add_key(self, person: str, name: str) -> str:
        """A new API key, which is shown this once."""
        key = API_KEY_PREFIX + secrets.token_urlsafe(24)
        with self._database.session() as session:
            session.add(ApiKey(person_id=person, name=name.strip()[:64] or "key", digest=_digest(key)))
            session.add(AuditEntry(actor=person, act="key.add", object=person))
        return key

    def identify(self, credential: str) -> Identity:
        """Who a token or API key is of. Raises `InvalidTokenError`."""
        with self._database.session() as session:
            if credential.startswith(API_KEY_PREFIX):
                owner = session.scalar(select(ApiKey.person_id).where(ApiKey.digest == _digest(credential)))
                person = None if owner is None else session.get(Person, owner)
            else:
                claims = self._tokens.read(credential)
                person = session.get(Person, claims.person)
                if person is not None and person.generation != claims.generation:
                    person = None
            if person is None or person.disabled:
                raise InvalidTokenError("this sign-in is not valid any more; sign in again")
            return Identity(person.id, person.role, person.name)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
