"""Whether a server can take joins now, and if not, why: what `/readyz` says.

The store and the disk are looked at every few seconds in a thread, so that the answer costs nothing and hangs on nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from models.errors import StorageError
from server.store.database import Database
from server.store.files import FileStore

log = logging.getLogger(__name__)

EVERY = 5.0
"""Seconds between two looks."""
HANGS = 15.0
"""Seconds after which a look that has not come back counts as a store that does not answer."""
GIGABYTE = 1_000_000_000


@dataclass(frozen=True)
class HealthProblem:
    """code: for programs. detail: one sentence for a person."""

    code: str
    detail: str


DRAINING = HealthProblem("draining", "the server is being stopped; send joins to another one, or wait until it is back")
LOADING = HealthProblem("render_loading", "the render process is not ready yet; wait")
FAILED = HealthProblem("render_failed", "the render process can never work; look at the server's log")
DATABASE = HealthProblem("database", "the database cannot be used; look at --database, its disk and its server")
FILES = HealthProblem("file_store", "the file store cannot be used; look at --storage, its disk and its server")
SILENT = HealthProblem("store_silent", "the database or the file store does not answer; look at their servers")


class Health:
    """Of one server. Lives on the event loop."""

    def __init__(
        self,
        rooms: Callable[[], HealthProblem | None],
        database: Database | None,
        files: FileStore | None,
        folder: Path | None,
        least_disk: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """rooms: why no call can start, if so. folder: whose disk needs `least_disk` gigabytes free. clock: seconds."""
        self._rooms, self._database, self._files = rooms, database, files
        self._folder, self._least, self._clock = folder, least_disk, clock
        self._found: tuple[HealthProblem, ...] = ()
        self._looked = clock()

    async def watch(self) -> None:
        """Look again and again; never returns."""
        while True:
            self._found = await asyncio.to_thread(self.look)
            self._looked = self._clock()
            await asyncio.sleep(EVERY)

    def look(self) -> tuple[HealthProblem, ...]:
        """What is wrong with store and disk. Blocks."""
        found = []
        if self._database is not None and not _works(self._database):
            found.append(DATABASE)
        try:
            if self._files is not None:
                self._files.check()
        except StorageError:
            found.append(FILES)
        if (free := self.free) is not None and free < self._least * GIGABYTE:
            sentence = f"{self._least:g} GB of free disk were expected, {free / GIGABYTE:.2g} GB are there; free some"
            found.append(HealthProblem("disk", sentence))
        return tuple(found)

    @property
    def free(self) -> int | None:
        """Free bytes of the disk; `None` where there is no folder."""
        try:
            return None if self._folder is None else shutil.disk_usage(self._folder).free
        except OSError:
            return 0

    @property
    def problems(self) -> list[HealthProblem]:
        """Why the server should get no joins; empty when all is well."""
        first = self._rooms()
        silent = self._clock() - self._looked > HANGS
        return [*([first] if first is not None else []), *([SILENT] if silent else self._found)]

    def report(self) -> tuple[int, str]:
        """HTTP status and JSON for `/readyz`: a word, and each problem with its code and a sentence."""
        problems = self.problems
        words = {DRAINING.code: "draining", LOADING.code: "loading", FAILED.code: "failed"}
        status = words.get(problems[0].code, "impaired") if problems else "ready"
        rows = [{"code": problem.code, "detail": problem.detail} for problem in problems]
        return 503 if problems else 200, json.dumps({"status": status, "problems": rows})


def _works(database: Database) -> bool:
    try:
        with database.reading() as session:
            session.execute(text("SELECT count(*) FROM alembic_version"))
    except (SQLAlchemyError, OSError) as error:
        log.warning("the database cannot be used: %s", type(error).__name__)
        return False
    return True
