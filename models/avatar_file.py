"""The `.avatar` file: one safetensors container with an avatar in it. Never pickle; nothing in it can run.

Tensors, N Gaussians on a head of V vertices with K identity directions:

    identity (K,) F32, offset (V, 3) F32         as in `models.avatar.Avatar`
    face (N,) U16                                triangle of each Gaussian
    means (N, 3) F32                             in units of the triangle, exact: hair may hang far from its triangle
    rotations (N, 4) F16                         wxyz; off by at most 0.001 radians
    log_scales (N, 3) F16                        natural logarithm; off by at most 0.4 % for scales of e^-8 to e^8 units
    opacities (N,) F16, colors (N, 3) F16        off by at most 1/4096
    preview.NAME (bytes,) U8                     a PNG picture

Version "2" has besides, R directions for A of the Gaussians, or S directions for the vertices, or both (`models.corrections`):

    active (A,) I32                              which Gaussians, ascending
    gaussian_directions (R, A, 14) F16           off by at most 1/2048 of each
    gaussian_mixing (52, R) F32
    vertex_directions (S, V, 3) F16, vertex_mixing (52, S) F32
    loss_db (1,) F32                             measured with just these numbers

Version "3" has besides, in half precision, the weights of the networks that the directions stand in for (`models.networks`):
`dynamics.NAME` where there are directions for Gaussians, `deformation.NAME` where there are some for vertices, or both.

An avatar without corrections is written as version "1", which knows none of them and is read by every release, one without
networks as version "2".

Metadata: `format`, `version`, `head`, `provenance` (JSON), and `sha256` over all of the above, so that a file that was
damaged or altered by hand is noticed. The hash is no signature: who can write files can write a fitting hash.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import arkit, tensor_file
from models.atomic import atomic_write
from models.avatar import Avatar
from models.binding import BoundGaussians
from models.corrections import WIDTH, Basis, Corrections
from models.errors import AvatarFileError
from models.heads.base import HeadModel
from models.networks import DEFORMATION, DYNAMICS, Networks
from models.tensor_file import Entry, Header, MalformedError

FORMAT = "visavis-avatar"
VERSION, CORRECTED, WITH_NETWORKS = "1", "2", "3"
"""Without and with corrections, and with the networks behind them."""
MAX_BYTES = 64 << 20
MAX_HEADER_BYTES = 256 << 10
MAX_GAUSSIANS = 500_000
MAX_VERTICES = 1 << 16
MAX_IDENTITY = 1024
MAX_ACTIVE = 1 << 15
MAX_RANK = 32
MAX_CORRECTION = 1000.0
"""Of any number in the directions, the mixing and the networks: keeps all sums of theirs finite."""
MAX_PROVENANCE_BYTES = 64 << 10
MAX_PREVIEWS = 16
MAX_PREVIEW_BYTES = 4 << 20
MAX_PREVIEW_SIDE = 4096
"""Pixels."""
PREVIEW = "preview."
PREVIEW_NAME = re.compile("[A-Za-z0-9_-]{1,32}")
LOG_SCALE = (-20.0, 8.0)
"""Range of the logarithm of a scale in units of its triangle; smaller scales are stored as the smallest."""
PNG = b"\x89PNG\r\n\x1a\n"
SHAPES: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "identity": ("F32", ("K",)), "offset": ("F32", ("V", 3)), "face": ("U16", ("N",)), "means": ("F32", ("N", 3)),
    "rotations": ("F16", ("N", 4)), "log_scales": ("F16", ("N", 3)), "opacities": ("F16", ("N",)),
    "colors": ("F16", ("N", 3)),
}  # fmt: skip
"""Tensor -> dtype and shape; a letter stands for the same number everywhere."""
OF_GAUSSIANS: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "active": ("I32", ("A",)), "gaussian_directions": ("F16", ("R", "A", WIDTH)), "gaussian_mixing": ("F32", (arkit.COUNT, "R")),
}  # fmt: skip
OF_VERTICES: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "vertex_directions": ("F16", ("S", "V", 3)), "vertex_mixing": ("F32", (arkit.COUNT, "S")),
}  # fmt: skip
OF_NETWORKS = {
    f"{network}.{name}": ("F16", shape)
    for network, layout in (("dynamics", DYNAMICS), ("deformation", DEFORMATION))
    for name, shape in layout.items()
}
OF_BOTH: dict[str, tuple[str, tuple[str | int, ...]]] = {"loss_db": ("F32", (1,))}
LARGEST = {
    "N": (MAX_GAUSSIANS, "Gaussians"), "V": (MAX_VERTICES, "vertices"), "K": (MAX_IDENTITY, "identity numbers"),
    "A": (MAX_ACTIVE, "Gaussians with corrections"), "R": (MAX_RANK, "directions of corrections"),
    "S": (MAX_RANK, "directions of vertex corrections"),
}  # fmt: skip
"""Letter -> the largest number it may stand for, and what of."""
Tensors = dict[str, NDArray[Any]]


def save(avatar: Avatar, path: Path) -> None:
    """Write `avatar` to `path`, whole or not at all.

    Raises `AvatarFileError` for an avatar that `load` would not open (too large, not finite, provenance not plain JSON),
    `StorageError` when the disk refuses; in both cases an older file at `path` stays.
    """
    try:
        data = encode(avatar)
        decode(data)
    except ValueError as error:
        raise AvatarFileError(
            f"the avatar for {path.name} cannot be saved because {error}; nothing was written, make the avatar again"
        ) from None
    with atomic_write(path) as stream:
        stream.write(data)


def is_one(path: Path) -> bool:
    """Whether `path` is an avatar file, of whatever version, whole or damaged."""
    return tensor_file.format_of(path, MAX_HEADER_BYTES) == FORMAT


def load(path: Path, model: HeadModel | None = None) -> Avatar:
    """The avatar in a file, checked against `model` when that is given (see `check`).

    Raises `AvatarFileError` when the file is missing, damaged, altered, of another version, or beyond its limits.
    """
    avatar = loads(read_bytes(path), path.name)
    if model is not None:
        check(avatar, model)
    return avatar


def read_bytes(path: Path) -> bytes:
    """A file's bytes, for whoever needs the avatar later and must not depend on the file; `loads` opens them.

    Raises `AvatarFileError` when the file is missing or too large.
    """
    try:
        with tensor_file.open_regular(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            data = b"" if size > MAX_BYTES else stream.read(MAX_BYTES)
    except OSError as error:
        raise AvatarFileError(
            f"an avatar file was expected at {path} but it cannot be read ({error.strerror or error}); check the path"
        ) from None
    if size > MAX_BYTES:
        raise AvatarFileError(
            f"{path.name} cannot be opened because it has {size} bytes where at most {MAX_BYTES} are allowed; "
            "choose an avatar file"
        )
    return data


def loads(data: bytes, name: str = "the avatar") -> Avatar:
    """The avatar in a file's bytes. Raises `AvatarFileError`, which calls it `name`."""
    try:
        return decode(data)
    except ValueError as error:
        raise AvatarFileError(
            f"{name} cannot be opened because {error}; fetch it again, or enroll again with this release"
        ) from None


def check(avatar: Avatar, model: HeadModel) -> None:
    """Raises `AvatarFileError` unless the avatar was made for this head model and all its Gaussians sit on its triangles."""
    if avatar.head != model.name:
        raise AvatarFileError(
            f"an avatar on the head model {model.name!r} was expected, this one is on {avatar.head!r}; open it with that model"
        )
    expected = ((model.identity_count,), (model.vertex_count, 3))
    came = (avatar.identity.shape, avatar.offset.shape)
    if came != expected or int(avatar.gaussians.face.max(initial=0)) >= len(model.faces):
        raise AvatarFileError(
            f"the avatar was made for another release of the head model {model.name!r} (identity and offset {came} where "
            f"{expected} was expected, {len(model.faces)} triangles); enroll again"
        )


def encode(avatar: Avatar) -> bytes:
    """The file's bytes; the same avatar gives the same bytes. Raises `MalformedError`."""
    g = avatar.gaussians
    if int(g.face.min(initial=0)) < 0 or int(g.face.max(initial=0)) >= 1 << 16:
        raise MalformedError("a Gaussian's triangle is not in 0 to 65535")
    if not (np.asarray(g.scales) >= 0).all():
        raise MalformedError("a scale is negative or not a number")
    try:
        provenance = json.dumps(avatar.provenance, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise MalformedError(f"its provenance is not plain JSON ({error})") from None
    with np.errstate(over="ignore"):
        tensors: Tensors = {
            "identity": np.asarray(avatar.identity, np.float32), "offset": np.asarray(avatar.offset, np.float32),
            "face": g.face.astype(np.uint16), "means": np.asarray(g.means, np.float32),
            "rotations": g.rotations.astype(np.float16),
            "log_scales": np.log(np.maximum(g.scales, np.exp(LOG_SCALE[0]))).astype(np.float16),
            "opacities": g.opacities.astype(np.float16), "colors": g.colors.astype(np.float16),
        }  # fmt: skip
        if avatar.corrections is not None:
            tensors |= _of_corrections(avatar.corrections)
    for name, png in avatar.previews.items():
        tensors[PREVIEW + name] = np.frombuffer(png, np.uint8)
    number = VERSION if avatar.corrections is None else CORRECTED if avatar.corrections.networks is None else WITH_NETWORKS
    metadata = {"format": FORMAT, "version": number, "head": avatar.head, "provenance": provenance}
    metadata["sha256"] = _hash(metadata, tensors)
    return tensor_file.write(tensors, metadata)


def decode(data: bytes) -> Avatar:
    """The inverse of `encode`, with all checks of `load`. Raises `MalformedError`."""
    return _read(io.BytesIO(data), len(data))


def _of_corrections(corrections: Corrections) -> Tensors:
    gaussians, vertices = corrections.gaussians, corrections.vertices
    tensors: Tensors = {"loss_db": np.array([corrections.loss_db], np.float32)}
    if gaussians is not None:
        if int(corrections.active.min(initial=0)) < 0 or int(corrections.active.max(initial=0)) >= 1 << 31:
            raise MalformedError("its corrections are of Gaussians that it does not have")
        tensors |= {
            "active": corrections.active.astype(np.int32), "gaussian_directions": gaussians.directions.astype(np.float16),
            "gaussian_mixing": np.asarray(gaussians.mixing, np.float32),
        }  # fmt: skip
    if vertices is not None:
        tensors |= {
            "vertex_directions": vertices.directions.astype(np.float16),
            "vertex_mixing": np.asarray(vertices.mixing, np.float32),
        }
    for network in ("dynamics", "deformation"):
        weights = getattr(corrections.networks, network, None)
        tensors |= {f"{network}.{name}": np.asarray(array, np.float16) for name, array in (weights or {}).items()}
    return tensors


def _corrections(t: Tensors) -> Corrections | None:
    """The inverse, of tensors that were checked."""
    if "loss_db" not in t:
        return None
    active, gaussians, vertices = np.zeros(0, np.int32), None, None
    if "active" in t:
        active = t["active"].astype(np.int32)
        gaussians = Basis(t["gaussian_directions"].astype(np.float32), t["gaussian_mixing"].astype(np.float32))
    if "vertex_directions" in t:
        vertices = Basis(t["vertex_directions"].astype(np.float32), t["vertex_mixing"].astype(np.float32))
    dynamics = {name: np.array(t[f"dynamics.{name}"]) for name in DYNAMICS} if "dynamics.points" in t else None
    deformation = {name: np.array(t[f"deformation.{name}"]) for name in DEFORMATION} if "deformation.rest" in t else None
    networks = None if dynamics is None and deformation is None else Networks(dynamics, deformation)
    return Corrections(active, gaussians, vertices, float(t["loss_db"][0]), networks)


def _read(stream: Any, size: int) -> Avatar:
    if size > MAX_BYTES:
        raise MalformedError(f"it has {size} bytes where at most {MAX_BYTES} are allowed")
    header, tensors = tensor_file.read(stream, size, MAX_HEADER_BYTES, _check_header)
    meta = dict(header.metadata)
    if meta.pop("sha256") != _hash(meta, tensors):
        raise MalformedError("it was damaged or altered after it was made (its hash does not fit)")
    provenance = _provenance(meta["provenance"])
    _check_values(tensors)
    previews = {name[len(PREVIEW) :]: t.tobytes() for name, t in tensors.items() if name.startswith(PREVIEW)}
    for name, png in previews.items():
        _check_preview(name, png)
    wide = {name: np.array(tensors[name], np.float32) for name in SHAPES if name != "face"}
    rotations = wide["rotations"] / np.linalg.norm(wide["rotations"], axis=1, keepdims=True)
    bound = BoundGaussians(
        tensors["face"].astype(np.int32), wide["means"], rotations, np.exp(wide["log_scales"]), wide["opacities"],
        wide["colors"],
    )  # fmt: skip
    return Avatar(meta["head"], wide["identity"], wide["offset"], bound, provenance, previews, _corrections(tensors))


def _check_header(header: Header) -> None:
    """Format, version, and that there are the right tensors of the right shapes and of bearable size."""
    meta = header.metadata
    if meta.get("format") != FORMAT:
        raise MalformedError("it is not a Visavis avatar")
    if meta.get("version") not in (VERSION, CORRECTED, WITH_NETWORKS):
        raise MalformedError(
            f"it has version {meta.get('version', '')[:20]!r} where this Visavis reads versions {VERSION!r} to {WITH_NETWORKS!r}"
        )
    if set(meta) != {"format", "version", "head", "provenance", "sha256"}:
        raise MalformedError("its metadata does not have the entries of an avatar")
    if not 0 < len(meta["head"]) <= 64 or not meta["head"].isprintable():
        raise MalformedError("the name of its head model is not 1 to 64 printable letters")
    if len(meta["provenance"]) > MAX_PROVENANCE_BYTES:
        raise MalformedError(f"its provenance record is longer than {MAX_PROVENANCE_BYTES} bytes")
    previews = [name for name in header.entries if name.startswith(PREVIEW)]
    _check_shapes({name: e for name, e in header.entries.items() if not name.startswith(PREVIEW)}, meta["version"])
    if len(previews) > MAX_PREVIEWS:
        raise MalformedError(f"it has {len(previews)} previews where at most {MAX_PREVIEWS} are allowed")
    for name in previews:
        entry = header.entries[name]
        if not PREVIEW_NAME.fullmatch(name[len(PREVIEW) :]):
            raise MalformedError(f"its preview {name[:40]!r} is not named with 1 to 32 letters, digits, - or _")
        if entry.dtype != "U8" or len(entry.shape) != 1 or entry.shape[0] > MAX_PREVIEW_BYTES:
            raise MalformedError(f"its preview {name[:40]!r} is not a picture of at most {MAX_PREVIEW_BYTES} bytes")


def _check_shapes(entries: dict[str, Entry], version: str) -> None:
    layout = dict(SHAPES)
    if version != VERSION:
        groups = [group for group in (OF_GAUSSIANS, OF_VERTICES) if set(group) & set(entries)]
        for group in groups or [OF_GAUSSIANS]:
            layout |= group
        layout |= OF_BOTH
    if version == WITH_NETWORKS:
        bases = {"dynamics": OF_GAUSSIANS, "deformation": OF_VERTICES}
        may = [network for network, basis in bases.items() if basis in (groups or [OF_GAUSSIANS])]
        there = [network for network in may if any(name.startswith(f"{network}.") for name in entries)]
        layout |= {name: entry for name, entry in OF_NETWORKS.items() if name.partition(".")[0] in (there or may)}
    if set(entries) != set(layout):
        odd = min(set(layout) ^ set(entries))
        raise MalformedError(f"it lacks or should not have the tensor {odd[:40]!r}")
    sizes: dict[str, int] = {}
    for name, (dtype, shape) in layout.items():
        entry = entries[name]
        expected = tuple(sizes.setdefault(n, entry.shape[i] if i < len(entry.shape) else 0) if isinstance(n, str) else n
                         for i, n in enumerate(shape))  # fmt: skip
        if entry.dtype != dtype or entry.shape != expected:
            raise MalformedError(f"its tensor {name!r} is {entry.dtype} {entry.shape} where {dtype} {expected} was expected")
    for letter, size in sizes.items():
        largest, what = LARGEST[letter]
        if not 0 < size <= largest:
            raise MalformedError(f"it has {size} {what} where 1 to {largest} are allowed")


def _check_values(t: Tensors) -> None:
    for name, tensor in t.items():
        if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
            raise MalformedError(f"its tensor {name!r} holds numbers that are not finite")
    if not (np.linalg.norm(t["rotations"].astype(np.float32), axis=1) > 0.1).all():
        raise MalformedError("a rotation is a quaternion without length")
    if t["log_scales"].min() < LOG_SCALE[0] or t["log_scales"].max() > LOG_SCALE[1]:
        raise MalformedError(f"a scale is larger than {np.exp(LOG_SCALE[1]):.0f} triangles or smaller than can be")
    for name in ("opacities", "colors"):
        if t[name].min() < 0 or t[name].max() > 1:
            raise MalformedError(f"its {name} are not all in [0, 1]")
    for name in ("gaussian_directions", "gaussian_mixing", "vertex_directions", "vertex_mixing", *OF_NETWORKS):
        if name in t and np.abs(t[name]).max() > MAX_CORRECTION:
            raise MalformedError(f"its {name} are not all in -{MAX_CORRECTION:.0f} to {MAX_CORRECTION:.0f}")
    if "active" in t:
        active = t["active"].astype(np.int64)
        if active[0] < 0 or active[-1] >= len(t["face"]) or (np.diff(active) <= 0).any():
            raise MalformedError(f"its corrections are not of different ones of its {len(t['face'])} Gaussians in their order")
    if "loss_db" in t and t["loss_db"][0] < 0:
        raise MalformedError("the loss of its corrections is negative")


def _check_preview(name: str, png: bytes) -> None:
    """PNG 1.2 section 11.2.2: the signature is followed by IHDR, which begins with width and height."""
    side = max(int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big"))
    if len(png) < 24 or not png.startswith(PNG) or png[12:16] != b"IHDR" or side > MAX_PREVIEW_SIDE:
        raise MalformedError(f"its preview {name[:40]!r} is not a PNG picture of at most {MAX_PREVIEW_SIDE} pixels a side")


def _provenance(text: str) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        record = json.loads(text, parse_constant=refuse)
        json.dumps(record, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise MalformedError("its provenance record is not readable JSON") from None
    if not isinstance(record, dict):
        raise MalformedError("its provenance record is not a JSON object")
    return record


def _hash(metadata: dict[str, str], tensors: Tensors) -> str:
    """SHA-256 over the metadata, the names, types and shapes of the tensors, and their bytes in the order of their names."""
    names = sorted(tensors)
    shapes = [(name, tensor_file.NAMES[tensors[name].dtype], tensors[name].shape) for name in names]
    digest = hashlib.sha256(json.dumps([sorted(metadata.items()), shapes]).encode())
    for name in names:
        digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()
