"""What Prometheus reads: an HTTP listener of its own, off the public port, so that no stranger sees how busy a server is.

Labels are stages, states, routes and kinds of process, never a room, a name or a key. Reading happens in a thread; of the rooms
only counts are taken on the event loop.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

import models
from models.errors import VisavisError
from realtime.timing import BOUNDS, TOTALS
from server.operations import requests, rtp_stats
from server.store.database import Database
from server.store.tables import JOB_STATES, Job

LATE = 2.0
"""Seconds that the event loop may take to count."""


@dataclass(frozen=True)
class Counts:
    """Of a moment. rooms: kept. open_rooms: with a render process. target_bitrate: bits a second of all encoders together.
    restarts: of processes since the server began, by kind. ready, draining: as `/readyz` says."""

    rooms: int
    open_rooms: int
    people: int
    viewers: int
    target_bitrate: int
    restarts: dict[str, int]
    ready: bool
    draining: bool


class ServerCollector(Collector):
    """Of one server. Made on its event loop."""

    def __init__(self, counts: Callable[[], Counts], database: Database | None, folder: Path | None) -> None:
        """counts: called on the event loop. folder: whose disk is told."""
        self._counts, self._database, self._folder = counts, database, folder
        self._loop = asyncio.get_running_loop()

    def describe(self) -> Iterable[Metric]:
        """Nothing: the names are checked when they are read."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """See `prometheus_client`. Called in the listener's thread."""
        version = GaugeMetricFamily("visavis_build_info", "The version.", labels=["version"])
        version.add_metric([models.__version__], 1)
        yield version
        yield from self._of_rooms()
        yield from _of_stages()
        yield from self._of_jobs()
        try:
            disk = None if self._folder is None else shutil.disk_usage(self._folder)
        except OSError:
            disk = None
        if disk is not None:
            yield GaugeMetricFamily("visavis_disk_free_bytes", "Free on the state folder's disk.", disk.free)
            yield GaugeMetricFamily("visavis_disk_size_bytes", "Size of the state folder's disk.", disk.total)

    def _of_rooms(self) -> Iterable[Metric]:
        try:
            counts = asyncio.run_coroutine_threadsafe(self._count(), self._loop).result(LATE)
        except (LateError, RuntimeError):  # it is busy, or has ended
            return
        yield GaugeMetricFamily("visavis_rooms", "Rooms that are kept.", counts.rooms)
        yield GaugeMetricFamily("visavis_rooms_open", "Rooms with a render process.", counts.open_rooms)
        yield GaugeMetricFamily("visavis_people", "People with an avatar in a room.", counts.people)
        yield GaugeMetricFamily("visavis_viewers", "People who only watch.", counts.viewers)
        yield GaugeMetricFamily(
            "visavis_outbound_rtp_target_bitrate", "Bits a second of all encoders (targetBitrate).", counts.target_bitrate
        )
        yield GaugeMetricFamily("visavis_ready", "1 while /readyz says ready.", int(counts.ready))
        yield GaugeMetricFamily("visavis_draining", "1 once the server is being stopped.", int(counts.draining))
        restarts = CounterMetricFamily("visavis_process_restarts", "Processes that were started again.", labels=["process"])
        for process, count in counts.restarts.items():
            restarts.add_metric([process], count)
        yield restarts

    async def _count(self) -> Counts:
        return self._counts()

    def _of_jobs(self) -> Iterable[Metric]:
        if self._database is None:
            return
        try:
            with self._database.reading() as session:
                rows = session.execute(select(Job.state, func.count()).group_by(Job.state)).all()
        except SQLAlchemyError:
            return  # `visavis_ready` tells
        found = {row[0]: row[1] for row in rows}
        jobs = GaugeMetricFamily("visavis_jobs", "Enrollments by state.", labels=["state"])
        for state in JOB_STATES:
            jobs.add_metric([state], found.get(state, 0))
        yield jobs


def _of_stages() -> Iterable[Metric]:
    stages = HistogramMetricFamily("visavis_stage_duration_seconds", "Time that a picture takes in a stage.", labels=["stage"])
    pictures = 0
    for stage, (counts, total) in TOTALS.read().items():
        if stage == "picture":
            pictures = sum(counts)
            continue
        buckets, below = [], 0
        for bound, count in zip((*(f"{b / 1000:g}" for b in BOUNDS), "+Inf"), counts, strict=True):
            below += count
            buckets.append((bound, float(below)))
        stages.add_metric([stage], buckets, total / 1000)
    yield stages
    yield CounterMetricFamily("visavis_pictures", "Pictures handed to encoders.", pictures)


class MetricsListener:
    """Answers `/metrics` at an address of its own until `close`."""

    def __init__(self, address: str, collector: Collector) -> None:
        """address: host and port. Raises `VisavisError` when it cannot be had."""
        registry = CollectorRegistry()
        for source in (collector, rtp_stats.REGISTRY, requests.REGISTRY):
            registry.register(source)
        ProcessCollector(registry=registry)
        host, _, port = address.rpartition(":")
        try:
            self._server, self._thread = start_http_server(int(port), host.strip("[]"), registry)
        except OSError as error:
            raise VisavisError(
                f"cannot listen on {address} for metrics ({error.strerror or error}); choose another --metrics"
            ) from error
        self.port: int = self._server.server_address[1]

    def close(self) -> None:
        """Stop answering. Blocks for a moment."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
