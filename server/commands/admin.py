"""`visavis admin`: people, keys, the audit log, and backups, straight in a server's state folder or database."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from models.errors import VisavisError
from server.commands import admin_avatars, admin_server
from server.commands.admin_store import ACTOR, Store
from server.console import json_option, report, table

FIRST = ("add-person", "restore")
"""Verbs that may come before a server's first start."""


@click.group()
@click.option("--state", metavar="FOLDER", help="The server's state folder.")
@click.option("--database", metavar="URL", help="The server's database, where that is not in the state folder.")
@click.option("--storage", metavar="URL", help="Where the server keeps files, where that is not in the state folder.")
@click.option("--storage-key", metavar="KEY", help="The key that files are encrypted with.")
@click.option("--config", "file", type=click.Path(path_type=Path), help="The server's TOML file of settings.")
@click.pass_context
def command(context: click.Context, file: Path | None, **options: Any) -> None:
    """People, API keys, avatars, rooms, audit log and backups of a server on this machine, whether it runs or not."""
    os.umask(0o077)
    context.obj = Store(options, file, is_new=context.invoked_subcommand in FIRST)
    context.call_on_close(context.obj.close)


@command.command()
@click.argument("login")
@click.option("--name", help="What others see; the login when left out.")
@click.option("--admin", is_flag=True, help="May do everything.")
@click.password_option(help="Asked for when left out.")
@json_option
@click.pass_obj
def add_person(store: Store, login: str, name: str | None, admin: bool, password: str, as_json: bool) -> None:
    """Make an account."""
    made = store.service.people.add(login, name or login, password, "admin" if admin else "member", actor=ACTOR)
    report({"id": made.id, "login": login, "role": made.role}, [made.id], as_json)


@command.command()
@json_option
@click.pass_obj
def list_people(store: Store, as_json: bool) -> None:
    """Everybody on the server."""
    from sqlalchemy import select

    from server.store.tables import Person

    with store.service.database.reading() as session:
        found = session.scalars(select(Person).order_by(Person.created)).all()
    rows = [{"id": p.id, "login": p.login or "", "name": p.name, "role": p.role, "disabled": p.disabled} for p in found]
    report({"people": rows}, table(rows), as_json)


@command.command()
@click.argument("person")
@click.password_option(help="Asked for when left out.")
@json_option
@click.pass_obj
def set_password(store: Store, person: str, password: str, as_json: bool) -> None:
    """Give PERSON (login or id) another password; all sign-ins end."""
    found = store.person(person)
    store.service.people.set_password(found.id, password, actor=ACTOR)
    report({"id": found.id}, ["The password is set; all sign-ins have ended."], as_json)


@command.command()
@click.argument("person")
@click.option("--add", metavar="NAME", help="Make a key of that name, which is shown this once.")
@click.option("--delete", "gone", metavar="ID", help="A key that works no longer.")
@json_option
@click.pass_obj
def keys(store: Store, person: str, add: str | None, gone: str | None, as_json: bool) -> None:
    """API keys of PERSON (login or id)."""
    from server.accounts.people import MAX_KEYS
    from server.api.accounts import keys_of, make_key

    found = store.person(person)
    if add is not None:
        made = make_key(store.service, store.me, found.id, add)
        report({"id": made.id, "key": made.key}, [str(made.key)], as_json)
        return
    if gone is not None:
        store.service.people.delete_key(found.id, gone, actor=ACTOR)
    rows = [
        {"id": key.id, "name": key.name, "created": _time(key.created)}
        for key in keys_of(store.service, found.id, "", MAX_KEYS).items
    ]
    report({"keys": rows}, table(rows), as_json)


@command.command()
@click.option("--last", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Entries at the most.")
@json_option
@click.pass_obj
def audit(store: Store, last: int, as_json: bool) -> None:
    """Who did what, the newest last."""
    from sqlalchemy import select

    from server.store.tables import AuditEntry

    with store.service.database.reading() as session:
        found = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(last)).all()
    rows = [
        {
            "at": _time(e.at), "actor": e.actor, "act": e.act, "object": e.object,
            "detail": " ".join(f"{name}={value}" for name, value in e.detail.items()),
        }
        for e in reversed(found)
    ]  # fmt: skip
    report({"audit": rows}, table(rows), as_json)


@command.command()
@click.argument("person")
@click.confirmation_option(prompt="Erase this person and everything that is theirs?")
@json_option
@click.pass_obj
def erase_person(store: Store, person: str, as_json: bool) -> None:
    """Erase PERSON (login or id): account, avatars, photos, consents. Calls that run now end only when it is done by REST."""
    from server.api import erasing

    found = store.person(person)
    erasing.erase_person(store.service, store.me, found.id)
    report({"id": found.id}, ["Erased."], as_json)


@command.command()
@click.argument("out", type=click.Path(path_type=Path))
@json_option
@click.pass_obj
def backup(store: Store, out: Path, as_json: bool) -> None:
    """Write everything the server remembers to the .tar file OUT; the server may run. Keep it as safe as the server."""
    from server.store import backup as backups

    people, files = backups.backup(store.service.database, store.service.files, store.state, out)
    store.note("store.backup", people=people, files=files)
    report({"people": people, "files": files, "out": out}, [f"{people} people and {files} files are in {out}"], as_json, out)


@command.command()
@click.argument("source", type=click.Path(path_type=Path))
@json_option
@click.pass_obj
def restore(store: Store, source: Path, as_json: bool) -> None:
    """Bring the backup SOURCE back into an empty state folder, before the server starts."""
    from server.service import runner_settings
    from server.store import backup as backups
    from server.store.database import Database
    from server.store.files import FileStore

    if not source.is_file():
        raise VisavisError(f"a backup was expected at {source}, there is no file; choose another one")
    settings = runner_settings(store.config)
    database = Database(settings.database)
    try:
        people, files = backups.restore(database, FileStore(settings.files, settings.key), store.state, source)
    finally:
        database.close()
    store.note("store.restore", people=people, files=files)
    report({"people": people, "files": files}, [f"{people} people and {files} files are back"], as_json)


@command.command()
@click.option("--old-key", default="", metavar="KEY", help="What files are encrypted with so far; nothing when left out.")
@json_option
@click.pass_obj
def encrypt(store: Store, old_key: str, as_json: bool) -> None:
    """Bring all files under --storage-key, while no server runs; without one, decrypt them."""
    from server.service import runner_settings
    from server.store.files import FileStore

    settings = runner_settings(store.config)
    count = FileStore(settings.files, settings.key).take_over(FileStore(settings.files, old_key))
    store.note("store.encrypt", files=count, encrypted=settings.key != "")
    report({"files": count}, [f"{count} files were written anew"], as_json)


for part in (*admin_server.COMMANDS, *admin_avatars.COMMANDS):
    command.add_command(part)


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
