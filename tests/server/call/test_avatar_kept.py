from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from models.errors import AvatarFileError
from server.benchmarks.call_client import BenchPage
from server.call.app import serve
from server.call.config import ServerConfig
from tests.server.call.serving import running, until

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize("fate", ["gone", "replaced"])
async def test_the_face_stays_whatever_becomes_of_the_avatar_file(tmp_path: Path, fate: str) -> None:
    """The file was read again by each render process: one that died in a call ended it, or went on with another face."""
    path = tmp_path / "me.avatar"
    path.write_bytes(bytes([200]) + b" stands for an avatar")
    async with running(avatar=path, factory_options=None) as server, server.page("person") as person:
        await until(lambda: _blue(person) > 150)
        path.unlink()
        if fate == "replaced":
            path.write_bytes(bytes([90]) + b" is another one")
        os.kill(server.room.worker.pid, signal.SIGKILL)
        await until(lambda: server.room.worker.starts == 2 and server.room.ready)
        shown = person.pictures
        await until(lambda: person.pictures > shown + 5)
        assert _blue(person) > 150 and not server.room.worker.failure


async def test_an_avatar_file_that_is_not_there_is_one_sentence_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(AvatarFileError, match="check the path"):
        await serve(ServerConfig(avatar=tmp_path / "none.avatar", port=0))


def _blue(page: BenchPage) -> int:
    picture = page.last_picture
    return 0 if picture is None else int(picture.to_ndarray(format="rgb24")[8, 8, 2])
