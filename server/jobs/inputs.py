"""A job's inputs on their way from the file store to an enrollment: photos and a clip, and pictures of what it is at on the way
back."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from models.errors import VisavisError
from server.store.files import FileStore

if TYPE_CHECKING:
    from models.avatar import Avatar

PHOTO, CLIP, PICTURE = "photo", "clip", "preview"
"""Names in a job's folder of the store: photos with their number, a clip, and the picture of what the job is at."""
PICTURE_EVERY = 10.0
"""Seconds between two pictures of an avatar that gets better; each takes a tenth of a second."""


@dataclass(frozen=True)
class Inputs:
    """Files of an enrollment."""

    photos: list[Path]
    clip: Path | None


def fetch(files: FileStore, folder: str, into: Path) -> Inputs:
    """Write a job's photos and clip into a folder of this machine. Raises `StorageError`."""
    photos, clip = [], None
    for name in files.names(folder):
        own = name.rpartition("/")[2]
        if own != CLIP and not own.startswith(PHOTO):
            continue
        path = into / own
        path.write_bytes(files.read(name))
        if own == CLIP:
            clip = path
        else:
            photos.append(path)
    return Inputs(photos, clip)


class Watch:
    """Keeps a picture of an avatar that gets better: call it with each state of it. show: called when there is a new picture."""

    def __init__(self, files: FileStore, folder: str, show: Callable[[], None]) -> None:
        self._files, self._name, self._show = files, f"{folder}/{PICTURE}", show
        self._next = 0.0

    def __call__(self, avatar: Avatar) -> None:
        if time.monotonic() < self._next:
            return
        from enrollment.report import front
        from models.heads.registry import by_name

        with suppress(VisavisError, SQLAlchemyError):  # a disk or a database that is away: the avatar matters more
            self._files.write(self._name, front(avatar, by_name(avatar.head)))
            self._show()
        self._next = time.monotonic() + PICTURE_EVERY
