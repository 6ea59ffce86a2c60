"""TensorRT's plans on disk: built once for each network, GPU, version and range of shapes, and built again when any of them
changed or the file is damaged."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

from models import caches
from models.atomic import atomic_write
from models.engines import tensorrt
from models.engines.base import Profile
from models.errors import VisavisError

log = logging.getLogger(__name__)

MAGIC = b"visavis tensorrt plan 1\n"
MAX_BYTES = 4 << 30
"""Of a plan's file; a larger one is not read."""


def gpu() -> dict[str, Any]:
    """The GPU that plans are for."""
    import torch

    found = torch.cuda.get_device_properties(torch.cuda.current_device())
    return {"gpu": found.name, "capability": [found.major, found.minor]}


def plan_for(
    network: bytes, profile: Profile, machine: dict[str, Any] | None = None, folder: Path | None = None, *, renew: bool = False
) -> bytes:
    """The plan, from the cache or built now. machine: of `gpu()`. folder: the user's cache by default. renew: build it anew.

    A cache that cannot be read or written costs time only. Raises as `tensorrt.build` does.
    """
    key = {
        "network": hashlib.sha256(network).hexdigest(),
        "tensorrt": tensorrt.version(),
        "profile": {name: [list(shape) for shape in shapes] for name, shapes in sorted(profile.items())},
        **(gpu() if machine is None else machine),
    }
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
    try:
        path = (caches.folder() / "tensorrt" if folder is None else folder) / f"{name}.plan"
        kept = _read(path, key)
    except (OSError, VisavisError):
        path, kept = None, None
    if kept is not None and not renew:
        return kept
    plan = tensorrt.build(network, profile)
    if path is not None:
        _write(path, key, plan)
    return plan


def _read(path: Path, key: dict[str, Any]) -> bytes | None:
    if not path.is_file() or not 0 < path.stat().st_size <= MAX_BYTES:
        return None
    magic, _, rest = path.read_bytes().partition(b"\n")
    header, _, plan = rest.partition(b"\n")
    try:
        told = json.loads(header)
    except ValueError:
        told = None
    if magic + b"\n" != MAGIC or told != {**key, "sha256": hashlib.sha256(plan).hexdigest()}:
        log.info("a TensorRT engine is built again: the one that was kept is damaged, or for another machine")
        return None
    return plan


def _write(path: Path, key: dict[str, Any], plan: bytes) -> None:
    header = json.dumps({**key, "sha256": hashlib.sha256(plan).hexdigest()}).encode()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with atomic_write(path) as out:
            out.write(MAGIC + header + b"\n" + plan)
    except (OSError, VisavisError):
        log.info("a TensorRT engine cannot be kept: the cache folder cannot be written; it is built again at the next start")
