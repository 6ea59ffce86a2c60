from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from models.errors import AvatarFileError
from server.call import avatars
from server.call.app import serve
from server.call.config import ServerConfig
from server.call.protocol import Lobby
from server.call_client import CallClient, RefusedError
from tests.fakes import fake_avatar
from tests.server.call.serving import running, until

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize("fate", ["gone", "replaced"])
async def test_the_face_stays_whatever_becomes_of_the_avatar_file(tmp_path: Path, fate: str) -> None:
    """The file was read again by each render process: one that died in a call ended it, or went on with another face."""
    path = tmp_path / "me.avatar"
    path.write_bytes(fake_avatar(200))
    async with running(avatars={}, avatar_folder=tmp_path) as server, server.page("host") as person:
        await until(lambda: _blue(person) > 150)
        path.unlink()
        if fate == "replaced":
            path.write_bytes(fake_avatar(90))
        os.kill(server.room.worker.pid, signal.SIGKILL)
        await until(lambda: server.room.worker.starts == 2 and server.room.ready)
        shown = person.pictures
        await until(lambda: person.pictures > shown + 5)
        assert _blue(person) > 150 and not server.rooms.failure


async def test_an_avatar_file_that_is_not_there_is_one_sentence_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(AvatarFileError, match="check the path"):
        await serve(ServerConfig(avatars=(tmp_path / "none.avatar",), port=0))


async def test_who_is_enrolled_while_the_server_runs_can_come_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avatars, "LOOK_EVERY", 0.1)
    async with running(avatars={}, avatar_folder=tmp_path) as server:
        with pytest.raises(RefusedError, match="choose one of the list"):
            await server.page("person").connect()
        (tmp_path / "me.avatar").write_bytes(fake_avatar(200))
        (tmp_path / "nonsense.avatar").write_bytes(b"nonsense")
        await asyncio.sleep(0.2)
        async with server.page("person") as person:
            await until(lambda: _blue(person) > 150)
            assert [avatar.name for avatar in person.said[Lobby].avatars] == ["me"]


def _blue(page: CallClient) -> int:
    picture = page.last_picture
    return 0 if picture is None else int(picture.to_ndarray(format="rgb24")[8, 8, 2])
