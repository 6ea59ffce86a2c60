from __future__ import annotations

import io
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from enrollment.options import MINUTES
from enrollment.report import TURNTABLE
from models import avatar_file, provenance
from models.errors import StorageError
from server.jobs import runner
from server.jobs.runner import Runner, RunnerSettings
from server.store import database as databases
from server.store.database import Database, sqlite_url
from server.store.files import FileStore
from server.store.queue import MAX_ATTEMPTS, JobQueue
from server.store.tables import Job, StoredAvatar
from tests.fakes import fake_avatar
from tests.server.store.rows import add_job, read_avatar, read_job

pytestmark = pytest.mark.timeout(200)
LEASE = 1.2
FINDING = {"topic": "light", "good": True, "sentence": "the light is even", "advice": ""}


class State:
    """A database, a file store and a folder for work."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.work = folder, folder / "work"
        self.settings = RunnerSettings(sqlite_url(folder), str(folder / "files"), str(self.work), lease=LEASE)
        self.database, self.files = Database(self.settings.database), FileStore(self.settings.files)
        self.queue = JobQueue(self.database)

    def job(self, photo: bytes = b"a face", **values: object) -> Job:
        job = add_job(self.database, **values)
        with self.database.session() as session:
            session.get_one(Job, job.id).folder = job.folder = f"jobs{job.id}"
        self.files.write(f"{job.folder}/photo0", photo)
        return job

    def state(self, job: Job) -> str:
        return read_job(self.database, job.id).state

    def left(self) -> list[str]:
        """All that lies about: files of the store, and folders of work."""
        return [*self.files.names(), *(path.name for path in self.work.glob("*"))]

    def runner(self, enroll: Callable[..., object] | None = None) -> Runner:
        return Runner(self.settings, enroll)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    made = State(tmp_path)
    yield made
    made.database.close()


@pytest.fixture
def start(state: State) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a process that enrolls as `tests.server.jobs.slow_runner` does."""
    with ExitStack() as stack:

        def begin(*arguments: str) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.server.jobs.slow_runner", str(state.folder / "begun"), *arguments],
                stdin=subprocess.PIPE,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            assert process.stdin is not None
            stack.callback(process.stdin.close)
            process.stdin.write(msgspec.json.encode(state.settings) + b"\n")
            process.stdin.flush()
            return process

        yield begin


def until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.02)


def made(photos, clip, out, options, *, progress, notify):  # type: ignore[no-untyped-def]
    out.write_bytes(fake_avatar())
    if options.quality != "instant":
        notify("a first one")
    progress("done", 1.0)
    return SimpleNamespace(warnings=["The photo is small."], report=[FINDING])


def run_once(runner: Runner, state: State) -> None:
    job = state.queue.take(runner._name)
    assert job is not None
    runner.work(job)
    runner._clean()


def photo() -> bytes:
    Image.fromarray(astronaut()).save(file := io.BytesIO(), "JPEG", quality=90)
    return file.getvalue()


def test_what_is_no_photo_becomes_a_sentence(tmp_path: Path) -> None:
    """By the process that ships."""
    state = State(tmp_path)
    bomb = tmp_path / "bomb.png"
    Image.fromarray(np.zeros((20_000, 20_000), np.uint8)).save(bomb)
    flat = tmp_path / "flat.png"
    Image.fromarray(np.full((256, 256, 3), 128, np.uint8)).save(flat)
    refused = {
        "a text": b"Dear server, this is a letter.", "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        "bomb": bomb.read_bytes(), "no face": flat.read_bytes(), "cut off": photo()[:10_000],
        "pdf": b"%PDF-1.7\n" + photo(), "zip": b"PK\x03\x04" + bytes(100), "nothing": b"\0" * 1000,
    }  # fmt: skip
    jobs = {name: state.job(data) for name, data in refused.items()}
    process = subprocess.Popen([sys.executable, "-m", "server.jobs.runner"], stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(state.settings) + b"\n")
    process.stdin.flush()
    until(lambda: all(state.state(job) not in ("waiting", "running") for job in jobs.values()) and not state.left())
    process.stdin.close()
    assert process.wait() == 0
    for name, job in jobs.items():
        found = read_job(state.database, job.id)
        assert found.state == "failed" and found.error and "log" not in found.error, (name, found.error)
        assert found.attempts == 1 and read_avatar(state.database, job.avatar_id).state == "failed", name
    state.database.close()


@pytest.mark.usefixtures("enrolled_before")
def test_a_photo_becomes_an_avatar_with_its_pictures_and_a_report(state: State) -> None:
    """From photo to Gaussians: tests/e2e/test_make_avatar.py."""
    job = state.job(photo())
    run_once(state.runner(), state)
    avatar = read_avatar(state.database, job.avatar_id)
    assert state.state(job) == "done" and avatar.state == "ready"
    assert state.left() == sorted([avatar.file, avatar.preview, avatar.turntable])
    loaded = avatar_file.loads(state.files.read(avatar.file))
    assert loaded.provenance["consent"] == "Ada: I agree." and state.files.read(avatar.preview).startswith(b"\x89PNG")
    strip = Image.open(io.BytesIO(state.files.read(avatar.turntable)))
    assert (strip.format, strip.width) == ("WEBP", TURNTABLE * strip.height)
    assert provenance.SOURCE_TYPE in strip.info["xmp"].decode()
    found = {
        "covered": True, "size": False, "light": True, "direction": True, "sides": False, "likeness": True, "detail": True,
    }  # fmt: skip
    assert {finding["topic"]: finding["good"] for finding in avatar.report} == found


def test_a_better_avatar_takes_the_place_of_the_instant_one(state: State) -> None:
    job = state.job(quality="high")
    seen = []

    def slowly(*photos, **options):  # type: ignore[no-untyped-def]
        result = made(*photos, **options)
        avatar = read_avatar(state.database, job.avatar_id)
        seen.append((avatar.state, avatar.quality, state.files.read(avatar.file) != b"", state.state(job)))
        return result

    run_once(state.runner(slowly), state)
    avatar = read_avatar(state.database, job.avatar_id)
    assert seen == [("ready", "instant", True, "running")] and avatar.quality == "high"
    assert state.left() == [avatar.file] and avatar.notes == ["The photo is small."] and avatar.report == [FINDING]


def test_the_photo_stays_where_the_consent_says_so(state: State) -> None:
    job = state.job(keep_photo=True)
    run_once(state.runner(made), state)
    assert state.files.read(f"{job.folder}/photo0") == b"a face"


def test_a_fault_is_a_sentence_that_tells_nothing_of_the_inside(state: State) -> None:
    job = state.job()

    def broken(*_, **__):  # type: ignore[no-untyped-def]
        raise RuntimeError("secret")

    run_once(state.runner(broken), state)
    found = read_job(state.database, job.id)
    assert found.state == "failed" and "secret" not in found.error and "server's log" in found.error and state.left() == []


def test_a_runner_that_is_killed_loses_no_job_and_leaves_no_file(
    state: State, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    job, begun = state.job(), state.folder / "begun"
    first = start()
    until(begun.exists)
    first.kill()
    first.wait()
    assert state.state(job) == "running" and len(state.left()) == 2
    begun.unlink()
    start()
    until(begun.exists)
    begun.unlink()
    until(lambda: state.state(job) == "done" and state.files.names(job.folder) == [])
    avatar = read_avatar(state.database, job.avatar_id)
    assert read_job(state.database, job.id).attempts == 2
    assert avatar.notes == ["gone on with"] and state.left() == [avatar.file]


def test_a_job_that_kills_its_runner_each_time_fails_with_a_sentence(
    state: State, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    job, begun = state.job(), state.folder / "begun"
    with state.database.session() as session:
        session.get_one(Job, job.id).attempts = MAX_ATTEMPTS - 1
    process = start()
    until(begun.exists)
    process.kill()
    process.wait()
    start()
    until(lambda: state.state(job) == "failed" and state.left() == [])
    assert f"ended its process {MAX_ATTEMPTS} times" in read_job(state.database, job.id).error


@pytest.mark.parametrize("mode", ["wait", "hang"])
def test_cancelling_a_job_that_runs(state: State, start: Callable[..., subprocess.Popen[bytes]], mode: str) -> None:
    """Also one that does not ask: its process ends, and the next one cleans."""
    job, begun = state.job(), state.folder / "begun"
    process = start(mode)
    until(begun.exists)
    state.queue.cancel(job.id)
    until(lambda: state.state(job) == "cancelled")
    until(lambda: (mode != "hang" and state.left() == []) or process.poll() == 1)
    if process.poll() is not None:  # that hangs, or a busy machine did not let it hear in time
        start()
    until(lambda: state.left() == [])
    assert read_avatar(state.database, job.avatar_id).state == "failed"


@pytest.mark.parametrize("after", ["before the file", "after the file"])
def test_an_avatar_that_is_erased_while_it_is_made(state: State, monkeypatch: pytest.MonkeyPatch, after: str) -> None:
    job = state.job()
    working = state.runner(made)
    keep = working._queue.keep

    def erase() -> None:
        with state.database.session() as session:
            session.delete(session.get_one(StoredAvatar, job.avatar_id))
        state.files.delete(job.folder)

    def keep_late(*arguments, **options):  # type: ignore[no-untyped-def]
        erase()
        return keep(*arguments, **options)

    def make(*arguments, **options):  # type: ignore[no-untyped-def]
        if after == "before the file":
            erase()
        return made(*arguments, **options)

    working._enroll_to_file = make
    if after == "after the file":
        monkeypatch.setattr(working._queue, "keep", keep_late)
    run_once(working, state)
    assert state.left() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_runner_ends_with_its_server_and_gives_the_job_back(
    state: State, start: Callable[..., subprocess.Popen[bytes]], number: int
) -> None:
    """A terminal or systemd sends signals to all processes of the server: the server is who decides."""
    job, begun = state.job(), state.folder / "begun"
    process = start("hang")
    until(begun.exists)
    process.send_signal(number)
    time.sleep(0.1)
    assert process.poll() is None
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait() == 0
    found = read_job(state.database, job.id)
    assert found.state == "waiting" and found.attempts == 0


def test_a_runner_whose_server_was_killed_ends(state: State) -> None:
    code = (
        "import subprocess, sys, time\n"
        "runner = subprocess.Popen([sys.executable, '-m', 'server.jobs.runner'], stdin=subprocess.PIPE)\n"
        "runner.stdin.write(sys.argv[1].encode() + b'\\n'); runner.stdin.flush(); print(runner.pid, flush=True); time.sleep(60)"
    )
    settings = msgspec.json.encode(state.settings).decode()
    server = subprocess.Popen([sys.executable, "-c", code, settings], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    pid = int(server.stdout.readline())
    server.kill()
    server.wait()
    server.stdout.close()
    until(lambda: not os.path.exists(f"/proc/{pid}") or "State:\tZ" in Path(f"/proc/{pid}/status").read_text())


def test_a_database_that_is_locked_for_a_while_costs_nothing(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "BUSY", 0.05)
    job, working = state.job(), state.runner()
    other = sqlite3.connect(state.folder / "visavis.db", isolation_level=None, check_same_thread=False)

    def locked(*arguments, **options):  # type: ignore[no-untyped-def]
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(0.8, lambda: other.execute("COMMIT")).start()
        return made(*arguments, **options)

    working._enroll_to_file = locked
    run_once(working, state)
    assert state.state(job) == "done"
    other.close()


@pytest.mark.parametrize("is_full_for", [1, MAX_ATTEMPTS])
def test_a_full_disk_loses_nothing_while_there_may_be_room_again(
    state: State, monkeypatch: pytest.MonkeyPatch, is_full_for: int
) -> None:
    job, working = state.job(), state.runner(made)
    write, tried = working._files.write, []

    def full(name: str, data: bytes) -> None:
        tried.append(name)
        if len(tried) <= is_full_for:
            raise StorageError("a file could not be written because no room is left there; free some space and try again")
        write(name, data)

    monkeypatch.setattr(working._files, "write", full)
    stopping, rested = threading.Event(), list[float]()
    monkeypatch.setattr(stopping, "wait", lambda seconds: (rested.append(seconds), stopping.set()))
    working.run(stopping)
    assert rested == [runner.STORE_PAUSE], "before it tries again"
    for attempt in range(1, is_full_for):
        assert state.state(job) == "waiting" and state.left() == [f"{job.folder}/photo0"], attempt
        run_once(working, state)
    if is_full_for == MAX_ATTEMPTS:
        assert state.state(job) == "failed" and "no room" in read_job(state.database, job.id).error and state.left() == []
        return
    run_once(working, state)
    assert state.state(job) == "done" and read_avatar(state.database, job.avatar_id).file in state.left()


def test_a_job_that_takes_too_long_ends_its_process(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(runner.TIME_LIMIT, "instant", 0.1)
    ended = threading.Event()
    monkeypatch.setattr(os, "_exit", lambda _: ended.set())
    job = state.job()

    def hang(*arguments, **options):  # type: ignore[no-untyped-def]
        ended.wait()
        return made(*arguments, **options)

    run_once(state.runner(hang), state)
    assert state.state(job) == "failed" and "longer than any should" in read_job(state.database, job.id).error


def test_settings_that_are_none_end_the_process_with_a_sentence(tmp_path: Path) -> None:
    for line in (b"", b"nonsense\n", msgspec.json.encode(RunnerSettings("nonsense", str(tmp_path), str(tmp_path))) + b"\n"):
        ended = subprocess.run([sys.executable, "-m", "server.jobs.runner"], input=line, capture_output=True, timeout=60)
        assert ended.returncode == 1 and b"Traceback" not in ended.stderr
    assert b"--database" in ended.stderr


def test_a_clip_makes_an_avatar_better_that_is_there(state: State) -> None:
    """It is shown meanwhile, and what is there is not replaced by the instant one that the clip gives."""
    first = state.job()
    run_once(state.runner(made), state)
    before = read_avatar(state.database, first.avatar_id).file
    better = Job(owner_id=first.owner_id, avatar_id=first.avatar_id, quality="standard", folder=f"jobs{first.id}b")
    with state.database.session() as session:
        session.add(better)
    state.files.write(f"{better.folder}/clip", b"a clip")
    seen = []

    def from_clip(photos, clip, out, options, *, progress, notify):  # type: ignore[no-untyped-def]
        result = made(photos, clip, out, options, progress=progress, notify=notify)
        assert options.refinement.watch is not None and not options.sheet
        options.refinement.watch(avatar_file.loads(out.read_bytes()))  # the fake cannot be drawn
        seen.append((photos, clip.read_bytes(), options.refinement.steps, read_avatar(state.database, first.avatar_id).file))
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("enrollment.report.front", lambda *_: b"a picture")
        run_once(state.runner(from_clip), state)
    avatar = read_avatar(state.database, first.avatar_id)
    assert seen == [([], b"a clip", MINUTES.steps, before)]
    assert avatar.file != before and avatar.quality == "standard" and state.left() == [avatar.file]
    assert read_job(state.database, better.id).previews == 1
