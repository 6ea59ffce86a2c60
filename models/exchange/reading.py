"""Files of other systems, opened with suspicion and refused in one sentence."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from models.errors import AvatarFileError
from models.tensor_file import MalformedError, open_regular

MAX_DIRECTORY_BYTES = 64 << 20
"""A million files or so."""
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""The date of all zip members that are written, so that the same avatar gives the same bytes."""


@contextmanager
def explained(path: Path, advice: str) -> Iterator[None]:
    """Turns what is wrong with the file at `path` into one `AvatarFileError`. advice: what to do, without a full stop."""
    try:
        yield
    except MalformedError as error:
        raise AvatarFileError(f"{path.name} cannot be used because {error}; {advice}") from None
    except OSError as error:
        raise AvatarFileError(
            f"a file was expected at {path} but it cannot be read ({error.strerror or error}); check the path"
        ) from None


def read_file(path: Path, largest: int) -> bytes:
    """The bytes of a plain file. Raises `OSError`, or `MalformedError` when it has more than `largest` bytes."""
    with open_regular(path) as stream:
        data = stream.read(largest + 1)
    if len(data) > largest:
        raise MalformedError(f"it has more than the {largest} bytes that are allowed")
    return data


def zip_names(source: bytes | BinaryIO) -> list[str]:
    """The paths of all files in a zip. Raises `MalformedError`."""
    with _archive(source) as archive:
        return [info.filename for info in archive.infolist() if not info.is_dir()]


def zip_members(source: bytes | BinaryIO, limits: dict[str, int], folder: str | None = None) -> dict[str, bytes]:
    """The files of `limits` (name -> largest size) that a zip holds in a folder ("" for none), or in whatever folder they are.

    Only these are unpacked, into memory. Raises `MalformedError`.
    """
    out: dict[str, bytes] = {}
    with _archive(source) as archive:
        for info in archive.infolist():
            place, _, name = info.filename.rpartition("/")
            if name not in limits or folder not in (None, place):
                continue
            if name in out:
                raise MalformedError(f"it holds {name} twice")
            if info.file_size > limits[name]:
                raise MalformedError(f"{name} in it has more than the {limits[name]} bytes that are allowed")
            with archive.open(info) as stream:
                out[name] = stream.read(limits[name] + 1)
            if len(out[name]) != info.file_size:
                raise MalformedError(f"{name} in it is not as long as it says")
    return out


@contextmanager
def _archive(source: bytes | BinaryIO) -> Iterator[zipfile.ZipFile]:
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        if _directory_bytes(stream) > MAX_DIRECTORY_BYTES:
            raise MalformedError(f"its list of files has more than the {MAX_DIRECTORY_BYTES} bytes that are allowed")
        with zipfile.ZipFile(stream) as archive:
            yield archive
    except MalformedError:
        raise
    except (  # what `zipfile` and `zlib` raise for damaged, encrypted or exotic archives
        zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError, LookupError, OverflowError,
        zlib.error, struct.error,
    ) as error:  # fmt: skip
        raise MalformedError(f"it is not a readable zip ({' '.join(str(error).split())[:80]})") from None


def _directory_bytes(stream: BinaryIO) -> int:
    """How long a zip says that its list of files is, which `zipfile` reads at once (APPNOTE 6.3.10, 4.3.14 and 4.3.16)."""
    end = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, end - (1 << 16) - 128))
    tail = stream.read()
    stream.seek(0)
    found = [
        int.from_bytes(tail[at + skip : at + skip + width], "little")
        for mark, skip, width in ((b"PK\5\6", 12, 4), (b"PK\6\6", 40, 8))
        if (at := tail.rfind(mark)) >= 0
    ]
    return max((size for size in found if size != 0xFFFFFFFF), default=0)


def zip_of(members: dict[str, bytes], folder: str = "") -> bytes:
    """A zip of the members, in a folder that has an entry of its own when `folder` is given."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        if folder:
            archive.writestr(zipfile.ZipInfo(f"{folder}/", ZIP_TIME), b"")
        for name, data in members.items():
            info = zipfile.ZipInfo(f"{folder}/{name}" if folder else name, ZIP_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
    return out.getvalue()
