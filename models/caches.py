"""Where files may be kept that can be made again: the user's cache folder, or a private one where the user has none.

Containers run programs as users who have no home folder, or one that they may not write to; libraries then fail, or make a
folder that is called `~`. `prepare` tells them of another place, by the environment variables that they read.
"""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import tempfile
from functools import cache
from pathlib import Path

from models.errors import StorageError

try:
    from platformdirs import user_cache_dir
except ImportError:  # tests/gpu/acceptance.sh runs with torch and numpy alone, on Linux

    def user_cache_dir(appname: str | None = None, appauthor: str | bool | None = None) -> str:  # type: ignore[misc]
        """As platformdirs has it on Linux."""
        return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), appname or "")


NAME = "visavis"
SHARED_MEMORY = Path("/dev/shm")
NOWHERE = "/nonexistent"
"""Debian's home of users who have none; better than the folder `~` that libraries would make."""


def writable(folder: Path) -> bool:
    """Whether files can be put into `folder`, or it can be made; nothing is."""
    if not folder.is_absolute():
        return False
    try:
        while not folder.exists():
            folder = folder.parent
        return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        return False


@cache
def prepare() -> Path | None:
    """The folder for caches, which may not exist yet; None when no place can be written to.

    Where the user's own home or cache folder is of no use, HOME, XDG_CACHE_HOME and MPLCONFIGDIR are set for this process and
    those it starts. Call it before a library is imported that keeps something there (mediapipe, by way of matplotlib; diffusers).
    """
    home = os.path.expanduser("~")
    if not (os.path.isabs(home) and os.path.isdir(home)):
        private = _private()
        os.environ["HOME"] = str(private or NOWHERE)
    if os.environ.get("HOME") == NOWHERE or not writable(Path(user_cache_dir())):
        private = _private()
        if private is None:
            return None
        os.environ["XDG_CACHE_HOME"] = str(private)
        os.environ.setdefault("MPLCONFIGDIR", str(private / "matplotlib"))
        return private / NAME
    if not writable(Path(os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"))):
        os.environ.setdefault("MPLCONFIGDIR", str(Path(user_cache_dir()) / "matplotlib"))
    return Path(user_cache_dir(NAME, appauthor=False))


def folder() -> Path:
    """The folder for what Visavis keeps, made where it was missing. Raises `StorageError` when no place can be written to."""
    found = prepare()
    if found is None:
        raise StorageError(
            "a cache folder was expected, but neither the home folder nor the folder for temporary files can be written to; "
            "name one that can be in TMPDIR"
        )
    try:
        found.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"the cache folder {found} cannot be made ({error.strerror or error}); name another in XDG_CACHE_HOME"
        ) from None
    return found


@cache
def _private() -> Path | None:
    """A folder among the temporary files that nobody else can read or change: compiled code is loaded from it."""
    try:
        among = _temporary()
        own = among / f"{NAME}-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
        try:
            own.mkdir(mode=0o700)
        except FileExistsError:
            found = own.lstat()
            mine = not hasattr(os, "geteuid") or (found.st_uid == os.geteuid() and not found.st_mode & 0o077)
            if not (stat.S_ISDIR(found.st_mode) and mine and writable(own)):
                own = Path(tempfile.mkdtemp(prefix=f"{NAME}-", dir=among))  # somebody took the name
                atexit.register(shutil.rmtree, own, ignore_errors=True)
        return own
    except OSError:
        return None


def _temporary() -> Path:
    """The folder for temporary files; where there is none, shared memory. Raises `OSError` without either."""
    try:
        found = Path(tempfile.gettempdir())
        if found != Path.cwd() or os.environ.get("TMPDIR") == str(found):
            return found
    except FileNotFoundError:
        pass
    tempfile.tempdir = None  # it had taken the working folder, for want of better
    if not writable(SHARED_MEMORY):
        raise FileNotFoundError(SHARED_MEMORY)
    os.environ["TMPDIR"] = str(SHARED_MEMORY)
    return SHARED_MEMORY
