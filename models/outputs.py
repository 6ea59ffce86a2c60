"""Checks of the output path of a command before its work begins, so that no file is lost and no work is done in vain.

The rules of every command:

- An output that is an input, by whatever name, is refused.
- An existing file is replaced only if Visavis wrote it (`Kind.ours`), or if it is empty.
- Only regular files are replaced. A single file may also go to a pipe or a character device.
- The folder must exist, be writable, and have room for the expected size.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from models import avatar_file, png
from models.atomic import TEMPORARY, explained, found, is_stream, remove_stale, what_is
from models.errors import StorageError
from models.exchange import ours

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Kind:
    """A kind of file. name: with its article. ending: of its file name; a known ending of another kind is refused.
    ours: whether the file at a path is one that Visavis may replace. room: bytes that one usually takes."""

    name: str
    ending: str
    ours: Callable[[Path], bool]
    room: int = MEGABYTE


AVATAR = Kind("an avatar file", ".avatar", avatar_file.is_one, 8 * MEGABYTE)
PICTURE = Kind("a PNG picture", ".png", png.is_ours, 4 * MEGABYTE)

EXPORTS = {
    "ply": Kind("a PLY file", ".ply", ours.is_ply, 16 * MEGABYTE),
    "spz": Kind("an SPZ file", ".spz", ours.is_spz, 4 * MEGABYTE),
    "gaussian-avatars": Kind("a zip", ".zip", ours.is_zip, 16 * MEGABYTE),
    "lam": Kind("a zip", ".zip", ours.is_zip, 16 * MEGABYTE),
    "web": Kind("a web avatar", ".webavatar", ours.is_web_avatar, 4 * MEGABYTE),
}
PHOTOS = ("png", "jpg", "jpeg", "webp", "heic", "heif", "avif", "tif", "tiff", "bmp", "gif")
CLIPS = ("mp4", "mov", "mkv", "webm", "avi", "m4v")
DATA = ("ply", "spz", "zip", "npz", "npy", "safetensors", "onnx", "json", "jsonl", "toml", "txt", "pdf", "avatar", "webavatar")
OTHERS = frozenset(f".{ending}" for ending in (*PHOTOS, *CLIPS, *DATA))
"""Known endings of file names; a file of another kind may not have one of them."""


def check(path: Path, kind: Kind, *, inputs: Iterable[Path | None] = (), room: int | None = None, stream: bool = True) -> None:
    """Whether a file of this kind can be written to `path`; nothing is left there. Raises `StorageError` when it cannot.

    inputs: files and folders that the work reads. room: bytes expected. stream: whether a pipe or a device will do too.
    """
    there = _found(path)
    refuse_inputs(path, inputs)
    ending = path.suffix.lower()
    if ending in OTHERS and ending != kind.ending:
        raise StorageError(f"{kind.name} was expected to be written, {path.name} is named like another kind of file; "
                           f"let its name end in {kind.ending}")  # fmt: skip
    if there is not None and is_stream(there) and stream:
        return
    if there is not None and not stat.S_ISREG(there.st_mode):
        raise StorageError(f"a name for {kind.name} was expected, but {path} is {what_is(there)}; choose another")
    if there is not None:
        if there.st_size and not kind.ours(path):
            raise StorageError(
                f"{path} is there already and is not {kind.name} that Visavis wrote; move it away or choose another name"
            )
        _refuse_protected(path)
    _try(Path(os.path.realpath(path)).parent, path, kind.room if room is None else room)


def check_sheet(path: Path | None, *, inputs: Iterable[Path | None] = ()) -> None:
    """`check` for a picture that was asked for with an option, or was not."""
    if path is not None:
        check(path, PICTURE, inputs=inputs)


def check_folder(
    path: Path,
    what: str,
    ours: Callable[[Path], bool],
    *,
    inputs: Iterable[Path | None] = (),
    room: int = MEGABYTE,
    parents: bool = False,
    shared: bool = False,
) -> None:
    """Whether a folder of files can be written to `path`. what: these files, in words. Raises `StorageError` when it cannot.

    ours: whether an entry that is there already may be replaced. shared: entries are asked about only where they are in the
    way, and others may lie beside them. parents: whether folders above it are made too.
    """
    there = _found(path)
    refuse_inputs(path, inputs)
    if there is not None and not stat.S_ISDIR(there.st_mode):
        raise StorageError(f"a folder for {what} was expected, but {path} is {what_is(there)}; choose another name")
    if there is None:
        above = Path(os.path.realpath(path)).parent
        while parents and not above.exists():
            above = above.parent
        _try(above, path, room)
        return
    for entry in path.iterdir():
        if not TEMPORARY.fullmatch(entry.name) and not ours(entry):
            raise StorageError(
                f"a new or empty folder was expected for {what}, but {path} holds other things, such as {entry.name}; "
                + ("move that away or choose another folder" if shared else "choose another folder")
            )
    _try(path, path, room)


def _found(path: Path) -> os.stat_result | None:
    first = path.parts[0] if path.parts else ""
    if first.startswith("~") and (len(path.parts) > 1 or first == "~") and not os.path.exists(first):
        raise StorageError(f"{path} begins with {first}, which the shell has not replaced by a home folder; write it out in full")
    try:
        return found(path)
    except OSError as error:
        raise explained(error, Path(os.path.abspath(path))) from None


def refuse_inputs(path: Path, inputs: Iterable[Path | None]) -> None:
    """Raises `StorageError` when `path` is one of the inputs, by whatever name."""
    for source in inputs:
        if source is not None and source.exists() and path.exists() and source.samefile(path):
            raise StorageError(f"another file than the input {source} was expected to write to; choose another name than {path}")


def _refuse_protected(path: Path) -> None:
    """A file that its owner has made read-only, or of somebody else in a folder such as /tmp."""
    try:
        os.close(os.open(path, os.O_WRONLY))
        folder, there = os.stat(Path(os.path.realpath(path)).parent), os.stat(path)
        if folder.st_mode & stat.S_ISVTX and hasattr(os, "getuid") and os.getuid() not in (0, folder.st_uid, there.st_uid):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
    except OSError as error:
        raise explained(error, Path(os.path.abspath(path))) from None


def _try(folder: Path, path: Path, room: int) -> None:
    """Put a file into the folder and take it away again: the one way to know that it goes."""
    remove_stale(folder)
    trial = folder / f".visavis-{secrets.token_hex(8)}.tmp"
    try:
        try:
            trial.touch(exist_ok=False)
        finally:
            trial.unlink(missing_ok=True)
        disk = shutil.disk_usage(folder)
    except OSError as error:
        raise explained(error, Path(os.path.abspath(path))) from None
    if disk.free < room and disk.total:
        raise StorageError(
            f"about {room / MEGABYTE:.0f} MB were expected to be free for {path}, there are {disk.free / MEGABYTE:.0f}; "
            "free some space or choose another place"
        )
