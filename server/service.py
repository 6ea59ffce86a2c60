"""Opens what a server remembers: database, file store, accounts, and the processes that enroll."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from server.accounts.people import People
from server.accounts.tokens import Tokens, keep_secret
from server.api.service import Service
from server.call.config import ServerConfig
from server.call.protocol import Role
from server.call.rules import new_key
from server.jobs.runner import RunnerSettings
from server.jobs.supervisor import Runners
from server.store.database import Database, sqlite_url
from server.store.files import FileStore
from server.store.queue import JobQueue
from server.store.tables import QUALITIES


def open_service(config: ServerConfig, role_of: Callable[[str], Role | None], on_erased: Callable[[str], None]) -> Service:
    """The service of these settings, which name a state folder. on_erased: told, on any thread, which avatar was erased. Blocks.

    Raises `VisavisError` when the database or the file store cannot be had.
    """
    folder = config.state or Path()
    settings = runner_settings(config)
    tokens = Tokens(keep_secret(folder))
    database = Database(settings.database)
    files = FileStore(settings.files, settings.key)
    return Service(
        database, files, JobQueue(database), People(database, tokens), tokens, role_of, on_erased, new_key(),
        better=config.better_avatars,
    )  # fmt: skip


def make_runners(config: ServerConfig) -> Runners:
    """The processes that enroll: some for instant avatars, for which somebody waits, and others for better ones."""
    settings = runner_settings(config)
    instant = msgspec.structs.replace(settings, qualities=("instant",))
    better = msgspec.structs.replace(settings, qualities=tuple(q for q in QUALITIES if q != "instant"))
    return Runners([instant] * config.enrollments + [better] * config.better_enrollments)


def runner_settings(config: ServerConfig) -> RunnerSettings:
    """Where database and files are."""
    folder = (config.state or Path()).absolute()
    return RunnerSettings(
        config.database or sqlite_url(folder), config.storage or str(folder / "files"), str(folder / "work"), config.storage_key,
        steps=config.better_steps or None,
    )  # fmt: skip
