"""A head model as one small safetensors file, so that nothing needs the package it was baked from.

Directions are stored sparse and in half precision: most of them move only a few hundred vertices.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from models.errors import HeadModelError
from models.heads.base import HeadModel
from models.types import Array

FORMAT = "visavis-head-1"
SMALLEST = 2e-5
"""Metres; a displacement under this is dropped."""
MAX_BYTES = 64 * 1024 * 1024
DENSE = (
    "template", "faces", "region", "uv", "face_uv", "joints", "joints_basis", "weights", "landmark_face",
    "landmark_barycentric", "landmark_weight", "gaze_range",
)  # fmt: skip


def save(head: HeadModel, path: Path) -> None:
    """Write `head` to `path`."""
    tensors: dict[str, NDArray[np.generic]] = {k: np.ascontiguousarray(getattr(head, k)) for k in DENSE}
    for name in ("identity_basis", "expression_basis"):
        basis = getattr(head, name)
        keep = np.abs(basis).max(axis=2) > SMALLEST
        tensors[f"{name}.start"] = np.concatenate([[0], np.cumsum(keep.sum(axis=1))]).astype(np.int32)
        tensors[f"{name}.vertex"] = np.nonzero(keep)[1].astype(np.uint16)
        tensors[f"{name}.value"] = basis[keep].astype(np.float16)
    save_file(tensors, str(path), metadata={"format": FORMAT, "name": json.dumps(head.name)})


def load(path: Path) -> HeadModel:
    """Read a head model. Raises `HeadModelError` when the file is missing, too large, or not one of ours."""
    if not path.is_file():
        raise HeadModelError(f"a head asset was expected at {path}, which does not exist; run `python -m models.heads.bake`")
    if path.stat().st_size > MAX_BYTES:
        raise HeadModelError(f"{path.name} is larger than the {MAX_BYTES >> 20} MB a head asset may have; bake it again")
    try:
        with safe_open(str(path), "numpy") as f:
            meta = f.metadata() or {}
            if meta.get("format") != FORMAT:
                raise HeadModelError(f"{path.name} is not a {FORMAT} file; bake it again with this version")
            t = {k: f.get_tensor(k) for k in f.keys()}
        vertices = len(t["template"])
        bases = {name: _dense(t, name, vertices) for name in ("identity_basis", "expression_basis")}
        return HeadModel(name=json.loads(meta["name"]), **{k: t[k] for k in DENSE}, **bases)
    except (SafetensorError, KeyError, ValueError, IndexError) as error:
        raise HeadModelError(f"{path.name} is damaged ({error}); bake it again") from None


def _dense(t: dict[str, NDArray[np.generic]], name: str, vertices: int) -> Array:
    start, vertex, value = t[f"{name}.start"], t[f"{name}.vertex"], t[f"{name}.value"]
    count = len(start) - 1
    if count < 0 or count * vertices > 1 << 26:
        raise ValueError(f"{name} has {count} directions")
    out = np.zeros((count, vertices, 3), np.float32)
    out[np.repeat(np.arange(count), np.diff(start)), vertex] = value
    return out
