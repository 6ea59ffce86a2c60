"""Keeps the runners alive, from the server's event loop."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from server.jobs.runner import RunnerSettings

log = logging.getLogger(__name__)

AGAIN, LONGEST = 1.0, 60.0
"""Seconds before a runner that ended is started again: at first, and when each one ends at once."""
STEADY = 30.0
"""Seconds after which a runner counts as one that works."""
STOP_TIMEOUT = 3.0


class Runners:
    """Processes that enroll, one for each of `settings`."""

    def __init__(self, settings: Sequence[RunnerSettings], program: tuple[str, ...] = ("-m", "server.jobs.runner")) -> None:
        """program: arguments of Python that start one."""
        self._settings, self._program = settings, program
        self._tasks: list[asyncio.Task[None]] = []
        self._processes: set[asyncio.subprocess.Process] = set()
        self.restarts = 0
        """Processes that were started in place of one that ended."""

    @property
    def pids(self) -> list[int]:
        """Of the processes that run now."""
        return [process.pid for process in self._processes]

    def start(self) -> None:
        """Start them; call it on the event loop."""
        self._tasks = [asyncio.create_task(self._keep_one(settings)) for settings in self._settings]

    async def stop(self) -> None:
        """End them; a job that one has goes on when a server is there again. May be called twice."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        processes, self._processes = self._processes, set()
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()  # it gives its job back and ends
        for process in processes:
            try:
                async with asyncio.timeout(STOP_TIMEOUT):
                    await process.wait()
            except TimeoutError:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

    async def _keep_one(self, settings: RunnerSettings) -> None:
        pause = AGAIN
        while True:
            started = time.monotonic()
            await self._run_one(settings)
            pause = AGAIN if time.monotonic() - started > STEADY else min(2 * pause, LONGEST)
            await asyncio.sleep(pause)

    async def _run_one(self, settings: RunnerSettings) -> None:
        try:
            process = await asyncio.create_subprocess_exec(sys.executable, *self._program, stdin=asyncio.subprocess.PIPE)
        except OSError as error:
            log.warning("a runner cannot be started now (%s)", error.strerror)
            return
        self._processes.add(process)
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(settings) + b"\n")
        with suppress(ConnectionError):
            await process.stdin.drain()
        status = await process.wait()
        self._processes.discard(process)
        self.restarts += 1
        log.warning("a runner ended with status %s; starting another", status)
