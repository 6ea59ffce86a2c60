"""A head model as one small safetensors file, so that nothing needs the package it was baked from.

Directions are stored sparse and in half precision: most of them move only a few hundred vertices.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import arkit, tensor_file
from models.atomic import atomic_write
from models.errors import HeadModelError
from models.heads.base import JOINTS, LANDMARKS, REGIONS, HeadModel
from models.tensor_file import Header, MalformedError
from models.types import Array

FORMAT = "visavis-head-1"
SMALLEST = 2e-5
"""Metres; a displacement under this is dropped."""
MAX_BYTES = 64 << 20
MAX_HEADER_BYTES = 64 << 10
MAX_DENSE = 1 << 26
"""Directions times vertices."""
DENSE = {
    "template": "F32", "faces": "I32", "region": "U8", "uv": "F32", "face_uv": "I32", "joints": "F32", "joints_basis": "F32",
    "weights": "F32", "landmark_face": "I32", "landmark_barycentric": "F32", "landmark_weight": "F32", "gaze_range": "F32",
}  # fmt: skip
BASES = ("identity_basis", "expression_basis")
TYPES = DENSE | {f"{b}.{part}": t for b in BASES for part, t in (("start", "I32"), ("vertex", "U16"), ("value", "F16"))}


def save(head: HeadModel, path: Path) -> None:
    """Write `head` to `path`, whole or not at all. Raises `StorageError` when the disk refuses."""
    tensors: dict[str, NDArray[Any]] = {k: np.ascontiguousarray(getattr(head, k)) for k in DENSE}
    for name in BASES:
        basis = getattr(head, name)
        keep = np.abs(basis).max(axis=2) > SMALLEST
        tensors[f"{name}.start"] = np.concatenate([[0], np.cumsum(keep.sum(axis=1))]).astype(np.int32)
        tensors[f"{name}.vertex"] = np.nonzero(keep)[1].astype(np.uint16)
        tensors[f"{name}.value"] = basis[keep].astype(np.float16)
    data = tensor_file.write(tensors, {"format": FORMAT, "name": json.dumps(head.name)})
    with atomic_write(path) as stream:
        stream.write(data)


def load(path: Path) -> HeadModel:
    """Read a head model. Raises `HeadModelError` when the file is missing, too large, or not one of ours."""
    if not path.is_file():
        raise HeadModelError(f"a head asset was expected at {path}, which does not exist; run `python -m models.heads.bake`")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise HeadModelError(f"{path.name} is larger than the {MAX_BYTES >> 20} MB a head asset may have; bake it again")
    try:
        with tensor_file.open_regular(path) as stream:
            header, views = tensor_file.read(stream, size, MAX_HEADER_BYTES, _check_header)
        t: dict[str, Any] = {name: view.copy() for name, view in views.items()}
        bases: dict[str, Any] = {name: _dense(t, name, len(t["template"])) for name in BASES}
        head = HeadModel(name=json.loads(header.metadata["name"]), **{k: t[k] for k in DENSE}, **bases)
        check(head)
    except (OSError, KeyError, ValueError, IndexError) as error:
        raise HeadModelError(f"{path.name} is damaged ({error}); bake it again") from None
    return head


def check(head: HeadModel) -> None:
    """Raises `MalformedError` (a `ValueError`) unless all arrays have the shapes and ranges that `HeadModel` documents."""
    v, f, k, t = head.vertex_count, len(head.faces), head.identity_count, len(head.uv)
    shapes = {
        "template": (v, 3), "faces": (f, 3), "region": (f,), "uv": (t, 2), "face_uv": (f, 3),
        "identity_basis": (k, v, 3), "expression_basis": (arkit.COUNT, v, 3), "joints": (len(JOINTS), 3),
        "joints_basis": (k, len(JOINTS), 3), "weights": (v, len(JOINTS)), "landmark_face": (LANDMARKS,),
        "landmark_barycentric": (LANDMARKS, 3), "landmark_weight": (LANDMARKS,), "gaze_range": (4,),
    }  # fmt: skip
    below = {"faces": v, "face_uv": t, "landmark_face": f, "region": len(REGIONS)}
    for name, shape in shapes.items():
        array = getattr(head, name)
        if array.shape != shape:
            raise MalformedError(f"its {name} has the shape {array.shape} where {shape} was expected")
        if name in below and array.size and (array.min() < 0 or array.max() >= below[name]):
            raise MalformedError(f"its {name} points outside of what there is")
        if not np.isfinite(array).all():
            raise MalformedError(f"its {name} holds numbers that are not finite")


def _check_header(header: Header) -> None:
    if header.metadata.get("format") != FORMAT:
        raise MalformedError(f"it is not a {FORMAT} file")
    for name, dtype in TYPES.items():
        if name not in header.entries or header.entries[name].dtype != dtype:
            raise MalformedError(f"it has no tensor {name!r} of type {dtype}")
    for name in BASES:
        count, vertices = header.entries[f"{name}.start"].shape[:1], header.entries["template"].shape[:1]
        if math.prod(count) * math.prod(vertices) > MAX_DENSE:
            raise MalformedError(f"its {name} is too large")


def _dense(t: dict[str, NDArray[Any]], name: str, vertices: int) -> Array:
    start, vertex, value = t[f"{name}.start"], t[f"{name}.vertex"], t[f"{name}.value"]
    count = len(start) - 1
    if count < 0 or start[0] != 0 or (np.diff(start) < 0).any() or not start[-1] == len(vertex) == len(value):
        raise MalformedError(f"the parts of its {name} do not fit together")
    out = np.zeros((count, vertices, 3), np.float32)
    out[np.repeat(np.arange(count), np.diff(start)), vertex] = value
    return out
