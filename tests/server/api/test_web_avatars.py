"""An avatar for the page's own renderer: who gets it, what it is, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from enrollment.instant.pipeline import Enrollment
from models import avatar_file
from models.exchange.web_avatar import decode
from server.api import web_avatars
from server.web_avatar_files import WebAvatarFiles
from tests.server.api.serving import Api, is_problem


@pytest.fixture
def file(enrolled: Enrollment, tmp_path: Path) -> bytes:
    small = enrolled.avatar.select(slice(0, 20_000, 20))  # type: ignore[arg-type]
    avatar_file.save(small, tmp_path / "small.avatar")
    return (tmp_path / "small.avatar").read_bytes()


def test_who_may_take_it_gets_it(server: Api, file: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_avatars, "WEB_AVATARS", WebAvatarFiles())
    _, owner = server.person("member")
    _, other = server.person("member")
    place = f"/api/avatars/{server.enroll(owner).json()['id']}/web"
    assert is_problem(server.client.get(place, headers=owner), 404)
    server.client.delete(place.removesuffix("/web"), headers=owner)
    place = f"/api/avatars/{server.made(owner)['id']}/web"
    with server.service.database.reading() as session:
        from server.store.tables import StoredAvatar

        name = session.get_one(StoredAvatar, place.split("/")[3]).file
    server.service.files.write(name, file)
    assert is_problem(server.client.get(place, headers=other), 404) and is_problem(server.client.get(place), 401)
    reply = server.client.get(place, headers=owner)
    assert reply.status_code == 200 and len(decode(reply.content).levels[-1]) == 1000
    server.service.files.write(name, b"spoiled")
    assert server.client.get(place, headers=owner).content == reply.content, "made once"
    again = server.client.get(place, headers=owner | {"if-none-match": reply.headers["etag"]})
    assert again.status_code == 304 and not again.content
    monkeypatch.setattr(web_avatars, "WEB_AVATARS", WebAvatarFiles())
    assert is_problem(server.client.get(place, headers=owner), 422)
