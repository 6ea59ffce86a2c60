from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import httpx
import msgspec
import pytest

from server.call.config import ServerConfig
from server.call.protocol import Failure, Join, Lobby
from server.call_client import CallClient, RefusedError
from server.jobs.runner import Runner
from server.jobs.supervisor import Runners
from server.service import make_runners, open_service, runner_settings
from server.store.database import Database
from server.store.files import FileStore
from tests.fakes import fake_avatar
from tests.server.api.serving import bearer
from tests.server.call.serving import Running, running, until
from tests.server.store.rows import add_job, read_job

pytestmark = pytest.mark.timeout(240)


def page_of(server: Running, token: str, avatar: str = "") -> CallClient:
    page = server.page("person", Join("Ada", avatar))
    page._hello = msgspec.structs.replace(page._hello, token=token)
    return page


def work_in(config: ServerConfig, stopping: threading.Event) -> threading.Thread:
    """A runner in a thread, whose enrollment is instant."""

    def enroll(photos, clip, out, options, *, progress, notify):  # type: ignore[no-untyped-def]
        progress("fitting the head", 0.5)
        out.write_bytes(fake_avatar())
        return SimpleNamespace(warnings=[], report=[])

    thread = threading.Thread(target=Runner(runner_settings(config), enroll).run, args=(stopping,))
    thread.start()
    return thread


async def test_from_a_photo_to_a_call_and_out_of_it_when_it_is_erased(tmp_path: Path) -> None:
    """Through the real door: a guest's token, upload, events, the own avatar in a room, and nobody else's."""
    async with running(state=tmp_path, enrollments=0) as server, httpx.AsyncClient(base_url=server.base, timeout=60) as client:
        stopping = threading.Event()
        working = work_in(server.config, stopping)
        try:
            ada, eve = [
                (await client.post("/api/guests", json={"key": server.key("person"), "name": name})).json()["token"]
                for name in ("Ada", "Eve")
            ]
            data = {"name": "Mine", "subject": "Ada", "agreed": "true"}
            photo = {"photos": ("../../me.jpg", b"a photo " * 50_000, "image/jpeg")}
            made = (await client.post("/api/avatars", headers=bearer(ada), files=photo, data=data)).json()
            events = await client.get(f"/api/jobs/{made['job']}/events", headers=bearer(ada))
            assert json.loads(events.text.strip().split("\n\n")[-1].removeprefix("data: "))["state"] == "done"
            async with page_of(server, eve) as other:
                assert "Mine" not in [avatar.name for avatar in other.said[Lobby].avatars]
            with pytest.raises(RefusedError, match="avatar"):
                await page_of(server, eve, made["id"]).connect()
            async with page_of(server, ada, made["id"]) as page:
                assert "Mine" in [avatar.name for avatar in page.said[Lobby].avatars]
                await until(lambda: page.pictures > 0)
                assert (await client.delete(f"/api/avatars/{made['id']}", headers=bearer(ada))).status_code == 204
                await until(lambda: Failure in page.said)
                assert page.said[Failure].code == "avatar"
            assert FileStore(str(tmp_path / "files")).names() == [] and not any((tmp_path / "work").iterdir())
        finally:
            stopping.set()
            await asyncio.to_thread(working.join)


async def test_a_server_that_is_killed_during_an_enrollment_goes_on_with_it_when_it_is_back(tmp_path: Path) -> None:
    config, begun = ServerConfig(state=tmp_path), tmp_path / "begun"
    settings = runner_settings(config)
    database, files = Database(settings.database), FileStore(settings.files)
    job = add_job(database, folder="jobs1")
    files.write("jobs1/photo0", b"a face")
    program = ("-m", "tests.server.jobs.slow_runner", str(begun))
    code = (
        "import asyncio, msgspec, sys\n"
        "from server.jobs.runner import RunnerSettings; from server.jobs.supervisor import Runners\n"
        "async def main():\n    Runners([msgspec.json.decode(sys.argv[1], type=RunnerSettings)], tuple(sys.argv[2:])).start()\n"
        "    await asyncio.Event().wait()\nasyncio.run(main())"
    )
    server = subprocess.Popen([sys.executable, "-c", code, msgspec.json.encode(settings).decode(), *program])
    await until(begun.exists)
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    await until(lambda: read_job(database, job.id).state == "waiting")
    begun.unlink()
    again = Runners([settings], program)
    again.start()
    await until(begun.exists)
    begun.unlink()
    await until(lambda: read_job(database, job.id).state == "done" and not files.names("jobs1"))
    await again.stop()
    assert len(files.names()) == 1 and read_job(database, job.id).attempts == 1
    database.close()


def test_everything_is_in_the_state_folder_unless_settings_say_otherwise(tmp_path: Path) -> None:
    config = ServerConfig(state=tmp_path / "state", enrollments=0)
    settings = runner_settings(config)
    assert str(tmp_path) in settings.database and settings.files.startswith(str(tmp_path)) and settings.key == ""
    service = open_service(config)
    assert len(service.setup_key) >= 20 and not service.people.has_admin() and make_runners(config).pids == []
    service.database.close()
    elsewhere = config.with_values(database=f"sqlite:///{tmp_path}/other.db", storage=str(tmp_path / "blobs"))
    open_service(elsewhere).database.close()
    assert (tmp_path / "other.db").exists() and (tmp_path / "blobs").is_dir()
