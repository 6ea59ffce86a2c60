"""The secrets in the addresses of a server's rooms, kept so that links that were given away go on working after a restart.

One small JSON file for each port, in a folder that only its owner can open. What cannot be read or kept never stops the server:
it gets new links and says so.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from models.atomic import atomic_write
from models.errors import StorageError
from server.call.rules import RoomKeys

MAX_FILE = 256 * 1024
"""Bytes; a room takes less than 400."""
_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")


@dataclass(frozen=True)
class Links:
    """rooms: the keys of each room, the first made first. note: a sentence for the operator; may be empty. path: the file, `None`
    where nothing can be kept. makers: for the host's key of a room that another room's host has made, that host's key."""

    rooms: tuple[RoomKeys, ...]
    note: str = ""
    path: Path | None = None
    makers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def write(self, rooms: tuple[RoomKeys, ...], makers: Mapping[str, str] | None = None) -> None:
        """Keep these instead. Raises `StorageError`, `OSError`; does nothing where nothing can be kept."""
        if self.path is not None:
            _write(self.path, rooms, replace=True, makers=makers)


def state_folder() -> Path:
    """Where a user's programs keep what must outlive them (XDG's state home on Linux); not absolute for one without a home."""
    return Path(platformdirs.user_state_dir("visavis", appauthor=False))


def keep(folder: Path, port: int, *, renew: bool = False) -> Links:
    """The links of the server on this port: those kept in `folder`, or those of one new room, which are kept. Never raises.

    renew: make new ones in any case. Of two servers that start at once, both get the links of the first.
    """
    path = folder / f"rooms-{port}.json"
    made = (RoomKeys.new(),)
    if str(folder).startswith("~"):  # nobody's home
        return Links(made, "The links are for this run only: there is no home folder; name one with --state.")
    note = ""
    if not renew:
        try:
            return _read(path)
        except FileNotFoundError:
            pass
        except (OSError, ValueError, RecursionError):
            note = _put_aside(path)
    try:
        _make_folder(folder)
        if _write(path, made, replace=renew):
            return Links(made, note, path)
        return _read(path)
    except (OSError, ValueError, RecursionError, StorageError):
        note = f"The links are for this run only, because {folder} cannot be written; choose another folder with --state."
        return Links(made, note)


def _read(path: Path) -> Links:
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("no file")
    with open(path, "rb") as stream:
        data = json.loads(stream.read(MAX_FILE))
        with suppress(OSError):
            os.fchmod(stream.fileno(), 0o600)
    entries = data["rooms"] if isinstance(data, dict) and isinstance(data.get("rooms"), list) else []
    rooms = tuple(map(_keys, entries))
    if not rooms or len({key for room in rooms for key in asdict(room).values()}) != 3 * len(rooms):
        raise ValueError("no rooms with three keys each in the file")
    makers = {
        keys.host: maker for keys, entry in zip(rooms, entries, strict=True) if isinstance(maker := entry.get("maker"), str)
    }
    return Links(rooms, path=path, makers=makers)


def _keys(entry: Any) -> RoomKeys:
    found = [entry.get(name) for name in ("host", "person", "viewer")] if isinstance(entry, dict) else []
    good = [key for key in found if isinstance(key, str) and _KEY.fullmatch(key)]
    if len(good) != 3:
        raise ValueError("no three keys of a room")
    return RoomKeys(*good)


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)


def _write(path: Path, rooms: tuple[RoomKeys, ...], replace: bool, makers: Mapping[str, str] | None = None) -> bool:
    """Whether the links were written; without `replace` not when another server was first."""
    made = {host: {"maker": maker} for host, maker in (makers or {}).items()}
    content = json.dumps({"rooms": [asdict(room) | made.get(room.host, {}) for room in rooms]}).encode()
    if replace:
        with atomic_write(path) as stream:
            os.fchmod(stream.fileno(), 0o600)
            stream.write(content)
        return True
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.link(temporary, path)  # fails where a file already stands, which `os.replace` does not
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _put_aside(path: Path) -> str:
    aside = path.with_suffix(".damaged")
    try:
        os.replace(path, aside)
    except OSError:
        return "The kept links cannot be read: new ones were made."
    return f"The kept links cannot be read: new ones were made, and the old file is now {aside}."
