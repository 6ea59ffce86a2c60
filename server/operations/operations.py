"""Puts together what an operator needs of one running server: health, metrics, and stopping in good order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress

from server.api.service import Service
from server.call.config import ServerConfig
from server.call.rooms import Rooms
from server.jobs.supervisor import Runners
from server.operations.draining import Drain
from server.operations.health import DRAINING, FAILED, LOADING, Health, HealthProblem
from server.operations.metrics import Counts, MetricsListener, ServerCollector


class Operations:
    """Of one server. Made on its event loop."""

    def __init__(
        self, config: ServerConfig, rooms: Rooms, service: Service | None, runners: Runners | None, stop: Callable[[], None]
    ) -> None:
        """stop: ends the server."""
        self._rooms, self._runners = rooms, runners
        self._database = None if service is None else service.database
        files = None if service is None else service.files
        self._config = config
        self.health = Health(self._of_rooms, self._database, files, config.state, config.least_disk)
        self._drain = Drain(config.drain_time, rooms, stop, self._release)
        self._watching: asyncio.Task[None] | None = None
        self._listener: MetricsListener | None = None

    def start(self) -> None:
        """Begin to look, and to answer Prometheus. Raises `VisavisError` when the address for that cannot be had."""
        if self._config.metrics:
            collector = ServerCollector(self._counts, self._database, self._config.state)
            self._listener = MetricsListener(self._config.metrics, collector)
        self._watching = asyncio.create_task(self.health.watch())

    async def close(self) -> None:
        """End all that. May be called twice."""
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        listener, self._listener = self._listener, None
        if listener is not None:
            await asyncio.to_thread(listener.close)

    @property
    def metrics_port(self) -> int | None:
        """Where the metrics are, if anywhere."""
        return None if self._listener is None else self._listener.port

    def drains(self, number: int) -> bool:
        """Whether the server goes on for a while after this signal; called by its handler."""
        return number == signal.SIGTERM and self._drain.begin()

    async def _release(self) -> None:
        if self._runners is not None:
            await self._runners.stop()

    def _of_rooms(self) -> HealthProblem | None:
        if self._drain.has_begun:
            return DRAINING
        if self._rooms.ready:
            return None
        return FAILED if self._rooms.failure else LOADING

    def _counts(self) -> Counts:
        rooms, runners = self._rooms, self._runners
        return Counts(
            rooms=len(rooms.kept),
            open_rooms=len(rooms.open),
            people=sum(room.people for room in rooms.open),
            viewers=sum(room.viewers for room in rooms.open),
            target_bitrate=sum(room.target_bitrate for room in rooms.open),
            restarts={"render": rooms.restarts, "enrollment": 0 if runners is None else runners.restarts},
            ready=not self.health.problems,
            draining=self._drain.has_begun,
        )
