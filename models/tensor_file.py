"""The safetensors container, for files from outside: every claim of the header is checked before it is used.

Format: 8 bytes little-endian header length, a JSON object, then the tensors' bytes without gaps
(https://huggingface.co/docs/safetensors/index#format). The safetensors library is not used for reading because it only
checks that a file is consistent, not that it is small.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

DTYPES = {"U8": "<u1", "U16": "<u2", "I32": "<i4", "F16": "<f2", "F32": "<f4"}
"""safetensors' names of the types that are read -> numpy's."""
NAMES = {np.dtype(numpy): name for name, numpy in DTYPES.items()}
LENGTH_BYTES = 8


class MalformedError(ValueError):
    """A malformed file. The message is a clause that follows "because", such as "its header is not readable JSON"."""


@dataclass(frozen=True)
class Entry:
    """One tensor of a header. start, end: bytes from the beginning of the data."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Header:
    """What a file says it holds: free text, and tensors that fill the rest of the file without gaps or overlaps."""

    metadata: dict[str, str]
    entries: dict[str, Entry]


def write(tensors: dict[str, NDArray[np.generic]], metadata: dict[str, str]) -> bytes:
    """A whole file. The same input gives the same bytes; tensors with wide numbers come first so that all are aligned."""
    order = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    start = 0
    for name in order:
        tensor = tensors[name]
        end = start + tensor.nbytes
        header[name] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
        start = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % LENGTH_BYTES)
    return b"".join([len(text).to_bytes(LENGTH_BYTES, "little"), text, *(tensors[name].tobytes() for name in order)])


def open_regular(path: Path) -> BinaryIO:
    """The file, open for reading. Raises `OSError`, also for a folder, a device, or a pipe (which could block for ever)."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(f"{path.name} is not a plain file")
    return open(path, "rb")


def format_of(path: Path, largest_header: int = 4 << 20) -> str | None:
    """What the file at `path` says its format is, whole or damaged; None when it is not a file of this kind."""
    try:
        with open_regular(path) as stream:
            length = int.from_bytes(stream.read(LENGTH_BYTES), "little")
            header = json.loads(stream.read(length)) if length <= largest_header else {}
        named = header["__metadata__"]["format"]
    except (OSError, ValueError, RecursionError, LookupError, TypeError):
        return None
    return named if isinstance(named, str) else None


def read(
    stream: BinaryIO, size: int, largest_header: int, check: Callable[[Header], None]
) -> tuple[Header, dict[str, NDArray[np.generic]]]:
    """Header and tensors of a file of `size` bytes. `check` sees the header before room is made for the tensors.

    The tensors are read-only views of one buffer. Raises `MalformedError`.
    """
    header = read_header(stream, size, largest_header)
    check(header)
    total = max((entry.end for entry in header.entries.values()), default=0)
    data = stream.read(total)
    if len(data) != total:
        raise MalformedError("it became shorter while it was read")
    tensors: dict[str, NDArray[np.generic]] = {
        name: np.frombuffer(data, DTYPES[e.dtype], math.prod(e.shape), e.start).reshape(e.shape)
        for name, e in header.entries.items()
    }
    return header, tensors


def read_header(stream: BinaryIO, size: int, largest: int) -> Header:
    """The header of a file of `size` bytes, if the tensors it describes are exactly what follows it.

    Raises `MalformedError`.
    """
    prefix = stream.read(LENGTH_BYTES)
    length = int.from_bytes(prefix, "little")
    if len(prefix) < LENGTH_BYTES or length > size - LENGTH_BYTES:
        raise MalformedError("it ends before its header does")
    if length > largest:
        raise MalformedError(f"its header takes {length} bytes where at most {largest} are allowed")
    try:
        raw = json.loads(stream.read(length).decode(), object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError):
        raise MalformedError("its header is not readable JSON") from None
    if not isinstance(raw, dict):
        raise MalformedError("its header is not a JSON object")
    metadata = raw.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise MalformedError("its metadata is not text")
    entries = {name: _entry(name, value) for name, value in raw.items()}
    position = 0
    for entry in sorted(entries.values(), key=lambda e: (e.start, e.end)):
        if entry.start != position:
            raise MalformedError("its tensors overlap or leave gaps")
        position = entry.end
    if LENGTH_BYTES + length + position != size:
        raise MalformedError(f"it has {size} bytes where its header describes {LENGTH_BYTES + length + position}")
    return Header(metadata, entries)


def _entry(name: str, value: Any) -> Entry:
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise MalformedError(f"its tensor {name[:40]!r} is not described by dtype, shape and data_offsets")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise MalformedError(f"its tensor {name[:40]!r} has an unknown dtype")
    if not _sizes(shape) or len(shape) > 4 or not _sizes(offsets) or len(offsets) != 2:
        raise MalformedError(f"its tensor {name[:40]!r} has an impossible shape or place")
    start, end = offsets
    if end - start != math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize:
        raise MalformedError(f"its tensor {name[:40]!r} takes another number of bytes than its shape says")
    return Entry(dtype, tuple(shape), start, end)


def _sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(v) is int and 0 <= v < 1 << 48 for v in value)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise MalformedError("a name appears twice")
    return out
