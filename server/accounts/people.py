"""Accounts and guests in the database, and what a request's credentials say about who sends it."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models.errors import VisavisError
from server.accounts import passwords
from server.accounts.oidc import Subject
from server.accounts.tokens import Claims, InvalidTokenError, Tokens
from server.store.database import Database
from server.store.tables import ApiKey, AuditEntry, ExternalIdentity, Person

API_KEY_PREFIX = "vv_"
MAX_KEYS = 20
"""Of one person."""
KNOWN_FOR, KNOWN_KEYS = 600.0, 4096
"""Seconds that a valid API key is remembered as known at the door, and how many are."""
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{0,62}")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""Control characters, and those that turn the text around them."""


_PERSON = select(Person.id, Person.role, Person.name, Person.disabled, Person.generation)
_OF_ID = _PERSON.where(Person.id == bindparam("person"))
_OF_KEY = _PERSON.join(ApiKey, ApiKey.person_id == Person.id).where(ApiKey.digest == bindparam("digest"))
"""Made once, as each request asks."""


class ConflictError(VisavisError):
    """Something else is there already, or was changed meanwhile."""


class SignInError(VisavisError):
    """Login and password do not fit."""


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
    """Of one database. Safe to use from several threads."""

    def __init__(self, database: Database, tokens: Tokens) -> None:
        self._database, self._tokens = database, tokens
        self._known: OrderedDict[str, float] = OrderedDict()  # digest of an API key -> until when

    def has_admin(self) -> bool:
        """Whether somebody was made an admin; until then the set-up link works."""
        with self._database.reading() as session:
            return _admins(session) > 0

    def set_up(self, login: str, name: str, password: str) -> Person:
        """The first admin. Raises `ConflictError` when there is one, and what `add` raises."""
        return self.add(login, name, password, "admin", first=True)

    def add(self, login: str, name: str, password: str, role: str = "member", *, actor: str = "", first: bool = False) -> Person:
        """An account. actor: who makes it, the person when empty. first: only while there is no admin. Raises `VisavisError` for
        a login that is none or a password that is too short, `ConflictError` for a login that is taken."""
        if _LOGIN.fullmatch(login) is None:
            raise VisavisError("a login of small letters, digits, dots and dashes was expected, another came")
        person = Person(login=login, name=clean_name(name) or login, role=role, password=passwords.hashed(password))
        try:
            with self._database.session() as session:
                self._database.alone(session)
                if first and _admins(session):
                    raise ConflictError("this server has an admin already; sign in")
                session.add(person)
                session.flush()
                session.add(AuditEntry(actor=actor or person.id, act="person.add", object=person.id, detail={"role": role}))
        except IntegrityError:
            raise ConflictError("this login is taken; choose another one") from None
        return person

    def guest(self, name: str = "") -> str:
        """A token for somebody who came by a room's link."""
        with self._database.session() as session:
            person = Person(name=clean_name(name) or "Guest", role="guest")
            session.add(person)
            session.flush()
            return self._token(person)

    def renew(self, person: str) -> str:
        """Another token for a guest who still uses one. Raises `VisavisError` for an account, which signs in again."""
        with self._database.session() as session:
            found = session.get(Person, person)
            if found is None or found.role != "guest":
                raise VisavisError("a guest was expected, accounts sign in again; do that")
            # not by the attribute, which would count as a change of the person
            session.execute(update(Person).where(Person.id == person).values(seen=time.time()))
            return self._token(found)

    def sign_in(self, login: str, password: str) -> str:
        """A token. Raises `SignInError` when login and password do not fit."""
        with self._database.reading() as session:
            person = session.scalar(select(Person).where(Person.login == login))
        fits = passwords.matches(password, None if person is None else person.password)
        if person is None or not fits or person.disabled:
            raise SignInError("this login and password do not fit; try again")
        return self._token(person)

    def sign_in_external(self, subject: Subject, admin_email: str = "") -> str:
        """A token for somebody whom an OpenID provider knows; the account is made at the first time, an admin's for
        `admin_email`. It is found again by issuer and subject only. Raises `SignInError` for one that is disabled."""
        where = (ExternalIdentity.issuer == subject.issuer, ExternalIdentity.subject == subject.subject)
        with self._database.session() as session:
            self._database.alone(session)
            person = session.scalar(select(Person).join(ExternalIdentity, ExternalIdentity.person_id == Person.id).where(*where))
            if person is None:
                is_admin = admin_email != "" and subject.email.casefold() == admin_email.casefold()
                person = Person(name=clean_name(subject.name) or "Member", role="admin" if is_admin else "member")
                session.add(person)
                session.flush()
                session.add(ExternalIdentity(person_id=person.id, issuer=subject.issuer, subject=subject.subject))
                detail = {"role": person.role, "external": True}
                session.add(AuditEntry(actor=person.id, act="person.add", object=person.id, detail=detail))
            if person.disabled:
                raise SignInError("this account is disabled; ask an admin")
            return self._token(person)

    def set_password(self, person: str, password: str, *, actor: str) -> None:
        """Another password; all tokens of the person end. Raises `VisavisError`."""
        kept = passwords.hashed(password)
        with self._database.session() as session:
            found = session.get(Person, person)
            if found is None or found.login is None:
                raise VisavisError("an account with a login was expected, there is no such one; look at the list of people")
            found.password = kept
            found.generation += 1
            session.add(AuditEntry(actor=actor, act="person.password", object=person))

    def sign_out_everywhere(self, person: str) -> None:
        """All tokens of a person are refused from now on."""
        with self._database.session() as session:
            found = session.get(Person, person)
            if found is not None:
                found.generation += 1
                session.add(AuditEntry(actor=person, act="person.sign_out", object=person))

    def add_key(self, person: str, name: str, *, actor: str = "") -> tuple[ApiKey, str]:
        """A new API key: the record of it, and the key, which is shown this once. Raises `VisavisError`."""
        key = API_KEY_PREFIX + secrets.token_urlsafe(24)
        with self._database.session() as session:
            owner = session.get(Person, person)
            if owner is None or owner.role == "guest":
                raise VisavisError("an account was expected, guests have no API keys; make an account first")
            if int(session.scalar(select(func.count()).select_from(ApiKey).where(ApiKey.person_id == person)) or 0) >= MAX_KEYS:
                raise ConflictError(f"at most {MAX_KEYS} API keys of one person are kept; delete one")
            made = ApiKey(person_id=person, name=clean_name(name) or "key", digest=_digest(key))
            session.add(made)
            session.add(AuditEntry(actor=actor or person, act="key.add", object=person))
        return made, key

    def delete_key(self, person: str, key_id: str, *, actor: str = "") -> None:
        """The key works no longer. Raises `VisavisError` when the person has no such key."""
        with self._database.session() as session:
            found = session.get(ApiKey, key_id)
            if found is None or found.person_id != person:
                raise VisavisError("there is no such API key; look at the list of keys")
            self._known.pop(found.digest, None)
            session.delete(found)
            session.add(AuditEntry(actor=actor or person, act="key.delete", object=person))

    def identify(self, credential: str) -> Identity:
        """Who a token or API key is of. Raises `InvalidTokenError`."""
        with self._database.reading() as session:
            return self.identify_in(session, credential)

    def identify_in(self, session: Session, credential: str) -> Identity:
        """The same in a transaction that reads more."""
        if credential.startswith(API_KEY_PREFIX):
            digest = _digest(credential)
            row = session.execute(_OF_KEY, {"digest": digest}).first()
            generation = None if row is None else row.generation
        else:
            digest, claims = "", self._tokens.read(credential)
            row, generation = session.execute(_OF_ID, {"person": claims.person}).first(), claims.generation
        if row is None or row.disabled or row.generation != generation:
            raise InvalidTokenError("this sign-in is not valid any more; sign in again")
        if digest:
            self._remember(digest)
        return Identity(row.id, row.role, row.name)

    def is_known(self, credential: str) -> bool:
        """Whether it looks like a credential of this server without a look into the database: a token that has not expired, or an
        API key that was valid lately. It opens nothing; whoever shows one need not stand in line with strangers."""
        if credential.startswith(API_KEY_PREFIX):
            return self._known.get(_digest(credential), 0.0) > time.monotonic()
        return self._tokens.is_one(credential)

    def token_of(self, person: str) -> str:
        """A new token for somebody who has shown who they are. Raises `InvalidTokenError` for one who is gone or disabled."""
        with self._database.reading() as session:
            found = session.get(Person, person)
        if found is None or found.disabled:
            raise InvalidTokenError("this sign-in is not valid any more; sign in again")
        return self._token(found)

    def _remember(self, digest: str) -> None:
        self._known[digest] = time.monotonic() + KNOWN_FOR
        while len(self._known) > KNOWN_KEYS:
            self._known.popitem(last=False)

    def _token(self, person: Person) -> str:
        return self._tokens.make(Claims(person.id, person.role, person.generation))


def clean_name(name: str) -> str:
    """What is shown of a name: at most 64 characters, none that cannot be seen."""
    return _UNSEEN.sub("", name).strip()[:64].strip()


def _admins(session: Session) -> int:
    query = select(func.count()).select_from(Person).where(Person.role == "admin", Person.disabled.is_(False))
    return int(session.scalar(query) or 0)


def keeps_an_admin(session: Session) -> bool:
    """Whether somebody is left who may do everything, after what the session has changed."""
    session.flush()
    return _admins(session) > 0


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
