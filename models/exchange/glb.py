"""A small writer, reader and checker of glTF 2.0 in one binary file (.glb), as far as skinned and morphed meshes need it.

    u32 "glTF", u32 version 2, u32 length; then chunks of u32 length, u32 type, bytes: "JSON", padded with spaces to four
    bytes, and "BIN\\0", padded with zeros

Source: the specification, https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html (4.4 on the container, 3.6 on accessors).
"""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.tensor_file import MalformedError

MAGIC, VERSION, JSON_CHUNK, BINARY_CHUNK = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
COMPONENT_OF = {np.dtype(kind): code for code, kind in COMPONENTS.items()}
WIDTH = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
VERTICES, INDICES = 34962, 34963
"""What a buffer view is for."""
STILL = 1e-5
"""Metres: a vertex that an expression moves less is left out of a sparse accessor."""
BROKEN = (LookupError, TypeError, ValueError, AttributeError, OverflowError)
"""What comes of JSON that has other things in it than it should."""
Document = dict[str, Any]


class Builder:
    """Collects arrays, and the document that refers to them by number. `document` is filled further by the caller."""

    def __init__(self, generator: str) -> None:
        self.document: Document = {
            "asset": {"version": "2.0", "generator": generator}, "accessors": [], "bufferViews": [], "buffers": [],
        }  # fmt: skip
        self._binary = bytearray()

    def accessor(self, array: NDArray[Any], kind: str, target: int | None = None, bounds: bool = False) -> int:
        """Number of a new accessor: array (N, WIDTH[kind]) or (N,). bounds: with min and max, as positions and times need."""
        out = self._described(array, kind, bounds)
        out["bufferView"] = self._view(array, target)
        return self._add(out)

    def displacements(self, array: NDArray[np.float32]) -> int:
        """Number of a new accessor for a morph target (N, 3) metres; sparse when most vertices stay where they are."""
        moved = np.flatnonzero(np.abs(array).max(axis=1) > STILL).astype("<u4")
        if 16 * len(moved) >= 12 * len(array):
            return self.accessor(array, "VEC3", bounds=True)
        kept = np.zeros_like(array)
        kept[moved] = array[moved]
        out = self._described(kept, "VEC3", True)
        if len(moved):
            out["sparse"] = {
                "count": len(moved),
                "indices": {"bufferView": self._view(moved, None), "componentType": 5125},
                "values": {"bufferView": self._view(kept[moved], None)},
            }
        return self._add(out)

    def finish(self) -> bytes:
        """The file's bytes."""
        self.document["buffers"] = [{"byteLength": len(self._binary)}]
        text = json.dumps(self.document, separators=(",", ":"), allow_nan=False).encode()
        text += b" " * (-len(text) % 4)
        body = bytes(self._binary)
        head = struct.pack("<IIIII", MAGIC, VERSION, 28 + len(text) + len(body), len(text), JSON_CHUNK)
        return b"".join([head, text, struct.pack("<II", len(body), BINARY_CHUNK), body])

    def _described(self, array: NDArray[Any], kind: str, bounds: bool) -> Document:
        table = array.reshape(len(array), WIDTH[kind])
        out: Document = {"componentType": COMPONENT_OF[array.dtype.newbyteorder("<")], "count": len(array), "type": kind}
        if bounds:
            out["min"], out["max"] = table.min(axis=0).tolist(), table.max(axis=0).tolist()
        return out

    def _view(self, array: NDArray[Any], target: int | None) -> int:
        data = np.ascontiguousarray(array).tobytes()
        view: Document = {"buffer": 0, "byteOffset": len(self._binary), "byteLength": len(data)}
        if target is not None:
            view["target"] = target
        self._binary += data + bytes(-len(data) % 4)
        self.document["bufferViews"].append(view)
        return len(self.document["bufferViews"]) - 1

    def _add(self, accessor: Document) -> int:
        self.document["accessors"].append(accessor)
        return len(self.document["accessors"]) - 1


def read(data: bytes) -> tuple[Document, bytes]:
    """The document and the binary chunk of a .glb. Raises `MalformedError`."""
    if len(data) < 20 or struct.unpack_from("<II", data) != (MAGIC, VERSION):
        raise MalformedError("it is not a binary glTF 2.0 file")
    if struct.unpack_from("<I", data, 8)[0] != len(data):
        raise MalformedError("its length is not what its header says")
    chunks: list[tuple[int, bytes]] = []
    at = 12
    while at + 8 <= len(data):
        length, kind = struct.unpack_from("<II", data, at)
        if length % 4 or at + 8 + length > len(data):
            raise MalformedError("a chunk of it does not fit into it")
        chunks.append((kind, data[at + 8 : at + 8 + length]))
        at += 8 + length
    if at != len(data) or not chunks or chunks[0][0] != JSON_CHUNK:
        raise MalformedError("its first chunk is not JSON, or it does not end with a chunk")
    try:
        document = json.loads(chunks[0][1])
    except (ValueError, RecursionError):
        raise MalformedError("its JSON is not readable") from None
    if not isinstance(document, dict):
        raise MalformedError("its JSON is not an object")
    return document, chunks[1][1] if len(chunks) > 1 and chunks[1][0] == BINARY_CHUNK else b""


def values(document: Document, binary: bytes, number: int) -> NDArray[Any]:
    """What accessor `number` holds, (N, width), sparse ones written out. Raises `MalformedError` when it reaches outside."""
    try:
        accessor = document["accessors"][number]
        kind, width, count = np.dtype(COMPONENTS[accessor["componentType"]]), WIDTH[accessor["type"]], int(accessor["count"])
        if count <= 0 or count * width * kind.itemsize > 1 << 30:
            raise MalformedError(f"accessor {number} of it has an impossible size")
        out = np.zeros((count, width), kind)
        if "bufferView" in accessor:
            out[:] = _part(document, binary, accessor, kind, count * width).reshape(count, width)
        if "sparse" in accessor:
            sparse = accessor["sparse"]
            moved = int(sparse["count"])
            index_kind = np.dtype(COMPONENTS[sparse["indices"]["componentType"]])
            index = _part(document, binary, sparse["indices"], index_kind, moved).astype(np.int64)
            if not moved or (np.diff(index) <= 0).any() or index[0] < 0 or index[-1] >= count:
                raise MalformedError(f"accessor {number} of it has sparse positions out of order or outside")
            out[index] = _part(document, binary, sparse["values"], kind, moved * width).reshape(moved, width)
    except MalformedError:
        raise
    except BROKEN:
        raise MalformedError(f"accessor {number} of it is not complete") from None
    return out


def check(data: bytes) -> tuple[Document, bytes]:
    """`read`, then that all numbers point at something, arrays lie inside the file, and bounds hold.

    Meshes must be skinned triangles with indices. Returns document and binary chunk; raises `MalformedError`.
    """
    document, binary = read(data)
    try:
        arrays = [values(document, binary, i) for i in range(len(document.get("accessors", [])))]
        for accessor, array in zip(document.get("accessors", []), arrays, strict=True):
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise MalformedError("an array of it holds numbers that are not finite")
            if "min" in accessor and not (
                np.array_equal(array.min(axis=0), np.asarray(accessor["min"], array.dtype))
                and np.array_equal(array.max(axis=0), np.asarray(accessor["max"], array.dtype))
            ):
                raise MalformedError("the bounds of an array are not what it holds")
        for mesh in document.get("meshes", []):
            for primitive in mesh["primitives"]:
                _check_primitive(primitive, document["accessors"], arrays)
        nodes = document.get("nodes", [])
        for animation in document.get("animations", []):
            _check_animation(animation, document["accessors"], arrays, len(nodes))
        for skin in document.get("skins", []):
            if document["accessors"][skin["inverseBindMatrices"]]["count"] != len(skin["joints"]):
                raise MalformedError("a skin of it does not have one matrix a joint")
        numbers = [n for thing in [*nodes, *document.get("scenes", [])] for n in thing.get("children", thing.get("nodes", []))]
        numbers += [joint for skin in document.get("skins", []) for joint in skin["joints"]]
        if any(not 0 <= n < len(nodes) for n in numbers):
            raise MalformedError("it refers to a node that it does not hold")
        _ = [(document["meshes"][node["mesh"]], document["skins"][node["skin"]]) for node in nodes if "mesh" in node]
    except MalformedError:
        raise
    except BROKEN as error:
        raise MalformedError(f"it refers to what it does not hold ({error})") from None
    return document, binary


def _check_primitive(primitive: Document, accessors: list[Document], arrays: list[NDArray[Any]]) -> None:
    attributes = primitive["attributes"]
    count = len(arrays[attributes["POSITION"]])
    if any(len(arrays[i]) != count for i in attributes.values()):
        raise MalformedError("the attributes of a mesh are not equally long")
    for target in primitive.get("targets", []):
        if len(arrays[target["POSITION"]]) != count or "min" not in accessors[target["POSITION"]]:
            raise MalformedError("a morph target does not fit its mesh")
    corners = arrays[primitive["indices"]]
    if corners.dtype.kind != "u" or corners.shape[1] != 1 or len(corners) % 3 or corners.max() >= count:
        raise MalformedError("a triangle refers to a vertex that is not there")
    if "WEIGHTS_0" in attributes and np.abs(arrays[attributes["WEIGHTS_0"]].sum(axis=1) - 1).max() > 1e-4:
        raise MalformedError("the weights of a vertex do not sum up to 1")


def _check_animation(animation: Document, accessors: list[Document], arrays: list[NDArray[Any]], nodes: int) -> None:
    for channel in animation["channels"]:
        sampler = animation["samplers"][channel["sampler"]]
        times, keys = arrays[sampler["input"]], arrays[sampler["output"]]
        bounded = "min" in accessors[sampler["input"]]
        if len(times) != len(keys) or (np.diff(times[:, 0]) <= 0).any() or not bounded:
            raise MalformedError("the times of an animation of it are not in order, or too few")
        if not 0 <= channel["target"]["node"] < nodes:
            raise MalformedError("an animation of it moves a node that it does not hold")


def _part(document: Document, binary: bytes, where: Document, kind: np.dtype[Any], count: int) -> NDArray[Any]:
    """Tightly packed numbers at a place that is given as buffer view and offset."""
    view = document["bufferViews"][where["bufferView"]]
    start, length = view.get("byteOffset", 0), view["byteLength"]
    offset, size = where.get("byteOffset", 0), count * kind.itemsize
    whole = all(type(n) is int and n >= 0 for n in (start, length, offset))
    if not whole or view.get("byteStride") or start + length > len(binary) or offset + size > length:
        raise MalformedError("an array of it reaches outside of its buffer")
    if math.gcd(start + offset, kind.itemsize) != kind.itemsize:
        raise MalformedError("an array of it is not aligned to its numbers")
    return np.frombuffer(binary, kind, count, start + offset)
