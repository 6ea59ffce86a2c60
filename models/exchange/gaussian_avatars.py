"""GaussianAvatars (Qian et al., CVPR 2024): Gaussians in the frames of FLAME's triangles, read and written.

A folder, or here also a zip, of two files (https://github.com/ShenhanQian/GaussianAvatars, `scene/flame_gaussian_model.py`):

    point_cloud.ply   the columns of `models.exchange.ply` with 45 f_rest, all in the frame of a triangle and in units of its
                      size, then binding_0: the triangle's number as a float
    flame_param.npz   shape (300,), static_offset (1, V, 3) or (V, 3) metres, and for each of T frames of the person's video:
                      expr (T, 100), rotation, neck_pose, jaw_pose, translation (T, 3), eyes_pose (T, 6),
                      dynamic_offset (T, V, 3)

They are found where they are: training leaves them in RUN/point_cloud/iteration_N/ of a folder with much else in it (cfg_args,
cameras.json, input.ply, renders, checkpoints), and RUN or a zip of it is read as its newest iteration.

Its frame is ours (`models/binding.py`): origin at the centroid; a0 along v1 - v0, a1 along the normal, a2 = -(a1 x a0), which
is a0 x a1; scale (|v1 - v0| + |a2 . (v2 - v0)|) / 2; world rotation = frame times Gaussian. Files that were trained before
March 2024 multiply the two the other way around (their issue 23) and cannot be told from others.

Its FLAME has 5023 vertices and 9976 triangles as the licensed file numbers them, then 120 vertices and 168 triangles of teeth
of its own. Ours has other teeth, so Gaussians on teeth are left out both ways, and their number is told. The frames of the
video are not kept; colours lose what changes with the direction of view. An avatar's corrections are left out, for which
the layout has no place: they change nothing at rest.

An avatar on another head model is written as the same pair with that model's own triangle numbers, which GaussianAvatars
itself cannot open, and with `head.npz` (head's name, identity, offset, rest vertices, faces), with which anyone can pose it
and `load` opens it whole. README.txt in the folder says so.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import __version__
from models.atomic import atomic_folder, atomic_write
from models.avatar import Avatar
from models.binding import LARGEST, BoundGaussians
from models.errors import AvatarFileError
from models.exchange import ply
from models.exchange.reading import explained, read_file, zip_members, zip_names, zip_of
from models.heads.base import HeadModel
from models.tensor_file import MalformedError, open_regular
from models.types import Gaussians

POINTS, PARAMETERS, HEAD, README = "point_cloud.ply", "flame_param.npz", "head.npz", "README.txt"
MEMBERS = frozenset({POINTS, PARAMETERS, HEAD, README})
FLAME_VERTICES, FLAME_FACES = 5023, 9976
THEIR_VERTICES, THEIR_FACES = FLAME_VERTICES + 120, FLAME_FACES + 168
SHAPES, EXPRESSIONS = 300, 100
SH_DEGREE = 3
"""What its loader insists on by default."""
TEETH = ("upper_teeth", "lower_teeth")
MAX_ARRAY_BYTES = 64 << 20
MAX_ARCHIVE_BYTES = 512 << 20
ITERATION = re.compile(r"iteration_(\d{1,12})")
ZIP_BEGINS = b"PK\3\4"
FOLDERS = ("", "iteration_*/", "point_cloud/iteration_*/", "*/point_cloud/iteration_*/", "*/")
"""Where a run of GaussianAvatars, or what it is kept in, has its files."""
ADVICE = f"expected is a folder or zip with {POINTS} and {PARAMETERS} as GaussianAvatars writes them"


def load(path: Path, head: str = "flame2023") -> Avatar:
    """The avatar in a folder, a zip, or the folder of a `point_cloud.ply`; of a whole run the newest iteration. Needs no FLAME
    file; posing it does.

    head: the release of FLAME that it was trained with, "flame2023" (GaussianAvatars' default) or "flame2020". Its
    provenance says where it came from, which iteration it is (if known) and how many Gaussians were left out. Raises
    `AvatarFileError`.
    """
    with explained(path, ADVICE):
        members, iteration = _members(path)
        if POINTS not in members:
            raise MalformedError(f"{POINTS} is missing")
        columns = ply.read_columns(members[POINTS])
        if HEAD in members:
            return _on_own_head(columns, _arrays(members[HEAD], ("name", "identity", "offset")))
        if "binding_0" not in columns:
            raise MalformedError("it has no binding_0, so it is a still head that hangs on no triangles and cannot be moved")
        if PARAMETERS not in members:
            raise MalformedError(f"{PARAMETERS} is missing, without which Gaussians have no head")
        bound = read_bound(columns, THEIR_FACES)
        flame = _arrays(members[PARAMETERS], ("shape", "static_offset"))
        identity = np.zeros(SHAPES, np.float32)
        shape = flame["shape"].reshape(-1)[:SHAPES]
        identity[: len(shape)] = shape
        offset = np.zeros((FLAME_VERTICES + _our_teeth(), 3), np.float32)
        if "static_offset" in flame:
            theirs = flame["static_offset"]
            if theirs.size not in (3 * FLAME_VERTICES, 3 * THEIR_VERTICES):
                raise MalformedError(f"its static_offset {theirs.shape} is not that of FLAME's {FLAME_VERTICES} vertices")
            offset[:FLAME_VERTICES] = theirs.reshape(-1, 3)[:FLAME_VERTICES]
        kept = bound.face < FLAME_FACES
        if not kept.any():
            raise MalformedError("none of its Gaussians is on FLAME's own triangles")
        record: dict[str, Any] = {"from": "GaussianAvatars", "left_out_on_teeth": int((~kept).sum())}
        if iteration is not None:
            record["iteration"] = iteration
        return Avatar(head, identity, offset, bound.select(kept), {"imported": record})


def save(avatar: Avatar, model: HeadModel, path: Path) -> int:
    """Write a zip, or a folder when `path` does not end in .zip. model: the head that the avatar is on.

    Returns how many Gaussians were left out (those on FLAME's added teeth). Raises `AvatarFileError`, `StorageError`.
    """
    members, left_out = encode(avatar, model)
    if path.suffix.lower() == ".zip":
        with atomic_write(path) as stream:
            stream.write(zip_of(members))
        return left_out
    with atomic_folder(path, lambda entry: entry.name in MEMBERS) as folder:
        for name, data in members.items():
            (folder / name).write_bytes(data)
    return left_out


def encode(avatar: Avatar, model: HeadModel) -> tuple[dict[str, bytes], int]:
    """The files by name, and how many Gaussians were left out."""
    flame = avatar.head.startswith("flame")
    bound = avatar.gaussians
    kept = np.ones(len(bound), bool)
    if flame:
        kept = ~np.isin(bound.face, np.flatnonzero(model.region_faces(*TEETH)))
        if not kept.any():
            raise AvatarFileError("Gaussians on FLAME's own triangles were expected but the avatar has none; enroll again")
    frames = np.zeros((1, 3), np.float32)
    vertices = THEIR_VERTICES if flame else model.vertex_count
    own = model.vertex_count - len(model.region_vertices(*TEETH)) if flame else vertices
    offset = np.zeros((1, vertices, 3), np.float32)
    offset[0, : min(own, vertices)] = avatar.offset[: min(own, vertices)]
    shape = np.zeros(SHAPES, np.float32)
    if flame:
        shape[: len(avatar.identity)] = avatar.identity[:SHAPES]
    parameters = {
        "shape": shape, "expr": np.zeros((1, EXPRESSIONS), np.float32), "rotation": frames, "neck_pose": frames,
        "jaw_pose": frames, "eyes_pose": np.zeros((1, 6), np.float32), "translation": frames, "static_offset": offset,
        "dynamic_offset": np.zeros_like(offset),
    }  # fmt: skip
    members = {POINTS: write_bound(bound.select(kept)), PARAMETERS: _npz(parameters)}
    if not flame:
        members[HEAD] = _npz(
            {
                "name": np.frombuffer(avatar.head.encode(), np.uint8), "identity": avatar.identity, "offset": avatar.offset,
                "vertices": avatar.person(model).rest, "faces": model.faces,
            }
        )  # fmt: skip
    left_out = int((~kept).sum())
    members[README] = _readme(avatar.head, flame, len(bound) - left_out, left_out).encode()
    return members, left_out


def write_bound(bound: BoundGaussians) -> bytes:
    """`point_cloud.ply`: the Gaussians as they are in their triangles' frames, and the triangles' numbers."""
    local = Gaussians(bound.means, bound.rotations, bound.scales, bound.opacities, bound.colors)
    return ply.write_columns(ply.columns_of(local, SH_DEGREE) | {"binding_0": bound.face})


def read_bound(columns: ply.Columns, faces: int) -> BoundGaussians:
    """The inverse of `write_bound`, on a mesh of `faces` triangles. Raises `MalformedError`."""
    if "binding_0" not in columns:
        raise MalformedError(f"{POINTS} in it has no binding_0")
    g = ply.gaussians_of(columns)
    face = ply.stacked(columns, "binding_0")[:, 0]
    if not ((face >= 0) & (face < faces) & (face == np.floor(face))).all():
        raise MalformedError(f"a Gaussian hangs on a triangle that is not one of {faces}")
    if max(float(np.abs(g.means).max()), float(g.scales.max())) > LARGEST:
        raise MalformedError(f"a Gaussian is further than {LARGEST:.0f} triangles from its own, or larger")
    return BoundGaussians(face.astype(np.int32), g.means, g.rotations, g.scales, g.opacities, g.colors)


def _on_own_head(columns: ply.Columns, head: dict[str, NDArray[Any]]) -> Avatar:
    """What `encode` wrote for a head model that is not FLAME."""
    if {"name", "identity", "offset"} - set(head) or head["offset"].ndim != 2 or head["offset"].shape[1] != 3:
        raise MalformedError(f"{HEAD} is not one that Visavis wrote")
    name = bytes(head["name"].astype(np.uint8)).decode("ascii", "replace")
    if not name.isidentifier() or len(name) > 64:
        raise MalformedError(f"{HEAD} does not name a head model")
    identity, offset = head["identity"].reshape(-1).astype(np.float32), head["offset"].astype(np.float32)
    record = {"from": "GaussianAvatars", "left_out_on_teeth": 0}
    return Avatar(name, identity, offset, read_bound(columns, 1 << 16), {"imported": record})


def _members(path: Path) -> tuple[dict[str, bytes], int | None]:
    """The format's files that are in a folder, in a zip, or beside a PLY; and the number of the iteration that wrote them."""
    limits = {POINTS: ply.MAX_BYTES, PARAMETERS: MAX_ARCHIVE_BYTES, HEAD: MAX_ARCHIVE_BYTES}
    if path.is_dir():
        found = (place.relative_to(path).as_posix() for folder in FOLDERS for place in path.glob(folder + POINTS))
        folder = path / newest(found)
        return _beside(folder, limits), _iteration(PurePosixPath(folder.absolute(), POINTS))
    with open_regular(path) as stream:
        if path.suffix.lower() != ".zip" and stream.read(4) != ZIP_BEGINS:
            members = _beside(path.parent, limits) | {POINTS: read_file(path, ply.MAX_BYTES)}
            return members, _iteration(PurePosixPath(path.absolute()))
        chosen = newest(zip_names(stream))
        members = zip_members(stream, limits, chosen)
        for above in PurePosixPath(chosen).parents:  # the head of all iterations may lie once above them
            if PARAMETERS not in members and HEAD not in members:
                place = "" if str(above) == "." else str(above)
                members |= zip_members(stream, {PARAMETERS: MAX_ARCHIVE_BYTES}, place)
        return members, _iteration(PurePosixPath(chosen, POINTS))


def newest(names: Iterable[str]) -> str:
    """Of all files of a run, as paths with "/", the folder of the newest `point_cloud.ply`; "" for none or the run's own.

    Raises `MalformedError` where there are several runs.
    """
    places = {PurePosixPath(name).parent for name in names if PurePosixPath(name).name == POINTS and "__MACOSX" not in name}
    if not places:
        return ""
    runs = {place.parent if ITERATION.fullmatch(place.name) else place for place in places}
    if len(runs) > 1:
        one, other, *_ = sorted(str(run) for run in runs)
        raise MalformedError(f"it holds several avatars, {one[:60]!r} and {other[:60]!r} among them, where one was expected")
    chosen = str(max(places, key=lambda place: (_iteration(place / POINTS) or 0, str(place))))
    return "" if chosen == "." else chosen


def _iteration(points: PurePosixPath) -> int | None:
    """The number in the name of the folder of a `point_cloud.ply`."""
    named = ITERATION.fullmatch(points.parent.name)
    return int(named[1]) if named else None


def _beside(folder: Path, limits: dict[str, int]) -> dict[str, bytes]:
    """The files (name -> largest size) in a folder; the head of all iterations may lie once above them."""
    out = {name: read_file(folder / name, most) for name, most in limits.items() if (folder / name).exists()}
    if PARAMETERS not in out and HEAD not in out and ITERATION.fullmatch(folder.name):
        above = next((p / PARAMETERS for p in (folder.parent, folder.parent.parent) if (p / PARAMETERS).exists()), None)
        if above is not None:
            out[PARAMETERS] = read_file(above, MAX_ARCHIVE_BYTES)
    return out


def _arrays(data: bytes, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """The named float or integer arrays of an npz, those that it has; never pickles. Raises `MalformedError`."""
    members = zip_members(data, {f"{name}.npy": MAX_ARRAY_BYTES for name in names})
    out = {name.removesuffix(".npy"): _array(name, member) for name, member in members.items()}
    for name, array in out.items():
        if not array.size or not np.isfinite(array).all() or np.abs(array).max() > 1e6:
            raise MalformedError(f"{name} in it is empty or holds numbers that cannot be")
    return out


def _array(name: str, data: bytes) -> NDArray[Any]:
    """One npy file (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), versions 1 and 2."""
    stream = io.BytesIO(data)
    try:
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, columns_first, kind = read[np.lib.format.read_magic(stream)](stream)
    except (ValueError, LookupError, SyntaxError, TypeError, RecursionError, MemoryError):
        raise MalformedError(f"{name} in it is not a numpy array") from None
    body = data[stream.tell() :]
    plain = kind.kind in "fiu" and all(type(n) is int and n >= 0 for n in shape)
    if not plain or math.prod(shape) * kind.itemsize != len(body):
        raise MalformedError(f"{name} in it is not an array of plain numbers of the size that it says")
    return np.frombuffer(body, kind).reshape(shape, order="F" if columns_first else "C")


def _npz(arrays: dict[str, NDArray[Any]]) -> bytes:
    members = {}
    for name, array in arrays.items():
        stream = io.BytesIO()
        np.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
        members[f"{name}.npy"] = stream.getvalue()
    return zip_of(members)


def _our_teeth() -> int:
    """Vertices of the teeth that `models.heads.flame` adds to FLAME: those of the default head."""
    from models.heads.anny import AnnyHead

    default = AnnyHead()
    return sum(len(default.region_vertices(name)) for name in TEETH)


def _readme(head: str, flame: bool, count: int, left_out: int) -> str:
    made_by = f"Visavis {__version__}"
    lines = [f"{count} Gaussians of an avatar on the head model {head!r}, written by {made_by} in the layout of GaussianAvatars."]
    if flame:
        lines.append(f"Open with GaussianAvatars and your own FLAME file. {left_out} Gaussians on the teeth were left out,")
        lines.append("because GaussianAvatars has teeth of another shape.")
    else:
        lines.append("Triangle numbers are those of that head model, not FLAME's, so GaussianAvatars itself cannot open it.")
        lines.append(f"{HEAD} has its vertices at rest and its faces; `visavis import` opens this whole.")
    return "\n".join(lines) + "\n"
