"""The parts of `visavis admin` that make avatars for people, and look after avatars and the jobs that make them."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import click

from models.errors import VisavisError
from server.commands.admin_store import Store
from server.console import json_option, report, table


@click.command()
@click.argument("person")
@click.argument("photos", type=click.Path(path_type=Path), nargs=-1)
@click.option("--clip", type=click.Path(path_type=Path), help="A clip of the person, some 15 seconds.")
@click.option("--subject", required=True, help="The name of who is seen, and has agreed.")
@click.option("--consent", default="", help="The words that were agreed to; the server's when left out.")
@click.option("--agreed", is_flag=True, help="The subject has agreed to these words. Nothing is made without it.")
@click.option("--keep-photo", is_flag=True, help="The consent lets photos and clip be kept.")
@click.option("--name", default="", help="Of the avatar; the person's when left out.")
@click.option("--better", metavar="ID", default="", help="Make this avatar better instead of a new one.")
@click.option("--quality", type=click.Choice(["instant", "standard", "high"]), help="Instant; with --clip or --better standard.")
@json_option
@click.pass_obj
def enroll(
    store: Store,
    person: str,
    photos: tuple[Path, ...],
    clip: Path | None,
    agreed: bool,
    keep_photo: bool,
    subject: str,
    as_json: bool,
    **options: str | None,
) -> None:
    """Order an avatar for PERSON (login or id) from PHOTOS or a clip; a server that runs makes it."""
    from fastapi import UploadFile

    from server.api import enrolling

    consent, quality = options["consent"] or "", options["quality"]
    agreement = enrolling.check_agreement(subject, consent, agreed=agreed, keep_photo=keep_photo)
    streams = [_opened(path) for path in (*photos, *([clip] if clip else []))]
    try:
        files = [UploadFile(stream) for stream in streams]
        uploads = enrolling.check_uploads(files[: len(photos)], files[len(photos)] if clip else None)
        owner = store.person(person)
        quality = quality or ("standard" if clip or options["better"] else "instant")
        if options["better"]:
            made = enrolling.improve(store.me, store.service, options["better"], uploads, agreement, quality)
        else:
            name = options["name"] or owner.name
            made = enrolling.enroll(store.me, store.service, uploads, name, agreement, quality, owner.id)
    finally:
        for stream in streams:
            stream.close()
    report({"avatar": made.id, "job": made.job}, [f"avatar {made.id}, made by job {made.job}"], as_json)


@click.command()
@click.option("--erase", "gone", metavar="ID", help="Erase an avatar with all that belongs to it.")
@json_option
@click.pass_obj
def avatars(store: Store, gone: str | None, as_json: bool) -> None:
    """All avatars. Calls that show one that is erased end only when it is done by REST."""
    from sqlalchemy import select

    from server.api import erasing
    from server.store.tables import StoredAvatar

    if gone is not None:
        erasing.erase_avatar(store.service, store.me, gone)
    with store.service.database.reading() as session:
        found = session.scalars(select(StoredAvatar).order_by(StoredAvatar.created)).all()
    shown = ("id", "owner_id", "name", "state", "quality", "shared")
    rows = [{name: getattr(avatar, name) for name in shown} for avatar in found]
    report({"avatars": rows}, table(rows), as_json)


@click.command()
@click.option("--cancel", metavar="ID", help="Stop a job; what it has made so far stays.")
@click.option("--retry", metavar="ID", help="Begin a job anew that has failed, with photos that were kept.")
@click.option("--last", type=click.IntRange(1, 200), default=100, show_default=True, help="Jobs at the most.")
@json_option
@click.pass_obj
def jobs(store: Store, cancel: str | None, retry: str | None, last: int, as_json: bool) -> None:
    """The newest jobs that make avatars. ahead: jobs that come first."""
    from server.api.jobs import cancel_job, list_jobs, retry_job

    if cancel is not None:
        cancel_job(store.me, store.service, cancel)
    if retry is not None:
        retry_job(store.me, store.service, retry)
    shown = {"id", "avatar", "owner", "quality", "state", "progress", "ahead", "may_retry", "error"}
    rows = [job.model_dump(include=shown) for job in list_jobs(store.me, store.service, limit=last).items]
    report({"jobs": rows}, table(rows), as_json)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise VisavisError(f"a photo or a clip was expected at {path}, it cannot be read ({error.strerror})") from error


COMMANDS = (enroll, avatars, jobs)
