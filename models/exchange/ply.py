"""The PLY of 3D Gaussian Splatting (Kerbl et al. 2023): Gaussians in the world, without a rig.

    ply / format binary_little_endian 1.0 / element vertex N / property float NAME ... / end_header, then N rows:
    x y z            mean, metres here (the format knows no unit)
    nx ny nz         0
    f_dc_0..2        spherical harmonics of degree 0: colour = 0.5 + C0 * f_dc, C0 = 1 / (2 sqrt(pi))
    f_rest_*         degrees 1 to 3, channel by channel: 9, 24 or 45 numbers; 0 when written, left out when read
    opacity          logit
    scale_0..2       natural logarithm of one standard deviation
    rot_0..3         quaternion wxyz

Sources: the paper's code, `scene/gaussian_model.py` (save_ply, load_ply); PLY itself: Turk 1994
(http://paulbourke.net/dataformats/ply/). The format names no axes. Its scenes come from COLMAP and so are x right, y down, z
forward, and viewers are built for that (SuperSplat turns every PLY so that its -y is up; Niantic's SPZ library calls the axes of
a PLY "RDF"). Avatar space is x right, y up, z back: `encode` and `decode` turn by half a turn around x. Seen from where an
OpenCV camera at (0, 0, -1) looks along +z, the face looks into it. Columns in the frame of a triangle are not turned.
Opacities are clamped to 1e-6 from 0 and 1, where a logit has no value.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.atomic import atomic_write
from models.exchange.reading import explained, read_file
from models.tensor_file import MalformedError
from models.types import Array, Gaussians

C0 = 0.28209479177387814
"""The constant spherical harmonic, 1 / (2 sqrt(pi))."""
MADE_BY = "written by Visavis"
"""The comment in files."""
MAX_BYTES = 768 << 20
MAX_HEADER_BYTES = 64 << 10
MAX_GAUSSIANS = 2_000_000
MAX_PROPERTIES = 256
MAX_TEXT_BYTES = 128 << 20
"""Numbers written out take ten times the memory while they are read."""
MIN_OPACITY = 1e-6
MIN_SCALE = 1e-12
REST = {0: 0, 1: 9, 2: 24, 3: 45}
"""Degree of the spherical harmonics -> number of `f_rest` columns."""
TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2", "uint16": "u2",
    "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
FORMATS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": ""}
NEEDED = (
    "x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2",
    "rot_3",
)  # fmt: skip
ADVICE = "export it again as the plain PLY of 3D Gaussian Splatting"
Columns = dict[str, NDArray[Any]]


@dataclass
class _Element:
    """One `element` of a header: its name, number of rows, and properties (name, numpy's type; None for a list)."""

    name: str
    count: int
    properties: list[tuple[str, str | None]]


def save(gaussians: Gaussians, path: Path, sh_degree: int = 0) -> None:
    """Write world Gaussians to `path`, whole or not at all. sh_degree: 0 to 3; viewers from training code want 3."""
    data = write_columns(columns_of(_turned(gaussians), sh_degree), (MADE_BY,))
    with atomic_write(path) as stream:
        stream.write(data)


def load(path: Path) -> Gaussians:
    """The Gaussians of a PLY file; colours are those of degree 0, clipped to [0, 1]. Raises `AvatarFileError`."""
    with explained(path, ADVICE):
        return decode(read_file(path, MAX_BYTES))


def encode(gaussians: Gaussians, sh_degree: int = 0) -> bytes:
    """The file's bytes, for Gaussians in avatar space; the same Gaussians give the same bytes."""
    return write_columns(columns_of(_turned(gaussians), sh_degree))


def decode(data: bytes) -> Gaussians:
    """The inverse of `encode`, for any order of properties, any degree, and all three encodings. Raises `MalformedError`."""
    return _turned(gaussians_of(read_columns(data)))


def _turned(g: Gaussians) -> Gaussians:
    """From avatar space to the format's axes, and back.

    A Gaussian's own axes are turned along, which leaves its shape and makes this its own inverse. Colours of degree 0 have no
    direction.
    """
    means, rotations = g.means * np.array([1, -1, -1], np.float32), g.rotations * np.array([1, 1, -1, -1], np.float32)
    return Gaussians(means, rotations, g.scales, g.opacities, g.colors)


def columns_of(gaussians: Gaussians, sh_degree: int = 0) -> Columns:
    """The columns of the format in the order in which its own code writes them."""
    g, n = gaussians, len(gaussians)
    opacity = np.clip(g.opacities.astype(np.float64), MIN_OPACITY, 1 - MIN_OPACITY)
    none = np.zeros(n, np.float32)
    out: Columns = {name: g.means[:, i] for i, name in enumerate("xyz")}
    out |= dict.fromkeys(("nx", "ny", "nz"), none)
    out |= {f"f_dc_{i}": (g.colors[:, i].astype(np.float64) - 0.5) / C0 for i in range(3)}
    out |= dict.fromkeys((f"f_rest_{i}" for i in range(REST[sh_degree])), none)
    out["opacity"] = np.log(opacity / (1 - opacity))
    out |= {f"scale_{i}": np.log(np.maximum(g.scales[:, i].astype(np.float64), MIN_SCALE)) for i in range(3)}
    out |= {f"rot_{i}": g.rotations[:, i] for i in range(4)}
    return out


def gaussians_of(columns: Columns) -> Gaussians:
    """The inverse of `columns_of`; other columns are left out. Raises `MalformedError`."""
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        packed = "; it is packed, as PlayCanvas does" if "packed_position" in columns else ""
        raise MalformedError(f"it lacks the property {missing[0]!r} of 3D Gaussians{packed}")
    means, f_dc = stacked(columns, "x", "y", "z"), stacked(columns, "f_dc_0", "f_dc_1", "f_dc_2")
    rotations = stacked(columns, "rot_0", "rot_1", "rot_2", "rot_3")
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        scales = np.exp(stacked(columns, "scale_0", "scale_1", "scale_2")).astype(np.float32)
        opacities = (1 / (1 + np.exp(-stacked(columns, "opacity")[:, 0]))).astype(np.float32)
        means = means.astype(np.float32)
    # an opacity of 1 has an infinite logit, a scale of 0 an infinite logarithm: some programs write those
    for name, values in (("means", means), ("colours", f_dc), ("scales", scales), ("opacities", opacities)):
        if not np.isfinite(values).all():
            raise MalformedError(f"its {name} are not all finite numbers")
    length = np.linalg.norm(rotations, axis=1, keepdims=True)
    if not (np.isfinite(length) & (length > 1e-6)).all():
        raise MalformedError("a rotation is a quaternion without length")
    colors = np.clip(0.5 + C0 * f_dc, 0, 1).astype(np.float32)
    return Gaussians(means, (rotations / length).astype(np.float32), scales, opacities, colors)  # type: ignore[arg-type]


def stacked(columns: Columns, *names: str) -> NDArray[np.float64]:
    """Columns beside each other, (N, len(names)) float64."""
    with np.errstate(invalid="ignore"):  # what is not a number is found later
        return np.stack([columns[name].astype(np.float64) for name in names], axis=1)


def write_columns(columns: Columns, comments: tuple[str, ...] = ()) -> bytes:
    """A binary little-endian PLY with one element `vertex`; all columns (N,) become float32."""
    count = len(next(iter(columns.values())))
    lines = ["ply", "format binary_little_endian 1.0", *(f"comment {c}" for c in comments), f"element vertex {count}"]
    lines += [*(f"property float {name}" for name in columns), "end_header", ""]
    table: Array = np.empty((count, len(columns)), "<f4")
    for i, column in enumerate(columns.values()):
        table[:, i] = column
    return "\n".join(lines).encode("ascii") + table.tobytes()


def read_columns(data: bytes) -> Columns:
    """All columns of the element `vertex`, views of `data` where that is binary. Raises `MalformedError`.

    What the header says is checked against limits and against the length of `data` before room is made for anything.
    """
    byte_order, elements, start = _header(data)
    body = memoryview(data)[start:]
    position = next((i for i, e in enumerate(elements) if e.name == "vertex"), None)
    if position is None:
        raise MalformedError("it has no element 'vertex'")
    vertex = elements[position]
    if not 0 < vertex.count <= MAX_GAUSSIANS:
        raise MalformedError(f"it has {vertex.count} Gaussians where 1 to {MAX_GAUSSIANS} are allowed")
    if not vertex.properties or any(kind is None for e in elements[: position + 1] for _, kind in e.properties):
        raise MalformedError("its vertices are, or come after, lists of changing length, which no 3D Gaussians have")
    if not byte_order:
        return _text(bytes(body), elements[:position], vertex)
    sizes = [e.count * _row(e, byte_order).itemsize for e in elements[: position + 1]]
    if sum(sizes) > len(body):
        raise MalformedError(f"it ends before its {vertex.count} Gaussians do")
    last = position == len(elements) - 1
    if last and sum(sizes) < len(body):
        raise MalformedError(f"it is longer than its {vertex.count} Gaussians")
    rows = np.frombuffer(body, _row(vertex, byte_order), vertex.count, sum(sizes[:-1]))
    return {name: rows[name] for name, _ in vertex.properties}


def _row(element: _Element, byte_order: str) -> np.dtype[Any]:
    return np.dtype([(name, byte_order + str(kind)) for name, kind in element.properties])


def _text(body: bytes, before: list[_Element], vertex: _Element) -> Columns:
    """Columns of an ASCII file, float64; one row a line."""
    if len(body) > MAX_TEXT_BYTES:
        raise MalformedError(f"it is written in plain text of more than {MAX_TEXT_BYTES} bytes")
    first = sum(e.count for e in before)
    lines = [line for line in body.decode("ascii", "replace").splitlines() if line.strip()]
    if len(lines) < first + vertex.count:
        raise MalformedError(f"it ends before its {vertex.count} Gaussians do")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            table = np.loadtxt(lines[first : first + vertex.count], np.float64, comments=None, ndmin=2)
    except (ValueError, UserWarning, OverflowError):
        raise MalformedError("a line of it is not a row of numbers") from None
    if table.shape != (vertex.count, len(vertex.properties)):
        raise MalformedError(f"its rows do not have {len(vertex.properties)} numbers")
    return {name: table[:, i] for i, (name, _) in enumerate(vertex.properties)}


def _header(data: bytes) -> tuple[str, list[_Element], int]:
    """Byte order ("" for text), elements, and where the header ends."""
    if not data.startswith((b"ply\n", b"ply\r\n")):
        raise MalformedError("it does not begin as a PLY file")
    end = data.find(b"\nend_header", 0, MAX_HEADER_BYTES)
    close = data.find(b"\n", end + 1, end + 32)
    if end < 0 or close < 0 or data[end + 1 : close].rstrip(b"\r") != b"end_header":
        raise MalformedError(f"its header does not end within {MAX_HEADER_BYTES} bytes")
    byte_order: str | None = None
    elements: list[_Element] = []
    for line in data[:end].decode("ascii", "replace").splitlines()[1:]:
        words = line.split()
        match words:
            case [] | ["comment" | "obj_info", *_]:
                continue
            case ["format", name, "1.0"] if byte_order is None and name in FORMATS:
                byte_order = FORMATS[name]
            case ["element", name, count] if count.isascii() and count.isdigit() and len(count) < 16:
                elements.append(_Element(name, int(count), []))
            case ["property", "list", a, b, name] if elements and a in TYPES and b in TYPES:
                elements[-1].properties.append((name, None))
            case ["property", kind, name] if elements and kind in TYPES:
                elements[-1].properties.append((name, TYPES[kind]))
            case _:
                raise MalformedError(f"its header has the line {line.strip()[:60]!r}, which PLY does not know")
        if elements and len(elements[-1].properties) > MAX_PROPERTIES:
            raise MalformedError(f"an element of it has more than {MAX_PROPERTIES} properties")
    if byte_order is None:
        raise MalformedError("its header does not say how the numbers are written")
    for element in elements:
        if len({name for name, _ in element.properties}) != len(element.properties):
            raise MalformedError(f"the element {element.name[:40]!r} of it has a property twice")
    return byte_order, elements, close + 1
