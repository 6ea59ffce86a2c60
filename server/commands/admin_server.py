"""The parts of `visavis admin` that change rights and limits, and say how a server is."""

from __future__ import annotations

from typing import Any

import click

from models.errors import VisavisError
from server.commands.admin_store import Store
from server.console import json_option, report, table


@click.command()
@click.argument("person")
@click.option("--name", help="What others see.")
@click.option("--role", type=click.Choice(["admin", "member"]), help="What is allowed.")
@click.option("--disable/--enable", "disabled", default=None, help="Let the person in no longer, or again; all sign-ins end.")
@json_option
@click.pass_obj
def change_person(store: Store, person: str, name: str | None, role: str | None, disabled: bool | None, as_json: bool) -> None:
    """Change PERSON (login or id). Calls that run now end only when it is done by REST."""
    from server.api.people import PersonChange, change_person

    found = store.person(person)
    changed = change_person(store.me, store.service, found.id, PersonChange(name=name, role=role, disabled=disabled))
    lines = [f"{changed.name} is {'disabled' if changed.disabled else changed.role}."]
    report({"id": changed.id, "role": changed.role, "disabled": changed.disabled}, lines, as_json)


@click.command()
@click.option("--links", is_flag=True, help="With their links, which are secrets.")
@json_option
@click.pass_obj
def list_rooms(store: Store, links: bool, as_json: bool) -> None:
    """The rooms that are kept. Who is in them is said at the desk and by REST."""
    from sqlalchemy import select

    from server.store.tables import StoredRoom

    with store.service.database.reading() as session:
        found = session.scalars(select(StoredRoom).order_by(StoredRoom.port, StoredRoom.created)).all()
    shown = ("id", "port", "name", "owner_id", *(("host", "person", "viewer") if links else ()))
    rows = [{name: getattr(room, name) or "" for name in shown} for room in found]
    report({"rooms": rows}, table(rows), as_json)


@click.command()
@click.option("--add", metavar="NAME", help="Make a room of that name.")
@click.option("--renew", metavar="ID", help="Give a room other links; the old ones open nothing, and everybody leaves it.")
@click.option("--delete", "gone", metavar="ID", help="A room that is no more; everybody leaves it.")
@click.option("--port", type=click.IntRange(1, 65_535), help="Of the server; as its settings say when left out.")
@json_option
@click.pass_obj
def links(store: Store, add: str | None, renew: str | None, gone: str | None, port: int | None, as_json: bool) -> None:
    """The rooms' links, which are secrets. A server that runs takes changes over within some seconds."""
    from server.commands.admin_links import change, shown

    port = port or store.config.port
    change(store, port, add=add, renew=renew, gone=gone)
    rows = shown(store, port)
    lines = [line for row in rows for line in (f"{row['id']}  {row['name']}", *(f"  {role:8s} {row[role]}" for role in ROLES))]
    report({"rooms": rows}, lines, as_json)


@click.command()
@click.option("--avatars", type=click.IntRange(0, 10_000), help="Of one person.")
@click.option("--jobs", type=click.IntRange(1, 100), help="Enrollments of one person that wait or run.")
@click.option("--rooms", type=click.IntRange(1, 256), help="In all, as long as --max-rooms of the server allows it.")
@click.option("--rooms-each", type=click.IntRange(0, 256), help="Of one person.")
@json_option
@click.pass_obj
def limits(store: Store, as_json: bool, **changes: int | None) -> None:
    """How much one person may keep; with options, change it. A running server takes it at once."""
    from server.api.allowances import LimitsChange, change_them, read

    if any(value is not None for value in changes.values()):
        found = change_them(store.me, store.service, LimitsChange(**changes))
    else:
        found = read(store.me, store.service)
    rows: dict[str, Any] = found.model_dump(exclude={"version"})
    report(rows, table([rows]), as_json)


@click.command()
@json_option
@click.pass_obj
def health(store: Store, as_json: bool) -> None:
    """Disk, queue and store. How the rooms are is said at the desk and by REST."""
    from server.api.health import read_health

    found = read_health(store.me, store.service)
    if found.disk is None:
        raise VisavisError("a state folder that can be looked into was expected; change --state")
    queue, kept = found.queue, found.store
    lines = [
        f"disk      {found.disk.free / 1e9:.1f} GB of {found.disk.total / 1e9:.1f} GB free{' (LOW)' if found.disk.low else ''}",
        f"queue     {queue.waiting} waiting, {queue.running} running, {queue.failed} failed",
        f"store     {kept.database}, {kept.people} people, {kept.guests} guests, {kept.avatars} avatars"
        f"{', encrypted' if kept.encrypted else ''}",
        f"versions  {', '.join(f'{name} {version}' for name, version in found.versions.items())}",
    ]
    report(found.model_dump(include={"disk", "queue", "store", "versions"}), lines, as_json)


ROLES = ("host", "person", "viewer")
COMMANDS = (change_person, list_rooms, links, limits, health)
