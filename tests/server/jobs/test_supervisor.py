from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from server.jobs import supervisor
from server.jobs.runner import RunnerSettings
from server.jobs.supervisor import Runners

SETTINGS = RunnerSettings("", "", "")
READS = ("-c", "import sys; sys.stdin.read()")


async def running(runners: Runners, count: int) -> list[int]:
    while len(runners.pids) != count:
        await asyncio.sleep(0.01)
    return runners.pids


async def test_runners_that_end_are_started_again_and_all_end_with_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "AGAIN", 0.02)
    runners = Runners([SETTINGS] * 2, READS)
    runners.start()
    first = await running(runners, 2)
    os.kill(first[0], signal.SIGKILL)
    while first[0] in runners.pids:
        await asyncio.sleep(0.01)
    again = await running(runners, 2)
    assert first[1] in again
    await runners.stop()
    await runners.stop()
    assert runners.pids == [] and not any(os.path.exists(f"/proc/{pid}") for pid in again)


async def test_a_runner_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "STOP_TIMEOUT", 0.05)
    runners = Runners([SETTINGS], ("-c", "import time; time.sleep(60)"))
    runners.start()
    (pid,) = await running(runners, 1)
    await runners.stop()
    assert not os.path.exists(f"/proc/{pid}")


async def test_one_that_ends_at_once_is_not_started_all_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 9:
            raise asyncio.CancelledError

    runners = Runners([SETTINGS], ("-c", ""))
    monkeypatch.setattr(runners, "_run_one", lambda _: asyncio.Event().wait() if len(pauses) > 9 else _nothing())
    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await runners._keep_one(SETTINGS)
    assert pauses[0] < pauses[1] < pauses[2] and pauses[-1] == supervisor.LONGEST


async def _nothing() -> None:
    pass
