"""What a render process can do to the server: hang, die, never start, talk nonsense; and what the system can refuse it."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from realtime.room.layout import ViewRequest
from realtime.room.messages import Rendered
from realtime.room.process import RoomSetup
from realtime.room.supervision import SupervisorTimeouts
from realtime.room.worker import RoomWorker
from tests.realtime.room.rooms import FAKE, SOON, WHITE, room, stop_process, until

pytestmark = pytest.mark.timeout(240)

STOPPED = 15.0
"""Seconds in which a worker has stopped, whatever its process does, on a machine that has much else to do."""
HELD_UP = 3.0
"""Seconds that the event loop may be held up there; what waits for a process that hangs waits for ever."""


def pid_of(worker: RoomWorker) -> int:
    assert worker.pid is not None
    return worker.pid


async def longest_gap(work: asyncio.Future[object]) -> float:
    """Seconds that the event loop was held up at the most while `work` ran."""
    longest, before = 0.0, time.monotonic()
    while not work.done():
        await asyncio.sleep(0.002)
        longest, before = max(longest, time.monotonic() - before), time.monotonic()
    work.result()
    return longest


async def test_a_thousand_requests_to_a_process_that_hangs_hold_nobody_up() -> None:
    """Whoever waits for room on the line, or for a lock that is held meanwhile, waits for ever."""

    async def hammer() -> None:
        for count in range(200):
            for _ in range(10):
                here.worker.recalibrate(1)
            view.look(view.request)
            here.worker.join(100 + count, WHITE)
            here.webcam(1, 100)
            here.worker.leave(100 + count)
            await asyncio.sleep(0)

    async with room(SOON, lit=True) as here:
        await here.seat(1)
        screen, view = here.watch(ViewRequest(1))
        hung = pid_of(here.worker)
        os.kill(hung, signal.SIGSTOP)
        assert await longest_gap(asyncio.create_task(hammer())) < HELD_UP
        await until(lambda: here.worker.starts == 2)
        assert await longest_gap(asyncio.create_task(hammer())) < HELD_UP  # while the next one loads
        await until(lambda: here.joined.count(1) == 2)
        assert not psutil.pid_exists(hung)
        await here.until_shown(screen, 180)


@pytest.mark.parametrize("loading", [False, True], ids=["at work", "while it loads"])
async def test_a_worker_whose_process_hangs_stops_all_the_same(loading: bool) -> None:
    async with room(factory="tests.fakes:loads_for_ever" if loading else FAKE) as here:
        await until(lambda: here.worker.pid is not None and (loading or here.worker.ready))
        process = psutil.Process(here.worker.pid)
        await asyncio.sleep(0.2)
        process.suspend()
        stopping = asyncio.gather(here.worker.stop(), here.worker.stop())
        start = time.monotonic()
        assert await longest_gap(stopping) < HELD_UP
        assert time.monotonic() - start < STOPPED and not process.is_running() and here.worker.pid is None


async def test_a_hang_in_tracking_is_noticed_though_pictures_go_on(caplog: pytest.LogCaptureFixture) -> None:
    """A page that looks around keeps the other threads at work, so silence does not tell."""
    async with room(SupervisorTimeouts(silent=20.0, stuck=1.5), lit=True, hang_on_black=True) as here:
        await here.seat(1)
        screen, view = here.watch(ViewRequest(orbit=True))
        await until(lambda: screen.count > 0)
        here.webcam(1, 0)
        before = screen.count
        while here.worker.starts == 1:
            view.look(ViewRequest(orbit=True, yaw=1.5 * np.sin(10 * time.monotonic())))
            await asyncio.sleep(0.02)
        assert screen.count > before + 2 and "hung in tracking" in caplog.text
        await until(lambda: here.joined == [1, 1])
        await here.until_shown(screen, 160)


async def test_an_avatar_that_loads_for_ever_is_put_out_after_two_times() -> None:
    async with room(SupervisorTimeouts(avatar=1.5, backoff=0.1)) as here:
        await here.seat(1)
        here.worker.join(2, WHITE + b"stall")
        await until(lambda: 2 in here.refused)
        await until(lambda: here.joined.count(1) == 3 and here.worker.ready)
        assert 1 not in here.refused and here.worker.starts == 3


async def test_a_process_that_was_held_up_by_the_machine_has_not_hung(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    timeouts = SupervisorTimeouts(silent=20.0, stuck=1.35)
    async with room(timeouts, lit=True, track_seconds=1.6, tracking=str(begun)) as here:
        await here.seat(1)
        screen, _ = here.watch()
        here.webcam(1, 180)
        await until(begun.exists)
        os.kill(pid_of(here.worker), signal.SIGSTOP)
        await asyncio.sleep(1.0)
        os.kill(pid_of(here.worker), signal.SIGCONT)
        await until(lambda: screen.shows(180, 180, 180))
        assert here.worker.starts == 1


async def test_a_process_that_hangs_while_it_loads_is_replaced() -> None:
    async with room(SOON, "tests.fakes:loads_for_ever") as here:
        await until(lambda: here.worker.pid is not None)
        await asyncio.sleep(0.5)
        os.kill(pid_of(here.worker), signal.SIGSTOP)
        await until(lambda: here.worker.starts == 2)
        assert not here.worker.failure


async def test_a_process_that_is_never_ready_is_given_up_with_a_sentence() -> None:
    async with room(SOON, "tests.fakes:never_ready") as here:
        await until(lambda: here.worker.failure != "")
        assert here.worker.starts == SOON.attempts and not here.worker.ready
        assert "5 times it ended with status 3 before it was ready" in here.worker.failure
        assert "\n" not in here.worker.failure


async def test_a_process_that_takes_for_ever_to_load_is_given_up_too() -> None:
    async with room(SupervisorTimeouts(start=0.5, backoff=0.1, attempts=2), "tests.fakes:loads_for_ever") as here:
        await until(lambda: here.worker.failure != "")
        assert here.worker.starts == 2


async def test_invalid_messages_end_the_process_not_the_server() -> None:
    async with room(SupervisorTimeouts(attempts=2, backoff=0.1), "tests.fakes:talks_nonsense") as here:
        await until(lambda: here.worker.failure != "")
        assert "spoke nonsense" in here.worker.failure


async def test_nonsense_in_the_memory_ends_the_process_at_the_most() -> None:
    async with room(SOON, lit=True) as here:
        await here.seat(1)
        screen, view = here.watch(ViewRequest(orbit=True))
        memory = np.frombuffer(here.worker._memory._memory, np.uint8)
        sizes = set()
        for seed in range(20):
            rng = np.random.default_rng(seed)
            low, high = (-3, 70) if seed % 2 else (-(1 << 63), (1 << 63) - 1)
            words = len(memory) // 8
            memory[: words * 8].view(np.int64)[:] = np.resize(rng.integers(low, high, 1001), words)
            here.webcam(1, 200)
            view.look(ViewRequest(orbit=True, yaw=0.1 * seed))
            here.worker.recalibrate(1)
            seen = here.worker._memory.pictures[0].copy()
            rows = [(slot, view.generation, 1 if seen is None else seen.sequence) for slot in (0, 1, 3, 77, 1 << 40)]
            here.worker._receive(Rendered(rows, {}))
            await asyncio.sleep(0.01)
            sizes.add(None if screen.frame is None else (screen.frame.width % 2, screen.frame.height % 2))
        assert sizes <= {None, (0, 0)}
        del memory
        with suppress(ProcessLookupError):  # nonsense may have ended it already, and the next one not be there yet
            if (pid := here.worker.pid) is not None:
                os.kill(pid, signal.SIGKILL)
        await until(lambda: here.worker.starts >= 2 and here.worker.ready and here.joined.count(1) >= 2)
        await here.until_shown(screen, 180)


async def test_a_process_that_is_killed_again_and_again_after_it_was_ready_is_never_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with room(SupervisorTimeouts(backoff=0.1, attempts=2), lit=True) as here:
        await here.seat(1)
        screen, _ = here.watch()
        spawn, between = here.worker._spawn, list[tuple[bool, bool]]()

        def spawned() -> None:
            between.append((bool(here.worker.driven), here.worker.ready))
            spawn()

        monkeypatch.setattr(here.worker, "_spawn", spawned)
        for count in range(1, 6):
            await until(lambda: here.worker.ready and here.joined.count(1) >= count)  # noqa: B023
            killed = pid_of(here.worker)
            await stop_process(killed)
            while here.worker._memory.flags.worked_on():  # or the avatar would be blamed
                os.kill(killed, signal.SIGCONT)
                await asyncio.sleep(0.01)
                await stop_process(killed)
            os.kill(killed, signal.SIGKILL)
            await until(lambda: here.worker.pid != killed)  # noqa: B023
        await until(lambda: here.joined.count(1) >= 6)
        assert len(between) >= 5 and set(between) == {(False, False)}
        await here.until_shown(screen, 180)
        assert not here.worker.failure and not here.refused
        assert len(psutil.Process().children(recursive=True)) <= 3  # it, the one it is forked from, multiprocessing's tracker


async def test_a_spawn_that_the_system_refuses_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with room(SupervisorTimeouts(backoff=0.1)) as here:
        await until(lambda: here.worker.ready)
        handles = len(os.listdir("/proc/self/fd"))
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
            os.kill(pid_of(here.worker), signal.SIGKILL)
            await until(lambda: sum("cannot be started now" in r.message for r in caplog.records) > 5)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert here.worker.starts == 1 and not here.worker.failure
        await until(lambda: here.worker.ready)
        await until(lambda: len(os.listdir("/proc/self/fd")) == handles)


async def test_pictures_wait_for_a_busy_loop_one_a_view() -> None:
    async with room(lit=True) as here:
        await here.seat(1)
        screen, _ = here.watch()
        await until(lambda: screen.count > 0)
        count = screen.count
        for brightness in range(50, 250, 5):
            here.webcam(1, brightness)
            time.sleep(0.02)
        await asyncio.sleep(0)
        assert screen.count <= count + 2


async def test_avatars_leave_no_handles_behind() -> None:
    async with room() as here:
        await here.seat(1)
        handles = len(os.listdir("/proc/self/fd"))
        for participant in range(10, 40):
            here.worker.join(participant, WHITE)
            here.worker.leave(participant)
        assert len(os.listdir("/proc/self/fd")) == handles
        process = psutil.Process(here.worker.pid)
        await here.seat(50)
        there = process.num_fds()
        for participant in range(60, 70):
            await here.seat(participant)
            here.worker.leave(participant)
        await until(lambda: process.num_fds() <= there)


def test_a_loop_that_was_closed_without_stopping_leaves_nothing() -> None:
    async def start() -> RoomWorker:
        worker = RoomWorker(RoomSetup(FAKE, width=64, height=64), people=1, views=1)
        worker.start()
        await until(lambda: worker.ready)
        return worker

    worker = asyncio.run(start())
    psutil.Process(worker.pid).kill()  # the next word to the loop finds it closed
    worker._supervisor.join(10)
    assert not worker._supervisor.is_alive() and worker.pid is None


async def test_a_worker_that_never_started_stops() -> None:
    worker = RoomWorker(RoomSetup(FAKE, width=64, height=64), people=1, views=1)
    await worker.stop()
    await worker.stop()


def test_nothing_is_left_when_the_server_is_killed() -> None:
    script = f"""
        import asyncio
        from realtime.room.process import RoomSetup
        from realtime.room.worker import RoomWorker

        async def main():
            at_work, loading = (
                RoomWorker(RoomSetup(name, width=64, height=64), people=1, views=1)
                for name in ("{FAKE}", "tests.fakes:loads_for_ever")
            )
            at_work.start()
            loading.start()
            while not at_work.ready or loading.pid is None:
                await asyncio.sleep(0.01)
            print(at_work.pid, loading.pid, flush=True)
            await asyncio.sleep(60)

        if __name__ == "__main__":
            asyncio.run(main())
    """
    server = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    processes = [psutil.Process(int(pid)) for pid in server.stdout.readline().split()]
    files = {found.path for process in processes for found in process.memory_maps() if found.path.startswith("/dev/shm")}
    server.kill()
    server.wait()
    server.stdout.close()
    psutil.wait_procs(processes, timeout=20)
    assert len(processes) == 2
    assert not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)
    assert not any(Path(file).exists() for file in files), "others may have files there"
