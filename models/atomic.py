"""Writing a file or a folder so that it is either there whole or not at all, and what stood there before stays until then.

Only regular files are ever replaced. What goes to a pipe or a character device is collected first and then written to it.
"""

from __future__ import annotations

import atexit
import errno
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from models.errors import StorageError
from models.stopping import postponed

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""The disk, the quota, or the largest file this process may write is used up."""
REFUSED = FULL | {errno.EROFS, errno.EIO}
"""What a write can fail of; another `OSError` inside the block is somebody else's and passes through."""
TEMPORARY = re.compile(r"\.visavis-[0-9a-f]{16}\.tmp")
"""Names of what grows until it gets its own name."""
STALE = 86_400.0
"""Seconds after its last change when such a file belongs to a program that was killed."""

_growing: set[Path] = set()


@contextmanager
def atomic_write(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """A stream to write bytes to; they become `path` when the block ends, and vanish when it raises.

    They go to a temporary file in the same folder, are forced to the disk (not where many small files are written: durable
    False), and take the old file's place and permissions in one step; a symbolic link is followed. A pipe or a character device
    gets the bytes when the block ends. Raises `StorageError` when the disk is full or read-only, the folder is missing, nobody
    reads from the pipe, or what stands there is no file; `BrokenPipeError` when its reader goes away.
    """
    target = Path(os.path.realpath(path))
    try:
        old = found(path)
    except OSError as error:
        raise explained(error, target) from error
    if old is not None and is_stream(old):
        with _to_stream(path) as collected:
            yield collected
        return
    if old is not None and not stat.S_ISREG(old.st_mode):
        raise StorageError(f"a file was expected to be written to, but {path} is {what_is(old)}; choose another name")
    with _growing_in(target.parent) as temporary, ExitStack() as stack:
        with _explaining(target, all_of_them=True):
            stream = temporary.open("xb")
            stack.callback(_close_anyhow, stream)
        with _explaining(target):
            yield stream
        with _explaining(target, all_of_them=True):
            stream.flush()
            if old is not None:
                os.chmod(temporary, stat.S_IMODE(old.st_mode))
            if durable:
                os.fsync(stream.fileno())
            stream.close()
            os.replace(temporary, target)
    if durable:
        _sync_folder(target.parent)


@contextmanager
def atomic_folder(path: Path, ours: Callable[[Path], bool]) -> Iterator[Path]:
    """A folder to put files into; they are the contents of `path` when the block ends, and vanish when it raises.

    ours: whether an entry of an older folder at `path` may be taken out for them. Raises `StorageError` as `atomic_write` does,
    and for a folder that holds anything else.
    """
    path = Path(os.path.realpath(path))
    with _explaining(path, all_of_them=True):
        old = found(path)
    if old is not None and not stat.S_ISDIR(old.st_mode):
        raise StorageError(f"a folder was expected to be written to, but {path} is {what_is(old)}; choose another name")
    foreign = next((p.name for p in _contents(path) if not ours(p)), None) if old else None
    if foreign is not None:
        raise StorageError(
            f"a new or empty folder was expected, but {path} holds other things, such as {foreign}; choose another folder"
        )
    with _growing_in(path if old else path.parent) as temporary:  # what is mounted at `path` cannot be renamed
        with _explaining(path, all_of_them=True):
            temporary.mkdir()
        with _explaining(path):
            yield temporary
        with _explaining(path, all_of_them=True), postponed():
            if old is None:
                temporary.rename(path)
            else:
                _change_contents(temporary, path, ours)


def found(path: Path) -> os.stat_result | None:
    """What is at `path`, links followed; None when nothing is. Raises `OSError` when that cannot be known."""
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def is_stream(there: os.stat_result) -> bool:
    """Whether bytes can be poured into it: a pipe, or a character device such as a terminal."""
    return stat.S_ISFIFO(there.st_mode) or stat.S_ISCHR(there.st_mode)


def what_is(there: os.stat_result) -> str:
    """In words, with the article."""
    kinds = {
        stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFBLK: "a disk",
        stat.S_IFCHR: "a device", stat.S_IFREG: "a file",
    }  # fmt: skip
    return kinds.get(stat.S_IFMT(there.st_mode), "something else")


def remove_stale(folder: Path) -> None:
    """Remove what killed runs of this user left in a folder a day ago or earlier."""
    with suppress(OSError):
        for entry in folder.iterdir():
            if not TEMPORARY.fullmatch(entry.name):
                continue
            there = entry.lstat()
            if time.time() - there.st_mtime < STALE or (hasattr(os, "getuid") and there.st_uid != os.getuid()):
                continue
            if stat.S_ISDIR(there.st_mode):
                shutil.rmtree(entry, ignore_errors=True)
            elif stat.S_ISREG(there.st_mode):
                entry.unlink()


def explained(error: OSError, target: Path) -> StorageError:
    """Why nothing can be written to `target`, in one sentence."""
    where = f"{target.name} could not be written to {target.parent}"
    if error.errno in FULL:
        return StorageError(f"{where} because no room is left there; free some space and try again")
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return StorageError(f"{where} because there is no such folder; make it or choose another")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return StorageError(f"{where} because that place is read-only for this user; choose another or change its permissions")
    if error.errno == errno.ENAMETOOLONG:
        return StorageError(f"{where} because that name is too long; choose a shorter one")
    return StorageError(f"{where} ({error.strerror or error}); check the disk or choose another place")


@contextmanager
def _explaining(target: Path, *, all_of_them: bool = False) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.EPIPE or not (all_of_them or error.errno in REFUSED):
            raise
        raise explained(error, target) from error


@contextmanager
def _growing_in(folder: Path) -> Iterator[Path]:
    """A name for something that is not whole yet; what still has it at the end is removed, at the latest with the program's."""
    name = folder / f".visavis-{secrets.token_hex(8)}.tmp"
    _growing.add(name)
    try:
        yield name
    finally:
        _remove(name)
        _growing.discard(name)


@atexit.register
def _sweep() -> None:
    """What a signal in the wrong moment has left."""
    for path in list(_growing):
        _remove(path)


def _remove(path: Path) -> None:
    with suppress(OSError):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _close_anyhow(stream: BinaryIO) -> None:
    with suppress(OSError):
        stream.close()


@contextmanager
def _to_stream(path: Path) -> Iterator[BinaryIO]:
    try:
        collected = tempfile.NamedTemporaryFile(prefix="visavis-")  # noqa: SIM115 - closed below
    except OSError as error:
        raise explained(error, path) from error
    with collected:
        with _explaining(path):
            yield cast(BinaryIO, collected)
        collected.seek(0)
        with _explaining(path, all_of_them=True):
            try:
                descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                raise StorageError(
                    f"a program that reads from the pipe {path} was expected, there is none; start it first"
                ) from None
            os.set_blocking(descriptor, True)
            with open(descriptor, "wb") as stream:
                shutil.copyfileobj(collected, stream, 1 << 20)


def _contents(folder: Path) -> list[Path]:
    """Without what other runs are just writing."""
    return [p for p in folder.iterdir() if not TEMPORARY.fullmatch(p.name)]


def _change_contents(new: Path, path: Path, ours: Callable[[Path], bool]) -> None:
    """What is in `new` takes the place of what is ours in `path`; all is put back when that fails."""
    out, old = new / "old", [p for p in _contents(path) if ours(p)]
    moves = [(entry, out / entry.name) for entry in old] + [(entry, path / entry.name) for entry in sorted(new.iterdir())]
    out.mkdir()
    done: list[tuple[Path, Path]] = []
    try:
        for source, goal in moves:
            if os.path.lexists(goal):
                raise StorageError(
                    f"{goal} has appeared there meanwhile and is not Visavis' own; move it or choose another folder"
                )
            source.rename(goal)
            done.append((source, goal))
    except BaseException:
        for source, goal in reversed(done):
            goal.rename(source)
        raise


def _sync_folder(folder: Path) -> None:
    """Makes the new name outlive a power cut, where the system can do that for folders."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
