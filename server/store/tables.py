"""The tables. Ids are random; times are seconds since 1970, UTC; enumerations are short texts, checked by the database."""

from __future__ import annotations

import secrets
import time
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Float, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

ROLES = ("admin", "member", "guest")
QUALITIES = ("instant", "standard", "high")
AVATAR_STATES = ("waiting", "ready", "failed")
JOB_STATES = ("waiting", "running", "done", "failed", "cancelled")


def new_id() -> str:
    """64 random bits as text, safe in an address and in a file name."""
    return secrets.token_hex(8)


def _one_of(column: str, choices: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(choice) for choice in choices)})", name=f"{column}_known")


class Base(DeclarativeBase):
    """Of all tables."""


class Person(Base):
    """Somebody with avatars: an account, or a guest who came by a room's link (no password, no login name). version: counts
    changes."""

    __tablename__ = "people"
    __table_args__ = (_one_of("role", ROLES),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    login: Mapped[str | None] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(64))
    role: Mapped[str] = mapped_column(String(16))
    password: Mapped[str | None] = mapped_column(String(256))
    """Hash (argon2id, RFC 9106)."""
    disabled: Mapped[bool] = mapped_column(default=False)
    generation: Mapped[int] = mapped_column(default=0)
    """Of the person's tokens: those of earlier generations are refused."""
    version: Mapped[int] = mapped_column(default=1)
    created: Mapped[float] = mapped_column(Float, default=time.time)
    seen: Mapped[float] = mapped_column(Float, default=time.time, index=True)
    """When a guest's token was last made; those who do not come back are erased."""

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 (SQLAlchemy's)


class ExternalIdentity(Base):
    """Somebody's account at an OpenID provider. issuer, subject: as in OpenID Connect Core 1.0, 2; together they are for ever one
    person's, which e-mail addresses and names are not."""

    __tablename__ = "external_identities"
    __table_args__ = (UniqueConstraint("issuer", "subject", name="one_person_for_a_subject"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    issuer: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(String(255))
    created: Mapped[float] = mapped_column(Float, default=time.time)


class StoredRoom(Base):
    """A room of the server on that port. host, person, viewer: the secrets in its links. owner_id: who made it, if an account."""

    __tablename__ = "rooms"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    port: Mapped[int] = mapped_column(index=True)
    name: Mapped[str] = mapped_column(String(64), default="")
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("people.id", ondelete="SET NULL"), index=True)
    host: Mapped[str] = mapped_column(String(64), unique=True)
    person: Mapped[str] = mapped_column(String(64), unique=True)
    viewer: Mapped[str] = mapped_column(String(64), unique=True)
    created: Mapped[float] = mapped_column(Float, default=time.time)


class RevokedToken(Base):
    """A room token (its `jti`) whose holder was removed. until: when it has expired anyway."""

    __tablename__ = "revoked_tokens"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    until: Mapped[float] = mapped_column(Float, index=True)


class StoredLimits(Base):
    """What an admin allows: one row, none while all is as at first. avatars, jobs, rooms_each: of one person. rooms: in all."""

    __tablename__ = "limits"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    avatars: Mapped[int]
    jobs: Mapped[int]
    rooms: Mapped[int]
    rooms_each: Mapped[int]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 (SQLAlchemy's)


class ApiKey(Base):
    """A machine's key of a person; only its digest is kept."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256, hexadecimal."""
    created: Mapped[float] = mapped_column(Float, default=time.time)


class StoredAvatar(Base):
    """A person's avatar. file, preview: names in the file store; empty while there is none. notes: sentences about its quality.
    shared: whether everybody on the server may take it. version: counts changes; a change of an older one is refused."""

    __tablename__ = "avatars"
    __table_args__ = (_one_of("state", AVATAR_STATES), _one_of("quality", QUALITIES))

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    owner_id: Mapped[str] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    quality: Mapped[str] = mapped_column(String(16), default="instant")
    file: Mapped[str] = mapped_column(String(128), default="")
    preview: Mapped[str] = mapped_column(String(128), default="")
    notes: Mapped[list[str]] = mapped_column(JSON, default=list)
    shared: Mapped[bool] = mapped_column(default=False)
    version: Mapped[int] = mapped_column(default=1)
    created: Mapped[float] = mapped_column(Float, default=time.time)

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 (SQLAlchemy's)


class Consent(Base):
    """Who agreed to an avatar, to which words, and of which photos it is made (SHA-256, hexadecimal). subject: the name of who is
    seen. recorded_by: who entered it. keep_photo: whether the photos may be kept after the enrollment."""

    __tablename__ = "consents"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    avatar_id: Mapped[str] = mapped_column(ForeignKey("avatars.id", ondelete="CASCADE"), index=True)
    subject: Mapped[str] = mapped_column(String(128))
    recorded_by: Mapped[str] = mapped_column(String(32))
    text: Mapped[str] = mapped_column(Text)
    photo_sha256: Mapped[list[str]] = mapped_column(JSON)
    keep_photo: Mapped[bool] = mapped_column(default=False)
    at: Mapped[float] = mapped_column(Float, default=time.time)


class Job(Base):
    """An enrollment. owner_id: the avatar's owner. folder: its photos, a name in the file store, empty once they are erased.
    worker: who has it. beats: counts the worker's signs of life. cancel: it should stop. key: the client's idempotency key."""

    __tablename__ = "jobs"
    __table_args__ = (
        _one_of("state", JOB_STATES),
        _one_of("quality", QUALITIES),
        UniqueConstraint("owner_id", "key", name="one_job_for_a_key"),
        Index("next_job", "state", "priority", "created"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    owner_id: Mapped[str] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    avatar_id: Mapped[str] = mapped_column(ForeignKey("avatars.id", ondelete="CASCADE"), index=True)
    quality: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    stage: Mapped[str] = mapped_column(String(128), default="")
    progress: Mapped[float] = mapped_column(Float, default=0.0)
    error: Mapped[str] = mapped_column(Text, default="")
    attempts: Mapped[int] = mapped_column(default=0)
    priority: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str] = mapped_column(String(64), default="")
    beats: Mapped[int] = mapped_column(default=0)
    cancel: Mapped[bool] = mapped_column(default=False)
    folder: Mapped[str] = mapped_column(String(128), default="")
    key: Mapped[str | None] = mapped_column(String(128))
    created: Mapped[float] = mapped_column(Float, default=time.time)
    finished: Mapped[float | None] = mapped_column(Float)


class AuditEntry(Base):
    """What somebody did that others may have to answer for. act: such as 'avatar.erase'. object: an id. No names, no faces."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[float] = mapped_column(Float, default=time.time, index=True)
    actor: Mapped[str] = mapped_column(String(32))
    act: Mapped[str] = mapped_column(String(64))
    object: Mapped[str] = mapped_column(String(64), default="")
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
