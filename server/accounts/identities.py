"""Accounts with a password that also sign in at an OpenID provider: linked by whoever is signed in on both sides, never by an
e-mail address or a name."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server.accounts.oidc import Subject
from server.accounts.people import ConflictError, SignInError
from server.store.database import Database
from server.store.tables import AuditEntry, ExternalIdentity, Person

MOST = 5
"""Of one person."""


def identities_of(session: Session, person: str) -> list[ExternalIdentity]:
    """Where somebody signs in, beside the own password; the first linked in front."""
    query = select(ExternalIdentity).where(ExternalIdentity.person_id == person)
    return list(session.scalars(query.order_by(ExternalIdentity.created, ExternalIdentity.id)))


def link(database: Database, person: str, generation: int, subject: Subject) -> None:
    """From now on the subject signs in as that person. generation: of the person's tokens when the linking began. Raises
    `SignInError` when the person was signed out meanwhile, `ConflictError` when the subject is another person's or there are
    too many."""
    where = (ExternalIdentity.issuer == subject.issuer, ExternalIdentity.subject == subject.subject)
    try:
        with database.session() as session:
            database.alone(session)
            found = session.get(Person, person)
            if found is None or found.disabled or found.generation != generation or found.role == "guest":
                raise SignInError("this account was signed out meanwhile; sign in again")
            known = session.scalar(select(ExternalIdentity).where(*where))
            if known is not None and known.person_id == person:
                return
            if known is not None:
                raise ConflictError("this sign-in has an account of its own here; use another one, or erase that account first")
            own = select(func.count()).select_from(ExternalIdentity).where(ExternalIdentity.person_id == person)
            if int(session.scalar(own) or 0) >= MOST:
                raise ConflictError(f"at most {MOST} sign-ins of one person are kept; unlink one first")
            session.add(ExternalIdentity(person_id=person, issuer=subject.issuer, subject=subject.subject))
            session.add(AuditEntry(actor=person, act="person.link", object=person))
    except IntegrityError:  # somebody else was faster
        raise ConflictError("this sign-in has an account of its own here; use another one") from None


def unlink(database: Database, person: str, identity: str, *, issuer: str, passwords: bool) -> None:
    """The identity signs in as that person no longer, and all sign-ins of the person end. issuer: of the provider that is
    configured, empty without one. passwords: whether people may sign in with one. Raises `ConflictError` when it is not the
    person's, or the last way in."""
    with database.session() as session:
        database.alone(session)
        found, account = session.get(ExternalIdentity, identity), session.get(Person, person)
        if found is None or account is None or found.person_id != person:
            raise ConflictError("there is no such sign-in, or it is not yours; look at the list of them")
        others = [other for other in identities_of(session, person) if other.id != identity]
        if not (passwords and account.password) and not any(other.issuer == issuer for other in others):
            raise ConflictError("this is the only way to sign in to this account; it stays")
        session.delete(found)
        account.generation += 1
        session.add(AuditEntry(actor=person, act="person.unlink", object=person))
