"""Clips, and avatars that are made better: who may, what is kept and for how long, how the better one takes its place."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from server.api import enrolling
from server.jobs.inputs import PICTURE
from server.store.cleaning import erase_photos
from server.store.queue import Leased, MadeAvatar
from server.store.tables import Consent, Job
from tests.server.api.serving import PHOTO, Api, api, is_problem
from tests.server.store.rows import read_avatar

CLIP = b"a clip that only a runner looks into"
FINDING = {"topic": "light", "good": True, "sentence": "the light is even", "advice": ""}


def jobs(server: Api) -> list[Job]:
    with server.service.database.reading() as session:
        return list(session.scalars(select(Job).order_by(Job.priority.desc())))


def finish(server: Api, job: Leased, data: bytes) -> None:
    """As a runner does it."""
    stem = f"avatars/{job.id}{job.quality}"
    made = MadeAvatar(f"{stem}.avatar", f"{stem}.png", job.quality, [], f"{stem}.webp", [FINDING])
    for name in made.names:
        server.service.files.write(name, data)
    old = server.service.queue.keep(job.id, "w", made, last=True)
    assert old is not None
    for name in old:
        server.service.files.delete(name)


def take(server: Api) -> Leased:
    job = server.service.queue.take("w")
    assert job is not None
    return job


def test_a_clip_alone_makes_an_avatar_and_goes_with_its_job(server: Api) -> None:
    _, headers = server.person()
    data = {"name": "Ada", "subject": "Ada", "agreed": "true", "quality": "standard"}
    reply = server.client.post("/api/avatars", headers=headers, files={"clip": ("c.webm", CLIP, "video/webm")}, data=data)
    assert reply.status_code == 202 and reply.json()["improving"] == reply.json()["job"] and not reply.json()["may_improve"]
    job = take(server)
    assert (job.quality, job.is_better) == ("standard", False)
    assert server.service.files.read(f"{job.folder}/clip") == CLIP
    finish(server, job, b"the avatar")
    erase_photos(server.service.database, server.service.files)
    assert server.service.files.names("avatars") == server.service.files.names()
    found = server.client.get(f"/api/avatars/{reply.json()['id']}", headers=headers).json()
    assert found["report"] == [FINDING] and found["turntable"] and found["may_improve"] and found["improving"] is None


@pytest.mark.parametrize(
    ("files", "quality", "status", "words"),
    [
        ({}, "standard", 422, "photos or a clip were expected"), ({"clip": b""}, "standard", 422, "empty file"),
        ({"clip": b"x" * 65}, "standard", 413, "clips of at most"), ({"clip": CLIP}, "high", 422, "high quality is for photos"),
    ],
)  # fmt: skip
def test_a_clip_that_cannot_be_one_makes_nothing(
    server: Api, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], quality: str, status: int, words: str
) -> None:
    monkeypatch.setattr(enrolling, "MAX_CLIP", 64)
    data = {"name": "Ada", "subject": "Ada", "agreed": "true", "quality": quality}
    sent: Any = {name: ("c", content, "video/webm") for name, content in files.items()}
    reply = server.client.post("/api/avatars", headers=server.person()[1], files=sent, data=data)
    assert is_problem(reply, status) and words in reply.json()["detail"]
    assert server.service.files.names() == [] and jobs(server) == []


def test_a_better_avatar_takes_the_place_of_the_one_that_is_there(server: Api) -> None:
    person, headers = server.person()
    avatar = server.made(headers, keep_photo="true")["id"]
    before = {name: server.client.get(f"/api/avatars/{avatar}/{name}", headers=headers).content for name in ("file", "preview")}
    ordered = server.improve(headers, avatar, CLIP, consent="The clip may be used.", key="k")
    assert ordered.status_code == 202 and ordered.json()["state"] == "ready"
    assert server.improve(headers, avatar, CLIP, key="k").json() == ordered.json()
    assert is_problem(server.improve(headers, avatar, b"another", key="k"), 422)
    assert is_problem(server.improve(headers, avatar, CLIP), 409)
    job = take(server)
    assert job.is_better and job.id == ordered.json()["improving"]
    place = f"/api/jobs/{job.id}"
    assert is_problem(server.client.get(f"{place}/preview", headers=headers), 404)
    server.service.files.write(f"{job.folder}/{PICTURE}", b"a picture")
    server.service.queue.show(job.id, "w")
    assert server.client.get(f"{place}/preview", headers=headers).content == b"a picture"
    assert is_problem(server.client.get(f"{place}/preview", headers=server.person()[1]), 404)
    told = server.client.get(place, headers=headers).json()
    assert told["usable"] and told["previews"] == 1
    assert server.client.get(f"/api/avatars/{avatar}/file", headers=headers).content == before["file"]
    finish(server, job, b"better")
    for name in ("file", "preview", "turntable"):
        assert server.client.get(f"/api/avatars/{avatar}/{name}", headers=headers).content == b"better"
    with server.service.database.reading() as session:
        consent = session.scalar(select(Consent).where(Consent.job_id == job.id))
    assert consent is not None and consent.text == "The clip may be used." and consent.recorded_by == person
    erase_photos(server.service.database, server.service.files)  # the photo may be kept, the clip may not
    kept = [name for name in server.service.files.names() if not name.startswith("avatars/")]
    assert len(kept) == 1 and kept[0].endswith("/photo0")
    assert server.client.delete(f"/api/avatars/{avatar}", headers=headers).status_code == 204
    assert server.service.files.names() == []


def test_who_may_make_an_avatar_better(server: Api, tmp_path: Path) -> None:
    _, owner = server.person()
    avatar = server.made(owner)["id"]
    server.client.patch(f"/api/avatars/{avatar}", headers=owner, json={"shared": True})
    assert is_problem(server.improve(server.person()[1], avatar, CLIP), 403)
    assert is_problem(server.improve(owner, "0123456789abcdef", CLIP), 404)
    assert is_problem(server.improve(owner, avatar, CLIP, agreed="false"), 422)
    assert server.improve(server.person("admin")[1], avatar, CLIP).status_code == 202
    waiting = server.enroll(owner).json()["id"]
    assert is_problem(server.improve(owner, waiting, CLIP), 409)
    with api(tmp_path / "never", better="never") as other:
        _, headers = other.person()
        mine = other.made(headers)
        assert not other.client.get(f"/api/avatars/{mine['id']}", headers=headers).json()["may_improve"]
        assert is_problem(other.improve(headers, mine["id"], CLIP), 403)


def test_where_all_are_made_better_the_slower_one_wins_also_when_it_was_faster(tmp_path: Path) -> None:
    with api(tmp_path, better="always") as server:
        _, headers = server.person()
        avatar = server.enroll(headers, consent="I agree.").json()
        instant, better = jobs(server)
        assert (instant.id, instant.quality, better.quality) == (avatar["job"], "instant", "standard")
        assert avatar["improving"] == better.id and instant.folder != better.folder
        assert server.service.files.read(f"{better.folder}/photo0") == PHOTO
        first = server.service.queue.take("w", ("standard",))
        second = server.service.queue.take("w", ("instant",))
        assert first is not None and second is not None and server.service.queue.take("w") is None
        finish(server, first, b"better")
        finish(server, second, b"instant")
        assert server.client.get(f"/api/avatars/{avatar['id']}/file", headers=headers).content == b"better"
        assert read_avatar(server.service.database, avatar["id"]).quality == "standard"
        assert len(server.service.files.names("avatars")) == 3
        with server.service.database.reading() as session:
            assert session.scalars(select(Consent.text)).all() == ["I agree."] * 2


def test_an_export_while_a_better_one_takes_its_place_has_that_one(server: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    _, headers = server.person()
    avatar = server.made(headers)["id"]
    server.improve(headers, avatar, CLIP)
    job, read = take(server), server.service.files.read

    def replace_and_read(_: object, name: str, most: int = 1 << 28) -> bytes:
        monkeypatch.undo()
        finish(server, job, b"better")
        return read(name, most)

    monkeypatch.setattr(type(server.service.files), "read", replace_and_read)
    archive = zipfile.ZipFile(io.BytesIO(server.client.get("/api/me/export", headers=headers).content))
    assert archive.read(f"{avatar}.avatar") == b"better"
