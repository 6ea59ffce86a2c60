"""Files of other systems, opened with suspicion and refused in one sentence."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.errors import AvatarFileError
from models.tensor_file import MalformedError, open_regular

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


def zip_members(data: bytes, wanted: dict[str, int]) -> dict[str, bytes]:
    """The wanted files (name -> largest size) that a zip holds, in whatever folder they are. Raises `MalformedError`."""
    out: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                name = info.filename.rpartition("/")[2]
                if name not in wanted:
                    continue
                if name in out:
                    raise MalformedError(f"it holds {name} twice")
                if info.file_size > wanted[name]:
                    raise MalformedError(f"{name} in it has more than the {wanted[name]} bytes that are allowed")
                with archive.open(info) as stream:
                    out[name] = stream.read(wanted[name] + 1)
                if len(out[name]) != info.file_size:
                    raise MalformedError(f"{name} in it is not as long as it says")
    except MalformedError:
        raise
    except (  # what `zipfile` and `zlib` raise for damaged, encrypted or exotic archives
        zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError, LookupError, OverflowError,
        zlib.error, struct.error,
    ) as error:  # fmt: skip
        raise MalformedError(f"it is not a readable zip ({' '.join(str(error).split())[:80]})") from None
    return out


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
