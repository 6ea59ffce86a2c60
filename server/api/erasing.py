"""Takes avatars and people out: their rows, files, photos, and whoever shows them now."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.accounts.people import ConflictError, Identity, keeps_an_admin
from server.api.problems import ProblemError
from server.api.service import Service, may_change, note
from server.store.tables import Consent, Job, Person, StoredAvatar


def erase_avatar(service: Service, me: Identity, avatar_id: str) -> None:
    """Erase an avatar: its file, preview, photos, consent and jobs. Raises `ProblemError` for one that is not theirs."""
    with service.database.session() as session:
        names = _erase(session, may_change(me, session.get(StoredAvatar, avatar_id)))
        session.add(note(me, "avatar.erase", avatar_id))
    _finish(service, [avatar_id], names)


def erase_person(service: Service, me: Identity, person: str, **why: str | int) -> None:
    """Erase somebody and everything that is theirs. why: for the audit log. Raises `ProblemError`, `ConflictError` for the last
    admin."""
    with service.database.session() as session:
        service.database.alone(session)
        found = session.get(Person, person)
        if found is None:
            raise ProblemError(404, "there is no such person")
        avatars = session.scalars(select(StoredAvatar).where(StoredAvatar.owner_id == person)).all()
        names = [name for avatar in avatars for name in _erase(session, avatar)]
        session.flush()
        session.delete(found)
        if found.role == "admin" and not keeps_an_admin(session):
            raise ConflictError("the last admin cannot be erased; make another one first")
        session.add(note(me, "person.erase", person, **why))
    service.rooms.put_out(person)
    _finish(service, [avatar.id for avatar in avatars], names)


def _erase(session: Session, avatar: StoredAvatar) -> list[str]:
    """Take an avatar out of the database; returns the names of files to delete once that is kept."""
    jobs = session.scalars(select(Job).where(Job.avatar_id == avatar.id)).all()
    names = [name for name in (avatar.file, avatar.preview, avatar.turntable, *(job.folder for job in jobs)) if name]
    for row in (*jobs, *session.scalars(select(Consent).where(Consent.avatar_id == avatar.id))):
        session.delete(row)
    session.flush()
    session.delete(avatar)
    return names


def _finish(service: Service, avatars: list[str], names: list[str]) -> None:
    for avatar_id in avatars:
        service.rooms.erase_avatar(avatar_id)
    try:
        for name in names:
            service.files.delete(name)
    finally:
        for name in names:  # now that the files are gone, so that nobody makes them again
            service.web_avatars.forget(name)
    service.database.scrub()
