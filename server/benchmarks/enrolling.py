"""Enrollments without end, for a measurement of what they take away from a call."""

from __future__ import annotations

import asyncio
import io
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import func, select

from models.errors import VisavisError
from server.call.config import ServerConfig
from server.service import runner_settings
from server.store.cleaning import PHOTOS
from server.store.database import Database
from server.store.files import FileStore
from server.store.tables import Consent, Job, Person, StoredAvatar, new_id

WAITING = 2
"""Jobs that wait, so that a runner always has one."""
LOOK = 0.5
BEGIN_TIMEOUT = 120.0


class Enrollments:
    """Jobs in the queue of a server that runs; its own runners work at them, as in production."""

    def __init__(self, config: ServerConfig, photo: NDArray[np.uint8]) -> None:
        """config: with a state folder. photo: (H, W, 3) RGB. Blocks."""
        settings = runner_settings(config)
        self._database, self._files = Database(settings.database), FileStore(settings.files, settings.key)
        out = io.BytesIO()
        Image.fromarray(photo).save(out, "JPEG", quality=95)
        self._photo = out.getvalue()
        with self._database.session() as session:
            person = Person(login="bench", name="Bench", role="member")
            session.add(person)
            session.flush()
            self._person = person.id

    async def __aenter__(self) -> Enrollments:
        """Once a runner is at work."""
        self._keeping = asyncio.create_task(self._keep())
        for _ in range(int(BEGIN_TIMEOUT / LOOK)):
            if await asyncio.to_thread(self._count, "running"):
                return self
            await asyncio.sleep(LOOK)
        raise VisavisError(f"an enrollment was expected to begin within {BEGIN_TIMEOUT:.0f} s; look at the log")

    async def __aexit__(self, *_: object) -> None:
        self._keeping.cancel()
        with suppress(asyncio.CancelledError):
            await self._keeping
        await asyncio.to_thread(self._database.close)

    async def done(self) -> int:
        """How many enrollments are done."""
        return await asyncio.to_thread(self._count, "done")

    async def _keep(self) -> None:
        while True:
            await asyncio.to_thread(self._fill)
            await asyncio.sleep(LOOK)

    def _count(self, state: str) -> int:
        with self._database.reading() as session:
            return int(session.scalar(select(func.count()).select_from(Job).where(Job.state == state)) or 0)

    def _fill(self) -> None:
        for _ in range(WAITING - self._count("waiting")):
            job = Job(owner_id=self._person, quality="instant", folder=f"{PHOTOS}{new_id()}")
            self._files.write(f"{job.folder}/photo0", self._photo)
            with self._database.session() as session:
                avatar = StoredAvatar(owner_id=self._person, name="Bench")
                session.add(avatar)
                session.flush()
                job.avatar_id = avatar.id
                consent = Consent(avatar_id=avatar.id, subject="Bench", recorded_by=self._person, text="bench", photo_sha256=[])
                session.add_all([consent, job])
