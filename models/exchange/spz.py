"""SPZ, Niantic's packed Gaussians (https://github.com/nianticlabs/spz, MIT), versions 2 and 3: without a rig, 20 bytes each.

A gzip stream (RFC 1952) of a header and six arrays, one after the other, little-endian:

    u32 magic "NGSP", u32 version, u32 N, u8 degree of the spherical harmonics, u8 fractional bits F, u8 flags, u8 0
    positions  N x 3 x i24   metres times 2^F
    alphas     N x u8        opacity times 255
    colours    N x 3 x u8    255 (0.5 + 0.15 f_dc), f_dc = (colour - 0.5) / C0
    scales     N x 3 x u8    16 (ln(scale) + 10)
    rotations  version 3: N x u32, the three smallest components, 9 bits and a sign each, and 2 bits: which is largest;
               version 2: N x 3 x u8, x y z with w made positive, 127.5 (component + 1)
    harmonics  N x 3 x (0, 3, 8 or 15) x u8   left out when read

Axes are right, up, back, which is avatar space; components are in the order x y z w. What packing costs, at most: positions
2^-(F + 1) metres (F is 16 here where that reaches: 8 micrometres), opacity 1/510, colour 0.0037, scale 3.2 % (between 0.000045
and 377 metres), rotation 0.005 radians in version 3 and 0.25 in version 2, where it is worst near half turns and mostly 0.02.
Version 1 (half floats) was never released, version 4 is packed otherwise; both are refused, and so are extensions.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.atomic import atomic_write
from models.exchange.ply import C0
from models.exchange.reading import explained, read_file
from models.tensor_file import MalformedError
from models.types import Array, Gaussians

MAGIC = 0x5053474E
HEADER = struct.Struct("<IIIBBBB")
VERSIONS = (2, 3)
MAX_BYTES = 256 << 20
MAX_GAUSSIANS = 2_000_000
FRACTION = 16
"""Fractional bits that are written when all positions fit: 128 metres each way."""
LIMIT = (1 << 23) - 1
COLOR = 0.15
EXTENSIONS = 0x02
"""The flag of files with blocks that only newer readers know."""
HARMONICS = {0: 0, 1: 3, 2: 8, 3: 15}
ADVICE = "pack it again as SPZ of version 2 or 3"


def save(gaussians: Gaussians, path: Path, version: int = 3) -> None:
    """Write world Gaussians to `path`, whole or not at all. version: 3, or 2 for older viewers."""
    data = encode(gaussians, version)
    with atomic_write(path) as stream:
        stream.write(data)


def load(path: Path) -> Gaussians:
    """The Gaussians of an SPZ file. Raises `AvatarFileError`."""
    with explained(path, ADVICE):
        return decode(read_file(path, MAX_BYTES))


def encode(gaussians: Gaussians, version: int = 3) -> bytes:
    """The file's bytes; the same Gaussians give the same bytes. Positions beyond 8000 km are cut off there."""
    g = gaussians
    reach = float(np.abs(g.means).max(initial=1e-9))
    fraction = int(np.clip(np.floor(np.log2(LIMIT / reach)), 0, FRACTION))
    fixed = np.clip(np.round(g.means.astype(np.float64) * (1 << fraction)), -LIMIT, LIMIT).astype("<i4")
    with np.errstate(divide="ignore"):
        logs = np.log(g.scales.astype(np.float64))
    parts = [
        HEADER.pack(MAGIC, version, len(g), 0, fraction, 0, 0),
        np.ascontiguousarray(fixed).view(np.uint8).reshape(-1, 4)[:, :3].tobytes(),
        _byte(g.opacities * 255.0),
        _byte(255 * (0.5 + COLOR * (g.colors.astype(np.float64) - 0.5) / C0)),
        _byte(16 * (logs + 10)),
        _smallest_three(g.rotations) if version == 3 else _first_three(g.rotations),
    ]
    return gzip.compress(b"".join(parts), 6, mtime=0)


def decode(data: bytes) -> Gaussians:
    """The inverse of `encode`. Raises `MalformedError`; a small file cannot make a large one."""
    unzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
    head = _inflate(unzip, data, HEADER.size)
    if len(head) < HEADER.size:
        raise MalformedError("it ends before its header does")
    magic, version, n, degree, fraction, flags, _ = HEADER.unpack(head)
    if magic != MAGIC:
        raise MalformedError("it is not an SPZ file")
    if version not in VERSIONS:
        raise MalformedError(f"it has version {version} where versions 2 and 3 are read")
    if not 0 < n <= MAX_GAUSSIANS:
        raise MalformedError(f"it has {n} Gaussians where 1 to {MAX_GAUSSIANS} are allowed")
    if degree not in HARMONICS or fraction > 23:
        raise MalformedError("its header names a degree or a precision that SPZ does not have")
    if flags & EXTENSIONS:
        raise MalformedError("it has extensions, which are not read")
    sizes = [9, 1, 3, 3, 4 if version == 3 else 3]
    total = n * (sum(sizes) + 3 * HARMONICS[degree])
    body = _inflate(unzip, unzip.unconsumed_tail, total)
    if len(body) != total:
        raise MalformedError(f"it ends before its {n} Gaussians do")
    ends = n * np.cumsum(sizes)
    positions, alphas, colors, scales, rotations = (
        part.reshape(n, -1) for part in np.split(np.frombuffer(body, np.uint8), ends)[:5]
    )
    triples = positions.reshape(n, 3, 3).astype(np.int32)
    fixed = triples[..., 0] | triples[..., 1] << 8 | triples[..., 2] << 16
    fixed -= (fixed & 0x800000) << 1
    f_dc = (colors / 255 - 0.5) / COLOR
    return Gaussians(
        (fixed / (1 << fraction)).astype(np.float32),
        _from_smallest_three(rotations) if version == 3 else _from_first_three(rotations),
        np.exp(scales / 16 - 10).astype(np.float32),
        (alphas[:, 0] / 255).astype(np.float32),
        np.clip(0.5 + C0 * f_dc, 0, 1).astype(np.float32),
    )


def _inflate(unzip: zlib._Decompress, data: bytes, size: int) -> bytes:
    """Up to `size` bytes more of the stream."""
    out = bytearray()
    try:
        while len(out) < size:
            more = unzip.decompress(data, size - len(out))
            if not more and (unzip.eof or not unzip.unconsumed_tail):
                break
            out += more
            data = unzip.unconsumed_tail
    except zlib.error:
        raise MalformedError("it is not a gzip stream, or a damaged one") from None
    return bytes(out)


def _byte(values: NDArray[Any]) -> bytes:
    return np.clip(np.round(values), 0, 255).astype(np.uint8).tobytes()


def _xyzw(rotations: Array) -> NDArray[np.float64]:
    q = np.roll(rotations.astype(np.float64), -1, axis=1)
    return np.asarray(q / np.maximum(np.linalg.norm(q, axis=1, keepdims=True), 1e-12))


def _first_three(rotations: Array) -> bytes:
    q = _xyzw(rotations)
    return _byte(127.5 + 127.5 * np.where(q[:, 3:] < 0, -1, 1) * q[:, :3])


def _from_first_three(packed: NDArray[np.uint8]) -> Array:
    xyz = packed / 127.5 - 1
    w = np.sqrt(np.maximum(1 - np.sum(xyz * xyz, axis=1, keepdims=True), 0))
    q = np.concatenate([w, xyz], axis=1)
    return (q / np.linalg.norm(q, axis=1, keepdims=True)).astype(np.float32)


def _smallest_three(rotations: Array) -> bytes:
    """Two bits for the largest component, then the others in order, the first one highest; the sign is that of the largest."""
    q = _xyzw(rotations)
    largest = np.argmax(np.abs(q), axis=1)
    q *= np.where(np.take_along_axis(q, largest[:, None], axis=1) < 0, -1, 1)
    word = largest.astype(np.uint32)
    for i in range(4):
        magnitude = np.minimum(np.floor(511 * np.sqrt(2) * np.abs(q[:, i]) + 0.5), 511).astype(np.uint32)
        component = (q[:, i] < 0).astype(np.uint32) << np.uint32(9) | magnitude
        word = np.where(largest == i, word, word << np.uint32(10) | component).astype(np.uint32)
    return word.astype("<u4").tobytes()


def _from_smallest_three(packed: NDArray[np.uint8]) -> Array:
    word = np.ascontiguousarray(packed).view("<u4")[:, 0].astype(np.uint32)
    largest = (word >> np.uint32(30)).astype(np.int64)
    q = np.zeros((len(word), 4))
    for i in (3, 2, 1, 0):
        value = (word & np.uint32(511)) / (511 * np.sqrt(2)) * np.where(word >> np.uint32(9) & np.uint32(1), -1, 1)
        q[:, i] = np.where(largest == i, 0, value)
        word = np.where(largest == i, word, word >> np.uint32(10)).astype(np.uint32)
    rest = np.sqrt(np.maximum(1 - np.sum(q * q, axis=1), 0))
    np.put_along_axis(q, largest[:, None], rest[:, None], axis=1)
    q = np.roll(q, 1, axis=1)
    return (q / np.maximum(np.linalg.norm(q, axis=1, keepdims=True), 1e-12)).astype(np.float32)
