"""The avatars that people can take on this server: files named when it was started, and those in a folder."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from models import avatar_file
from models.errors import AvatarFileError, VisavisError

log = logging.getLogger(__name__)

SUFFIX = ".avatar"
LOOK_EVERY = 5.0
"""Seconds between two looks into the folder."""
MOST = 200
"""Avatars that are offered."""
PREVIEW = "front"


def default_folder() -> Path:
    """Where avatars are looked for when no folder is named (XDG's data home on Linux)."""
    return Path(platformdirs.user_data_dir("visavis", appauthor=False)) / "avatars"


@dataclass(frozen=True)
class CatalogEntry:
    """id: of the file's content, safe in an address. name: the file's, for people. data: the file's bytes. preview: PNG, or
    empty. version: another one for each file of an avatar that can become better."""

    id: str
    name: str
    data: bytes = field(repr=False)
    preview: bytes = field(default=b"", repr=False)
    version: str = ""


class AvatarCatalog:
    """Looks into the folder again now and then, so that who is enrolled while the server runs can come in. Every file is read and
    checked once; its bytes are kept, so that a call does not depend on the file. `refresh` blocks; call it in a thread."""

    def __init__(self, files: list[Path], folder: Path | None = None) -> None:
        self._files, self._folder = files, folder
        self._known: dict[Path, tuple[tuple[int, int], CatalogEntry | None]] = {}
        self._entries: dict[str, CatalogEntry] = {}
        self._looked = -LOOK_EVERY

    @property
    def entries(self) -> list[CatalogEntry]:
        """The avatars, those named first, then the folder's by name."""
        return list(self._entries.values())

    def get(self, identity: str) -> CatalogEntry | None:
        """The avatar of an id."""
        return self._entries.get(identity)

    async def keep_fresh(self) -> None:
        """`refresh` in a thread, when the last look was a while ago."""
        if time.monotonic() - self._looked >= LOOK_EVERY:
            await asyncio.to_thread(self.refresh)

    def refresh(self, *, strict: bool = False) -> None:
        """Look at what is there. strict: raise `AvatarFileError` for a named file that is none, instead of leaving it out."""
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY and not strict:
            return
        self._looked = now
        found: dict[str, CatalogEntry] = {}
        for path in self._paths():
            entry = self._read(path, strict=strict and path in self._files)
            if entry is not None:
                found.setdefault(entry.id, entry)
        self._entries = found

    def _paths(self) -> list[Path]:
        try:
            inside = sorted(self._folder.glob(f"*{SUFFIX}")) if self._folder is not None else []
        except OSError:
            inside = []
        return [*self._files, *inside][:MOST]

    def _read(self, path: Path, *, strict: bool) -> CatalogEntry | None:
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if path in self._known and self._known[path][0] == stamp:
                return self._known[path][1]
            data = avatar_file.read_bytes(path)
            entry = entry_of(path.stem, data)
        except OSError as error:
            if strict:
                raise AvatarFileError(
                    f"an avatar file was expected at {path}, it cannot be read ({error.strerror}); check the path"
                ) from None
            return None
        except VisavisError as error:
            if strict:
                raise
            log.warning("a file of the avatar folder is left out: %s", type(error).__name__)
            entry = None
        self._known[path] = (stamp, entry)
        return entry


def entry_of(name: str, data: bytes) -> CatalogEntry:
    """The entry of an avatar file's bytes. Raises `AvatarFileError` when they are none."""
    avatar = avatar_file.loads(data)
    preview = avatar.previews.get(PREVIEW) or next(iter(avatar.previews.values()), b"")
    return CatalogEntry(hashlib.sha256(data).hexdigest()[:16], name, data, preview)
