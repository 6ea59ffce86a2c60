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
from pathlib import Path

import numpy as np
import psutil
import pytest

from realtime.messages import RenderedView
from realtime.render_process import Setup
from realtime.view import ViewRequest
from realtime.worker import RenderWorker, SupervisorTimeouts
from tests.realtime.workers import Screen, running, until, webcam

pytestmark = pytest.mark.timeout(60)

SOON = SupervisorTimeouts(silent=1.0, loading=1.3, backoff=0.1)
STOPPED = 5.0
"""Seconds in which a worker has stopped, whatever its process does."""


async def longest_gap(work: asyncio.Task[None]) -> float:
    """Seconds that the event loop was held up at the most while `work` ran."""
    longest, before = 0.0, time.monotonic()
    while not work.done():
        await asyncio.sleep(0.002)
        longest, before = max(longest, time.monotonic() - before), time.monotonic()
    work.result()
    return longest


async def test_a_thousand_requests_to_a_process_that_hangs_hold_nobody_up() -> None:
    """The attack: 278 messages filled a pipe, and the event loop waited for ever with the lock that was needed to mend it."""

    async def hammer() -> None:
        for _ in range(200):
            for _ in range(10):
                worker.recalibrate()
            view.look(view.row.view)
            worker.submit(webcam(100), 1.0)
            await asyncio.sleep(0)

    async with running(timeouts=SOON) as worker:
        screen = Screen()
        view = worker.open_view(screen)
        await until(lambda: worker.ready)
        hung = worker.pid
        os.kill(hung, signal.SIGSTOP)
        assert await longest_gap(asyncio.create_task(hammer())) < 1.0
        await until(lambda: worker.starts == 2)
        assert await longest_gap(asyncio.create_task(hammer())) < 1.0  # while the next one loads
        await until(lambda: worker.ready)
        assert not psutil.pid_exists(hung)
        while not screen.shows(180):
            worker.submit(webcam(180), 1.0)
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("loading", [False, True], ids=["at work", "while it loads"])
async def test_a_worker_whose_process_hangs_stops_all_the_same(loading: bool) -> None:
    factory = "tests.fakes:loads_for_ever" if loading else "tests.fakes:FakePipeline"
    async with running(factory=factory) as worker:
        await until(lambda: worker.pid is not None and (loading or worker.ready))
        process = psutil.Process(worker.pid)
        await asyncio.sleep(0.2)
        process.suspend()
        stopping = asyncio.gather(worker.stop(), worker.stop())
        start = time.monotonic()
        assert await longest_gap(asyncio.ensure_future(stopping)) < 1.0
        assert time.monotonic() - start < STOPPED and not process.is_running() and worker.pid is None


async def test_a_hang_in_tracking_is_noticed_though_pictures_go_on(caplog: pytest.LogCaptureFixture) -> None:
    """A viewer who looks around keeps the other thread at work, so silence does not tell."""
    async with running(hang_on_black=True, timeouts=SupervisorTimeouts(silent=20.0, stuck=0.6)) as worker:
        screen = Screen()
        view = worker.open_view(screen)
        await until(lambda: worker.ready)
        worker.submit(webcam(0), 1.0)
        before = screen.count
        while worker.starts == 1:
            view.look(ViewRequest(yaw=1.5 * np.sin(10 * time.monotonic())))
            await asyncio.sleep(0.02)
        assert screen.count > before + 5 and "hung in tracking" in caplog.text
        await until(lambda: worker.ready)
        while not screen.shows(160, view.row.view.yaw):
            worker.submit(webcam(160), 1.0)
            await asyncio.sleep(0.02)


async def test_a_process_that_was_held_up_by_the_machine_has_not_hung() -> None:
    async with running(track_seconds=1.6, timeouts=SupervisorTimeouts(silent=20.0, stuck=1.35)) as worker:
        screen = Screen()
        worker.open_view(screen)
        await until(lambda: worker.ready)
        worker.submit(webcam(180), 1.0)
        await asyncio.sleep(0.1)
        os.kill(worker.pid, signal.SIGSTOP)
        await asyncio.sleep(1.0)
        os.kill(worker.pid, signal.SIGCONT)
        await until(lambda: screen.shows(180))
        assert worker.starts == 1


async def test_a_process_that_hangs_while_it_loads_is_replaced() -> None:
    async with running(factory="tests.fakes:loads_for_ever", timeouts=SOON) as worker:
        await until(lambda: worker.pid is not None)
        await asyncio.sleep(0.5)
        os.kill(worker.pid, signal.SIGSTOP)
        await until(lambda: worker.starts == 2)
        assert not worker.failure


async def test_a_process_that_is_never_ready_is_given_up_with_a_sentence() -> None:
    async with running(factory="tests.fakes:never_ready", timeouts=SOON) as worker:
        await until(lambda: worker.failure != "")
        assert worker.starts == SOON.attempts and not worker.ready
        assert "5 times it ended with status 3 before it was ready" in worker.failure and "\n" not in worker.failure


async def test_a_process_that_takes_for_ever_to_load_is_given_up_too() -> None:
    impatient = SupervisorTimeouts(start=0.5, backoff=0.1, attempts=2)
    async with running(factory="tests.fakes:loads_for_ever", timeouts=impatient) as worker:
        await until(lambda: worker.failure != "")
        assert worker.starts == 2


async def test_invalid_messages_end_the_process_not_the_server() -> None:
    async with running(factory="tests.fakes:talks_nonsense", timeouts=SupervisorTimeouts(attempts=2)) as worker:
        await until(lambda: worker.failure != "")
        assert "sent an invalid message" in worker.failure


async def test_nonsense_in_the_memory_ends_the_process_at_the_most() -> None:
    async with running(timeouts=SOON) as worker:
        screen = Screen()
        view = worker.open_view(screen)
        await until(lambda: worker.ready)
        memory = np.frombuffer(worker._block._memory, np.uint8)
        sizes = set()
        for seed in range(20):
            rng = np.random.default_rng(seed)
            low, high = (-3, 70) if seed % 2 else (-(1 << 63), (1 << 63) - 1)
            words = len(memory) // 8
            memory[: words * 8].view(np.int64)[:] = np.resize(rng.integers(low, high, 1001), words)
            worker.submit(webcam(200), 1.0)
            view.look(ViewRequest(yaw=0.1 * seed))
            worker.recalibrate()
            for slot in (0, 1, -5, 1 << 40):
                worker._hand_out(RenderedView(slot, view.generation))
            await asyncio.sleep(0.01)
            sizes.add(None if screen.frame is None else (screen.frame.width % 2, screen.frame.height % 2))
        assert sizes <= {None, (0, 0)}
        del memory
        if worker.pid is not None:
            os.kill(worker.pid, signal.SIGKILL)
        await until(lambda: worker.starts >= 2 and worker.ready)
        while not screen.shows(180, 1.9):
            worker.submit(webcam(180), 1.0)
            await asyncio.sleep(0.02)


async def test_a_process_that_is_killed_again_and_again_after_it_was_ready_is_never_given_up() -> None:
    timeouts = SupervisorTimeouts(backoff=0.1, attempts=2)
    async with running(timeouts=timeouts, avatar=b"\xc8 the avatar's bytes") as worker:
        screen = Screen()
        worker.open_view(screen)
        await until(lambda: worker.ready)
        for count in range(1, 6):
            await until(lambda count=count: worker.starts == count and worker.pid is not None)
            os.kill(worker.pid, signal.SIGKILL)
            await until(lambda: worker.pid is None)
            assert not worker.face and not worker.ready
        while not screen.shows(180, blue=200):
            worker.submit(webcam(180), 1.0)
            await asyncio.sleep(0.02)
        assert not worker.failure and len(psutil.Process().children()) <= 2  # it, and multiprocessing's tracker


async def test_a_spawn_that_the_system_refuses_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with running(timeouts=SupervisorTimeouts(backoff=0.1)) as worker:
        await until(lambda: worker.ready)
        handles = len(os.listdir("/proc/self/fd"))
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
            os.kill(worker.pid, signal.SIGKILL)
            await until(lambda: sum("cannot be started now" in r.message for r in caplog.records) > 5)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert worker.starts == 1 and not worker.failure
        await until(lambda: worker.ready)
        assert len(os.listdir("/proc/self/fd")) == handles


async def test_pictures_wait_for_a_busy_loop_one_a_view() -> None:
    async with running() as worker:
        screen = Screen()
        view = worker.open_view(screen)
        await until(lambda: worker.ready and screen.count > 0)
        count = screen.count
        for brightness in range(50, 250, 5):
            worker.submit(webcam(brightness), 1.0)
            time.sleep(0.02)
        await asyncio.sleep(0)
        assert screen.count <= count + 2
        view.close()


def test_a_loop_that_was_closed_without_stopping_leaves_nothing() -> None:
    async def start() -> RenderWorker:
        worker = RenderWorker(Setup("tests.fakes:FakePipeline", {}, 64, 64), views=1)
        worker.start()
        await until(lambda: worker.ready)
        return worker

    worker = asyncio.run(start())
    process = psutil.Process(worker.pid)
    process.kill()  # the next word to the loop finds it closed
    worker._supervisor.join(10)
    assert not worker._supervisor.is_alive() and worker.pid is None


async def test_a_worker_that_never_started_stops() -> None:
    worker = RenderWorker(Setup("tests.fakes:FakePipeline", {}, 64, 64), views=1)
    await worker.stop()
    await worker.stop()


def test_nothing_is_left_when_the_server_is_killed() -> None:
    script = """
        import asyncio
        from realtime.render_process import Setup
        from realtime.worker import RenderWorker

        async def main():
            at_work, loading = (
                RenderWorker(Setup("tests.fakes:" + name, {}, 64, 64), views=1) for name in ("FakePipeline", "loads_for_ever")
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
    shared = Path("/dev/shm")
    before = set(shared.iterdir()) if shared.is_dir() else set()
    server = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    processes = [psutil.Process(int(pid)) for pid in server.stdout.readline().split()]
    server.kill()
    server.wait()
    server.stdout.close()
    psutil.wait_procs(processes, timeout=20)
    assert not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)
    assert not shared.is_dir() or set(shared.iterdir()) <= before
