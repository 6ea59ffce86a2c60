"""The optimiser's state on the disk: safetensors, written whole or not at all, read back only for the very same task."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models import tensor_file
from models.atomic import atomic_write
from models.tensor_file import Header, MalformedError

FORMAT, VERSION = "visavis-reconstruction", "1"
MAX_BYTES, MAX_HEADER_BYTES = 4 << 30, 4 << 20


def fingerprint(*parts: Any) -> str:
    """A hash of arrays, tensors and anything with a plain `repr`; equal tasks have equal ones."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Tensor):
            part = part.detach().numpy()
        digest.update(np.ascontiguousarray(part).tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return digest.hexdigest()


def save(path: Path, task: str, numbers: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Write the state of `task` (a fingerprint): plain numbers and tensors. Raises `StorageError` when the disk refuses."""
    arrays = {name: np.ascontiguousarray(_plain(tensor)) for name, tensor in tensors.items()}
    metadata = {"format": FORMAT, "version": VERSION, "task": task, "numbers": json.dumps(numbers)}
    data = tensor_file.write(arrays, metadata)
    with atomic_write(path) as stream:
        stream.write(data)


def is_one(path: Path) -> bool:
    """Whether `path` is such a file, of whatever version, whole or damaged."""
    return tensor_file.format_of(path, MAX_HEADER_BYTES) == FORMAT


def load(path: Path, task: str) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """What `save` wrote for this task; None when there is nothing, when it is damaged, or when it belongs to another task."""

    def check(header: Header) -> None:
        meta = header.metadata
        if (meta.get("format"), meta.get("version"), meta.get("task")) != (FORMAT, VERSION, task):
            raise MalformedError("it belongs to another run")

    try:
        with tensor_file.open_regular(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > MAX_BYTES:
                return None
            header, arrays = tensor_file.read(stream, size, MAX_HEADER_BYTES, check)
        numbers = json.loads(header.metadata["numbers"])
    except (OSError, ValueError):
        return None
    return numbers, {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}


def _plain(tensor: Tensor) -> np.ndarray:
    """float32, or int32 for whole numbers: what `tensor_file` knows."""
    array = tensor.detach().numpy()
    return array.astype(np.float32 if np.issubdtype(array.dtype, np.floating) else np.int32)
