"""An avatar that became better is shown to everybody who sees it, in the call that goes on."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from server.accounts.tokens import Claims, Tokens, keep_secret
from server.call import rooms
from server.call.protocol import Join
from server.call_client import CallClient
from server.store.database import Database
from server.store.files import FileStore
from server.store.tables import StoredAvatar
from tests.fakes import fake_avatar
from tests.server.call.serving import running, until
from tests.server.store.rows import add_person, make_database

pytestmark = pytest.mark.timeout(240)


def blue(page: CallClient) -> int:
    picture = page.last_picture
    return 0 if picture is None else int(picture.to_ndarray(format="rgb24")[8, 8, 2])


async def test_a_better_avatar_is_swapped_in_and_one_that_is_none_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "LOOK_EVERY", 0.1)
    database, files = Database(make_database(tmp_path)), FileStore(str(tmp_path / "files"))
    person = add_person(database)

    def keep(name: str, data: bytes) -> None:
        """As a runner does it: the new file, the row, and away with the old one."""
        files.write(name, data)
        with database.session() as session:
            avatar = session.get(StoredAvatar, "mine")
            old = "" if avatar is None else avatar.file
            if avatar is None:
                session.add(StoredAvatar(id="mine", owner_id=person, name="Mine", state="ready", file=name))
            else:
                avatar.file = name
        if old:
            files.delete(old)

    keep("avatars/first.avatar", fake_avatar(90))
    async with running(state=tmp_path, enrollments=0, better_enrollments=0) as server:
        token = Tokens(keep_secret(tmp_path)).make(Claims(person, "guest", 0))
        page = server.page("host", Join("mine"))
        page._hello = msgspec.structs.replace(page._hello, token=token)
        async with page, server.page("viewer") as viewer:
            await until(lambda: abs(blue(viewer) - 90) < 12)
            keep("avatars/second.avatar", fake_avatar(200))
            await until(lambda: abs(blue(viewer) - 200) < 12)
            for name, data in (
                ("third", fake_avatar(30, "refuse")),
                ("fourth", b"nonsense"),
                ("fifth", fake_avatar(30, "crash")),
            ):
                keep(f"avatars/{name}.avatar", data)
                asked = time.monotonic()
                while time.monotonic() < asked + 0.5:
                    await until(lambda: abs(blue(viewer) - 200) < 12)
                    shown = viewer.pictures
                    await until(lambda: viewer.pictures > shown)  # noqa: B023
            keep("avatars/sixth.avatar", fake_avatar(130))
            await until(lambda: abs(blue(viewer) - 130) < 12)
            assert not server.rooms.failure
    database.close()
