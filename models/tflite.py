"""A TFLite file as operators and tensors, read without TensorFlow (a FlatBuffer; the schema is
https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs).

Only for networks that ship or whose hash is known: what a file says about places in it is believed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OPERATOR_CODES, SUBGRAPHS, BUFFERS = 1, 2, 4
"""Fields of a model."""
OLD_CODE, CODE = 0, 3
"""Fields of an operator code."""
TENSORS, OPERATORS = 0, 3
"""Fields of a subgraph."""
SHAPE, TYPE, BUFFER = 0, 1, 2
"""Fields of a tensor."""
OPCODE, INPUTS, OUTPUTS, OPTIONS = 0, 1, 2, 4
"""Fields of an operator."""
DATA = 0
"""Field of a buffer."""
FLOAT = "<f4"
TYPES = {0: FLOAT, 2: "<i4"}
"""Tensor types that are read."""


@dataclass(frozen=True)
class Table:
    """A FlatBuffer table. data: the whole file. start: where the table lies, bytes."""

    data: bytes
    start: int

    def number(self, field: int, kind: str = "b", default: int = 0) -> int:
        """A scalar field. kind: of `struct`, b for enumerations, i for integers."""
        place = self._place(field)
        return default if place is None else int(struct.unpack_from(f"<{kind}", self.data, place)[0])

    def table(self, field: int) -> Table | None:
        """A table in a field, or None."""
        place = self._place(field)
        return None if place is None else Table(self.data, place + self._u32(place))

    def tables(self, field: int) -> list[Table]:
        """A vector of tables."""
        first, count = self.vector(field)
        return [Table(self.data, at + self._u32(at)) for at in range(first, first + 4 * count, 4)]

    def vector(self, field: int) -> tuple[int, int]:
        """Where a vector begins, bytes, and how many entries it has."""
        place = self._place(field)
        if place is None:
            return 0, 0
        vector = place + self._u32(place)
        return vector + 4, self._u32(vector)

    def integers(self, field: int) -> tuple[int, ...]:
        """A vector of 32-bit integers."""
        first, count = self.vector(field)
        return struct.unpack_from(f"<{count}i", self.data, first)

    def _u32(self, place: int) -> int:
        return int(struct.unpack_from("<I", self.data, place)[0])

    def _place(self, field: int) -> int | None:
        """Where a field's value lies; None when the table leaves it out."""
        fields = self.start - struct.unpack_from("<i", self.data, self.start)[0]
        slot = 4 + 2 * field
        if slot >= struct.unpack_from("<H", self.data, fields)[0]:
            return None
        offset = struct.unpack_from("<H", self.data, fields + slot)[0]
        return self.start + offset if offset else None


@dataclass(frozen=True)
class Operator:
    """code: number of the schema's BuiltinOperator. inputs, outputs: tensors; -1 for an input that is left out. options: of the
    kind, None without any."""

    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Table | None


@dataclass(frozen=True)
class Network:
    """shapes: of all tensors. spans: for each constant float32 or int32 tensor its type, first byte and number of entries.
    operators: in the order in which they run."""

    data: bytes
    shapes: tuple[tuple[int, ...], ...]
    spans: dict[int, tuple[str, int, int]]
    operators: tuple[Operator, ...]

    def constant(self, tensor: int) -> NDArray[np.generic]:
        """The value of a constant tensor, in its shape. Raises `KeyError` for any other tensor."""
        kind, first, count = self.spans[tensor]
        return np.frombuffer(self.data, kind, count, first).reshape(self.shapes[tensor])


def read(data: bytes) -> Network:
    """The first subgraph of a TFLite file."""
    root = Table(data, struct.unpack_from("<I", data)[0])
    codes = [max(code.number(OLD_CODE), code.number(CODE, "i")) for code in root.tables(OPERATOR_CODES)]
    buffers, graph = root.tables(BUFFERS), root.tables(SUBGRAPHS)[0]
    shapes, spans = [], {}
    for index, tensor in enumerate(graph.tables(TENSORS)):
        shapes.append(tensor.integers(SHAPE))
        kind = TYPES.get(tensor.number(TYPE))
        first, size = buffers[tensor.number(BUFFER, "I")].vector(DATA)
        if kind and size:
            spans[index] = (kind, first, size // 4)
    operators = [
        Operator(codes[op.number(OPCODE, "I")], op.integers(INPUTS), op.integers(OUTPUTS), op.table(OPTIONS))
        for op in graph.tables(OPERATORS)
    ]
    return Network(data, tuple(shapes), spans, tuple(operators))
