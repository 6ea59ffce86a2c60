"""Opens what a server remembers: database, file store, accounts, and the processes that enroll."""

from __future__ import annotations

from pathlib import Path

from server.accounts.oidc import OpenIdProvider, ProviderSettings
from server.accounts.people import People
from server.accounts.room_tokens import RoomTokens
from server.accounts.tokens import Tokens, keep_secret
from server.api.service import Service
from server.call.config import ServerConfig
from server.call.rules import new_key
from server.jobs.runner import RunnerSettings
from server.jobs.supervisor import Runners
from server.store.database import Database, sqlite_url
from server.store.files import FileStore
from server.store.queue import JobQueue


def open_service(config: ServerConfig, base_url: str = "") -> Service:
    """The service of these settings, which name a state folder; without rooms. base_url: of the pages, as others reach them.
    Blocks.

    Raises `VisavisError` when the database or the file store cannot be had.
    """
    folder = config.state or Path()
    settings = runner_settings(config)
    secret = keep_secret(folder)
    tokens = Tokens(secret, guest_days=config.guest_days)
    database = Database(settings.database)
    files = FileStore(settings.files, settings.key)
    provider = None
    if config.oidc_issuer:
        redirect = f"{base_url}/api/sign-in/callback"
        settings_there = ProviderSettings(config.oidc_issuer, config.oidc_client_id, config.oidc_client_secret, redirect)
        provider = OpenIdProvider(settings_there, secret)
    return Service(
        database, files, JobQueue(database), People(database, tokens), tokens, RoomTokens(secret), new_key(), folder,
        provider=provider, passwords=not config.no_passwords, admin_email=config.oidc_admin,
    )  # fmt: skip


def make_runners(config: ServerConfig) -> Runners:
    """The processes that enroll."""
    return Runners(runner_settings(config), config.enrollments)


def runner_settings(config: ServerConfig) -> RunnerSettings:
    """Where database and files are."""
    folder = (config.state or Path()).absolute()
    return RunnerSettings(
        config.database or sqlite_url(folder), config.storage or str(folder / "files"), str(folder / "work"), config.storage_key
    )
