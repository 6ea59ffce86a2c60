from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from server.store.database import Database
from server.store.queue import LEASE, MAX_ATTEMPTS, PRIORITY_WORTH, TURN_WORTH, JobQueue, MadeAvatar
from tests.server.store.rows import add_job, add_person, read_avatar, read_job

MADE = MadeAvatar("avatars/a.avatar", "avatars/a.png", "instant", ["The photo is small."])


class Clock:
    """Time that tests set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(database: Database, clock: Clock) -> JobQueue:
    return JobQueue(database, clock=clock)


def test_the_highest_priority_comes_first_then_the_oldest(database: Database, queue: JobQueue) -> None:
    jobs = [add_job(database, priority=p, created=c).id for p, c in ((0, 1.0), (2, 3.0), (2, 2.0), (0, 0.0))]
    assert [queue.ahead_of(job) for job in jobs] == [3, 1, 0, 2] and queue.ahead_of("none") == 0
    taken = [queue.take("w") for _ in range(5)]
    assert [job and job.id for job in taken] == [jobs[2], jobs[1], jobs[3], jobs[0], None]
    assert queue.ahead_of(jobs[0]) == 0
    assert queue.ahead_of(add_job(database).id) == 4


def test_who_orders_many_does_not_make_others_wait_for_all_of_them(database: Database, queue: JobQueue) -> None:
    many, few = add_person(database), add_person(database)
    first = [add_job(database, many, created=float(c)).id for c in range(3)]
    other = add_job(database, few, created=10.0).id
    assert [queue.ahead_of(job) for job in (*first, other)] == [0, 2, 3, 1]
    taken = [queue.take(f"w{i}") for i in range(4)]
    assert [job and job.id for job in taken] == [first[0], other, *first[1:]]


def test_a_job_of_low_priority_or_of_who_orders_many_has_its_turn_in_the_end(database: Database, queue: JobQueue) -> None:
    high, person = add_job(database, priority=0, created=0.0).id, add_person(database)
    late = [add_job(database, priority=1, created=c).id for c in (1.0, PRIORITY_WORTH + 1.0)]
    assert [queue.ahead_of(job) for job in (high, *late)] == [1, 0, 2]
    second = [add_job(database, person, created=PRIORITY_WORTH + c).id for c in (2.0, 3.0)][1]
    assert queue.ahead_of(add_job(database, created=PRIORITY_WORTH + TURN_WORTH + 4.0).id) == 5 and queue.ahead_of(second) == 4


def test_a_job_that_failed_begins_anew_as_long_as_its_photos_are_there(database: Database, queue: JobQueue) -> None:
    job, gone = (add_job(database, folder=folder) for folder in ("jobs1", ""))
    assert not queue.retry(job.id) and not queue.retry("none")
    for _ in range(2):
        taken = queue.take("w")
        assert taken is not None and queue.fail(taken.id, "w", "The disk was full.")
    assert queue.retry(job.id) and not queue.retry(gone.id) and not queue.retry(job.id)
    assert read_job(database, job.id).error == "" and read_avatar(database, job.avatar_id).state == "waiting"
    again = queue.take("w")
    assert again is not None and (again.id, again.attempt) == (job.id, 1)


def test_a_job_that_is_done_gives_its_avatar_its_files(database: Database, queue: JobQueue) -> None:
    job = add_job(database)
    assert queue.take("w") and queue.renew(job.id, "w", "x" * 500, 7.0)
    now = read_job(database, job.id)
    assert now.state == "running" and now.progress == 1.0 and len(now.stage) == 128
    assert queue.keep(job.id, "w", MadeAvatar("avatars/first.avatar", "", "instant", []), last=False) == []
    assert read_avatar(database, job.avatar_id).state == "ready" and read_job(database, job.id).state == "running"
    assert queue.keep(job.id, "w", MADE, last=True) == ["avatars/first.avatar"]
    avatar = read_avatar(database, job.avatar_id)
    assert (avatar.file, avatar.preview, avatar.notes) == (MADE.file, MADE.preview, MADE.notes)
    assert read_job(database, job.id).state == "done" and not queue.renew(job.id, "w", "", 0.0)
    assert queue.keep(job.id, "w", MADE, last=True) is None and not queue.fail(job.id, "w", "no")


def test_a_worker_that_is_silent_loses_its_job_and_can_do_nothing_with_it(
    database: Database, queue: JobQueue, clock: Clock
) -> None:
    job = add_job(database)
    assert queue.take("dead")
    for clock.now in (0.0, LEASE / 2, LEASE - 0.1):
        assert queue.take("other") is None
    clock.now = LEASE
    taken = queue.take("other")
    assert taken is not None and taken.id == job.id and taken.attempt == 2
    assert not queue.renew(job.id, "dead", "", 0.0) and not queue.fail(job.id, "dead", "no")
    assert queue.keep(job.id, "dead", MADE, last=True) is None
    queue.cancelled(job.id, "dead")
    queue.release("dead")
    assert read_job(database, job.id).state == "running" and read_avatar(database, job.avatar_id).file == ""
    assert queue.keep(job.id, "other", MADE, last=True) == []


def test_a_worker_that_shows_life_keeps_its_job(database: Database, queue: JobQueue, clock: Clock) -> None:
    job = add_job(database)
    assert queue.take("alive")
    for tick in range(20):
        clock.now = tick * LEASE / 3
        assert queue.renew(job.id, "alive", "fitting", 0.5)
        assert queue.take("other") is None


@pytest.mark.parametrize("step", [-86400.0, 86400.0])
def test_the_machines_clock_may_be_set(
    database: Database, queue: JobQueue, clock: Clock, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    """Nobody loses a job by it, and one that a dead worker has is free after the same time."""
    job = add_job(database)
    assert queue.take("w") and queue.take("other") is None
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + step)
    clock.now = LEASE - 0.1
    assert queue.take("other") is None and queue.renew(job.id, "w", "", 0.0)
    assert queue.take("other") is None
    clock.now += 1.5 * LEASE
    taken = queue.take("other")
    assert taken is not None and taken.id == job.id


def test_a_job_that_ends_its_workers_is_given_to_one_more_that_gives_it_up(
    database: Database, queue: JobQueue, clock: Clock
) -> None:
    job = add_job(database)
    for attempt in range(1, MAX_ATTEMPTS + 2):
        taken = queue.take(f"w{attempt}")
        assert taken is not None and taken.attempt == attempt
        assert queue.take("look") is None
        clock.now += LEASE
    assert queue.fail(job.id, f"w{MAX_ATTEMPTS + 1}", "It was too much.")
    assert read_job(database, job.id).error == "It was too much." and read_avatar(database, job.avatar_id).state == "failed"


def test_a_worker_that_ends_in_good_order_gives_its_job_back_without_an_attempt(database: Database, queue: JobQueue) -> None:
    job = add_job(database)
    for _ in range(2 * MAX_ATTEMPTS):
        taken = queue.take("w")
        assert taken is not None and taken.attempt == 1
        queue.release("w")
    assert read_job(database, job.id).state == "waiting"


def test_cancelling(database: Database, queue: JobQueue, clock: Clock) -> None:
    waits, runs, dead = (add_job(database, created=float(i)) for i in (2, 0, 1))
    assert queue.take("w") and queue.take("dead")
    for job in (waits, runs, dead):
        queue.cancel(job.id)
    queue.cancel("none")
    assert read_job(database, waits.id).state == "cancelled" and read_avatar(database, waits.avatar_id).state == "failed"
    assert read_job(database, runs.id).state == "running" and not queue.renew(runs.id, "w", "", 0.5)
    assert queue.keep(runs.id, "w", MADE, last=True) is None
    queue.cancelled(runs.id, "w")
    assert read_job(database, runs.id).state == "cancelled"
    assert queue.take("other") is None
    clock.now = LEASE
    assert queue.take("other") is not None and not queue.renew(dead.id, "other", "", 0.0)
    queue.cancelled(dead.id, "other")
    queue.cancel(runs.id)
    assert read_job(database, dead.id).state == read_job(database, runs.id).state == "cancelled"


def test_what_was_made_before_stays_when_a_job_fails(database: Database, queue: JobQueue) -> None:
    job = add_job(database, quality="standard")
    assert queue.take("w") and queue.keep(job.id, "w", MADE, last=False) == []
    assert queue.fail(job.id, "w", "No room.")
    assert read_avatar(database, job.avatar_id).state == "ready" and read_avatar(database, job.avatar_id).file == MADE.file


def test_an_erased_job_is_nobodys(database: Database, queue: JobQueue) -> None:
    job = add_job(database)
    assert queue.take("w")
    with database.session() as session:
        session.delete(session.get_one(type(job), job.id))
    assert not queue.renew(job.id, "w", "", 0.0) and queue.keep(job.id, "w", MADE, last=True) is None


def test_threads_never_take_the_same_job(database: Database) -> None:
    owner = add_person(database)
    jobs = {add_job(database, owner).id for _ in range(12)}
    taken: list[str] = []

    def work(name: str) -> None:
        queue = JobQueue(database)
        while len(taken) < len(jobs):
            job = queue.take(name)
            if job is not None:
                taken.append(job.id)

    threads = [threading.Thread(target=work, args=(str(i),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(jobs)


def test_processes_never_take_the_same_job(database_url: str, database: Database) -> None:
    owner = add_person(database)
    jobs = {add_job(database, owner).id for _ in range(20)}
    code = (
        "import sys; from server.store.database import Database; from server.store.queue import JobQueue\n"
        "queue = JobQueue(Database(sys.argv[1])); print('ready', flush=True); sys.stdin.readline()\n"
        "while (job := queue.take(sys.argv[2])) is not None: print(job.id, flush=True)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, database_url, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in "ab"
    ]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    taken = [line for process in processes for line in process.communicate(timeout=60)[0].split()]
    left = JobQueue(database)  # one that lost against the other may have gone before the end
    while (job := left.take("c")) is not None:
        taken.append(job.id)
    assert sorted(taken) == sorted(jobs)
