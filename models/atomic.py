"""Writing a file so that it is either there whole or not at all, and what stood there before stays until then."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from models.errors import StorageError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""The disk, the quota, or the largest file this process may write is used up."""
REFUSED = FULL | {errno.EROFS, errno.EIO}
"""What a write can fail of; another `OSError` inside the block is somebody else's and passes through."""


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """A stream to write bytes to; they become `path` when the block ends, and vanish when it raises.

    They go to a temporary file in the same folder, are forced to the disk, and take the old file's place in one step; a
    symbolic link is followed. Raises `StorageError` when the disk is full or read-only or the folder is missing.
    """
    target = Path(os.path.realpath(path))
    temporary = target.parent / f".{secrets.token_hex(8)}.tmp"
    try:
        stream = open(temporary, "xb")  # noqa: SIM115 - closed below, before it is moved
    except OSError as error:
        raise _explained(error, target) from error
    try:
        try:
            yield stream
        except OSError as error:
            if error.errno not in REFUSED:
                raise
            raise _explained(error, target) from error
        try:
            stream.flush()
            os.fsync(stream.fileno())
            stream.close()
            os.replace(temporary, target)
        except OSError as error:
            raise _explained(error, target) from error
    except BaseException:
        with suppress(OSError):
            stream.close()
        with suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Makes the new name outlive a power cut, where the system can do that for folders."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _explained(error: OSError, target: Path) -> StorageError:
    where = f"{target.name} could not be written to {target.parent}"
    if error.errno in FULL:
        return StorageError(f"{where} because no room is left there; free some space and try again")
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return StorageError(f"{where} because there is no such folder; make it or choose another")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return StorageError(f"{where} because that place is read-only for this user; choose another or change its permissions")
    return StorageError(f"{where} ({error.strerror or error}); check the disk or choose another place")
