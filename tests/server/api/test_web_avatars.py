"""An avatar for the page's own renderer: who gets it, what it is, and which one while a better one takes its place."""

from __future__ import annotations

from typing import Any

import pytest

from models.exchange.web_avatar import decode
from server.store.queue import MadeAvatar
from server.store.tables import StoredAvatar
from tests.server.api.serving import Api, is_problem


def file_of(server: Api, avatar: str) -> str:
    with server.service.database.reading() as session:
        return session.get_one(StoredAvatar, avatar).file


def test_who_may_take_it_gets_it(server: Api, small_avatar: bytes) -> None:
    _, owner = server.person("member")
    _, other = server.person("member")
    place = f"/api/avatars/{server.enroll(owner).json()['id']}/web"
    assert is_problem(server.client.get(place, headers=owner), 404)
    server.client.delete(place.removesuffix("/web"), headers=owner)
    avatar = server.made(owner)["id"]
    place, name = f"/api/avatars/{avatar}/web", file_of(server, avatar)
    server.service.files.write(name, small_avatar)
    assert is_problem(server.client.get(place, headers=other), 404) and is_problem(server.client.get(place), 401)
    reply = server.client.get(place, headers=owner)
    assert reply.status_code == 200 and len(decode(reply.content).levels[-1]) == 1000
    server.service.files.write(name, b"spoiled")
    assert server.client.get(place, headers=owner).content == reply.content, "made once"
    again = server.client.get(place, headers=owner | {"if-none-match": reply.headers["etag"]})
    assert again.status_code == 304 and not again.content
    server.service.web_avatars.forget(name)
    assert is_problem(server.client.get(place, headers=owner), 422)


def test_erased_with_the_avatar(server: Api, small_avatar: bytes) -> None:
    _, owner = server.person("member")
    avatar = server.made(owner)["id"]
    server.service.files.write(file_of(server, avatar), small_avatar)
    assert server.client.get(f"/api/avatars/{avatar}/web", headers=owner).status_code == 200
    name = file_of(server, avatar)
    assert server.service.web_avatars.get(name)
    server.client.delete(f"/api/avatars/{avatar}", headers=owner)
    assert server.service.web_avatars.get(name) is None
    assert is_problem(server.client.get(f"/api/avatars/{avatar}/web", headers=owner), 404)


@pytest.mark.parametrize("which", ["web", "file", "preview"])
def test_the_better_one_that_takes_its_place_in_this_moment(
    server: Api, small_avatar: bytes, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, owner = server.person("member")
    avatar = server.made(owner)["id"]
    assert server.improve(owner, avatar, photo=b"photo").status_code == 202
    job = server.service.queue.take("w")
    assert job is not None
    files = server.service.files
    made = MadeAvatar(f"avatars/{job.id}standard.avatar", f"avatars/{job.id}standard.png", "standard", [])
    read, swapped = files.read, list[list[str] | None]()

    def swap_and_read(name: str, *most: Any) -> bytes:
        if not swapped:
            for new in made.names:
                files.write(new, small_avatar)
            swapped.append(server.service.queue.keep(job.id, "w", made, last=True))
            for old in swapped[0] or []:
                files.delete(old)
        return read(name, *most)

    monkeypatch.setattr(files, "read", swap_and_read)
    reply = server.client.get(f"/api/avatars/{avatar}/{which}", headers=owner)
    assert swapped[0] and reply.status_code == 200
    if which == "web":
        assert len(decode(reply.content).levels[-1]) == 1000 and job.id in reply.headers["etag"]
        assert "standard" in reply.headers["etag"]
    else:
        assert reply.content == small_avatar
