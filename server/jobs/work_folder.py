"""A job's folder on the machine that works on it: photos, the avatar that grows, and the state to go on from after a kill."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Container
from contextlib import suppress
from pathlib import Path

LOCK = "lock"


class WorkFolder:
    """Held by one process: a lock that ends with the process tells others. One that a killed process left is taken over."""

    def __init__(self, root: Path, job: str) -> None:
        """root: of all folders. Raises `OSError`."""
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in sorted(root.glob(f"{job}-*")):
            lock = _locked(left)
            if lock is not None:
                self.path, self._lock = left, lock
                return
        self.path = root / f"{job}-{secrets.token_hex(4)}"
        self.path.mkdir(mode=0o700)
        lock = _locked(self.path)
        assert lock is not None
        self._lock = lock

    def remove(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)

    def leave(self) -> None:
        """Let another process go on with it."""
        os.close(self._lock)


def remove_others(root: Path, working: Container[str]) -> None:
    """Remove the folders of jobs that are not worked on any more. working: ids of jobs."""
    with suppress(OSError):
        for path in root.iterdir():
            if path.name.partition("-")[0] not in working and (lock := _locked(path)) is not None:
                shutil.rmtree(path, ignore_errors=True)
                os.close(lock)


def _locked(path: Path) -> int | None:
    try:
        lock = os.open(path / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return lock
    except OSError:
        os.close(lock)
        return None
