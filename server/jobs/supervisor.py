"""Keeps the runners alive, from the server's event loop."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import suppress

import msgspec

from server.jobs.runner import RunnerSettings

log = logging.getLogger(__name__)

AGAIN = 2.0
"""Seconds before a runner that ended is started again."""
STOP_TIMEOUT = 3.0


class Runners:
    """`count` processes that enroll."""

    def __init__(self, settings: RunnerSettings, count: int) -> None:
        self._settings, self._count = settings, count
        self._tasks: list[asyncio.Task[None]] = []
        self._processes: set[asyncio.subprocess.Process] = set()

    @property
    def pids(self) -> list[int]:
        """Of the processes that run now."""
        return [process.pid for process in self._processes]

    def start(self) -> None:
        """Start them; call it on the event loop."""
        self._tasks = [asyncio.create_task(self._keep_one()) for _ in range(self._count)]

    async def stop(self) -> None:
        """End them; a job that one has goes on when a server is there again. May be called twice."""
        for task in self._tasks:
            task.cancel()
        for process in list(self._processes):
            with suppress(ProcessLookupError):
                process.terminate()
        for process in list(self._processes):
            try:
                await asyncio.wait_for(process.wait(), STOP_TIMEOUT)
            except TimeoutError:
                process.kill()

    async def _keep_one(self) -> None:
        while True:
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "server.jobs.runner", stdin=asyncio.subprocess.PIPE
                )
            except OSError as error:
                log.warning("a runner cannot be started now (%s)", error.strerror)
                await asyncio.sleep(AGAIN)
                continue
            self._processes.add(process)
            try:
                assert process.stdin is not None
                process.stdin.write(msgspec.json.encode(self._settings) + b"\n")
                with suppress(ConnectionError):
                    await process.stdin.drain()
                status = await process.wait()
                log.warning("a runner ended with status %s; starting another", status)
            finally:
                if process.returncode is not None:
                    self._processes.discard(process)
            await asyncio.sleep(AGAIN)
