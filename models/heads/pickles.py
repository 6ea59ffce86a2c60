"""Arrays out of a pickle without running anything that is in it.

Some head models are only handed out as pickles of numpy, scipy and chumpy objects. A pickle is a program; here the only
calls it can make are those of the inert stand-ins in this file, so the worst it can do is to be refused. chumpy need not
be installed. Opcodes: `pickletools` of the standard library describes them.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import HeadModelError

MAX_BYTES = 512 << 20
MAX_OPERATIONS = 200_000
"""A head model takes a few hundred; each could make one small object."""
MAX_DENSE = 1 << 24
"""Elements that a sparse matrix may have when it is written out."""
NUMBER = re.compile("[fiub][1248]")


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a pickled dict by their names, sparse ones written out; text and plain numbers are left out.

    Raises `HeadModelError` when the file cannot be read, is larger than 512 MB, is not a pickled dict, or calls anything
    but what rebuilds numpy arrays, scipy's sparse matrices and chumpy's arrays.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise HeadModelError(f"{path.name} is larger than the {MAX_BYTES >> 20} MB a head model may have; check the file")
        data = path.read_bytes()
    except OSError as error:
        raise HeadModelError(
            f"a head model was expected at {path} but it cannot be read ({error.strerror or error}); check the path"
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of odd escapes in a damaged file
            _check_operations(data)
            top = _Unpickler(io.BytesIO(data), encoding="latin1").load()
            if not isinstance(top, dict):
                raise pickle.UnpicklingError("it does not hold a dict")
            return {name: array for name, value in top.items() if isinstance(name, str) and (array := _array(value)) is not None}
    except (  # what the documentation of `pickle` and `pickletools` names, and what broken arguments raise
        pickle.UnpicklingError, ArithmeticError, AttributeError, EOFError, ImportError, LookupError, MemoryError,
        RecursionError, TypeError, ValueError,
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split()) or "it breaks off"
        raise HeadModelError(
            f"{path.name} is not a pickle of plain arrays ({reason}); fetch it again from where it came"
        ) from None


def _check_operations(data: bytes) -> None:
    """Bounds what the unpickler will make; its memo is a list as long as the largest number it is asked to remember."""
    for count, (operation, argument, _) in enumerate(pickletools.genops(data)):
        if count > MAX_OPERATIONS:
            raise pickle.UnpicklingError(f"it takes more than {MAX_OPERATIONS} operations")
        remembers = operation.name in ("PUT", "BINPUT", "LONG_BINPUT")
        if remembers and not (isinstance(argument, int) and 0 <= argument < MAX_OPERATIONS):
            raise pickle.UnpicklingError("it numbers its objects too high")


def _array(value: object) -> NDArray[Any] | None:
    if isinstance(value, _Chumpy):
        value = value.x
    if isinstance(value, _Sparse):
        return value.dense()
    return value.data if isinstance(value, _Array) else None


class _Sealed(type):
    """Classes that a pickle cannot change by 'restoring the state' of the class itself."""

    def __setattr__(cls, name: str, value: object) -> None:
        raise pickle.UnpicklingError("it tries to change a class")


class _Type(metaclass=_Sealed):
    """numpy.dtype: `('f8', False, True)` and then a state whose second item is the byte order."""

    def __init__(self, code: str, *_: object) -> None:
        if not isinstance(code, str) or not NUMBER.fullmatch(code):
            raise pickle.UnpicklingError(f"it holds an array of {str(code)[:20]!r} where numbers were expected")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError("it holds an array of unknown byte order")
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array(metaclass=_Sealed):
    """numpy.ndarray; the state is (version, shape, type, column order, bytes)."""

    data: NDArray[Any] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, columns, raw = state
        # Python 2 wrote bytes as text
        self.data = _numbers(raw.encode("latin1") if isinstance(raw, str) else raw, kind, shape, "F" if columns else "C")


class _Reconstruct(metaclass=_Sealed):
    """numpy's empty array that the next operation fills."""

    def __new__(cls, *_: object) -> Any:
        return _Array()


class _FromBuffer(metaclass=_Sealed):
    """numpy's array of protocol 5: (bytes, type, shape, order)."""

    def __new__(cls, raw: bytes, kind: _Type, shape: tuple[int, ...], order: str) -> Any:
        out = _Array()
        out.data = _numbers(raw, kind, shape, order)
        return out


class _Sparse(metaclass=_Sealed):
    """scipy's compressed columns."""

    by_rows = False

    def __setstate__(self, state: dict[str, Any]) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError("it holds a sparse matrix without its parts")
        self.state = state

    def dense(self) -> NDArray[Any]:
        """(rows, columns)."""
        shape = _shape(self.state["_shape" if "_shape" in self.state else "shape"])
        values, inner, start = (_array(self.state[name]) for name in ("data", "indices", "indptr"))
        if values is None or inner is None or start is None or len(shape) != 2 or math.prod(shape) > MAX_DENSE:
            raise pickle.UnpicklingError("it holds a sparse matrix that lacks a part or is too large")
        counts = np.diff(start)
        if start.ndim != 1 or inner.ndim != 1 or (counts < 0).any() or counts.sum() != len(values) or len(inner) != len(values):
            raise pickle.UnpicklingError("it holds a sparse matrix whose parts do not fit together")
        outer = np.repeat(np.arange(len(counts)), counts)
        rows, columns = (outer, inner) if self.by_rows else (inner, outer)
        if (rows < 0).any() or (columns < 0).any():
            raise pickle.UnpicklingError("it holds a sparse matrix with negative positions")
        out = np.zeros(shape, values.dtype)
        np.add.at(out, (rows, columns), values)
        return out


class _SparseRows(_Sparse):
    """scipy's compressed rows."""

    by_rows = True


class _Chumpy(metaclass=_Sealed):
    """chumpy's array: the values are the entry `x` of its state, the rest is its bookkeeping."""

    x: object = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.x = state.get("x")


class _Rebuild(metaclass=_Sealed):
    """copyreg._reconstructor: an object without its state."""

    def __new__(cls, kind: type, *_: object) -> Any:
        if kind not in (_Chumpy, _Sparse, _SparseRows):
            raise pickle.UnpicklingError("it rebuilds an object that is no array")
        return kind()


class _NoBytes(metaclass=_Sealed):
    """How Python 3 writes empty bytes for Python 2."""

    def __new__(cls) -> Any:
        return b""


class _Encode(metaclass=_Sealed):
    """_codecs.encode: how Python 3 writes bytes for Python 2."""

    def __new__(cls, text: str, encoding: str) -> Any:
        if not isinstance(text, str) or encoding != "latin1":
            raise pickle.UnpicklingError("it encodes what is not bytes")
        return text.encode("latin1")


_STAND_INS: dict[tuple[str, str], type] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("chumpy.ch", "Ch"): _Chumpy,
    ("_codecs", "encode"): _Encode,
    ("collections", "OrderedDict"): OrderedDict,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Reconstruct for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _FromBuffer for core in ("core", "_core")},
    **{(module, "_reconstructor"): _Rebuild for module in ("copy_reg", "copyreg")},
    **{(f"scipy.sparse.{private}csc", "csc_matrix"): _Sparse for private in ("", "_")},
    **{(f"scipy.sparse.{private}csr", "csr_matrix"): _SparseRows for private in ("", "_")},
    **{(module, "object"): object for module in ("__builtin__", "builtins")},
    **{(module, "bytes"): _NoBytes for module in ("__builtin__", "builtins")},
    **{(module, "set"): set for module in ("__builtin__", "builtins")},
}


class _Unpickler(pickle.Unpickler):
    """Knows no names but the stand-ins."""

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in, never the thing itself."""
        found = _STAND_INS.get((module, name))
        if found is None:
            raise pickle.UnpicklingError(f"it asks for {f'{module}.{name}'[:80]!r}, which is no array")
        return found


def _numbers(raw: object, kind: object, shape: object, order: str) -> NDArray[Any]:
    sizes = _shape(shape)
    if not isinstance(raw, bytes | bytearray) or not isinstance(kind, _Type):
        raise pickle.UnpicklingError("it holds an array without numbers")
    if len(raw) != math.prod(sizes) * kind.dtype.itemsize or order not in ("C", "F"):
        raise pickle.UnpicklingError("it holds an array whose shape does not fit its numbers")
    return np.frombuffer(raw, kind.dtype).reshape(sizes, order="F" if order == "F" else "C")


def _shape(value: object) -> tuple[int, ...]:
    if not isinstance(value, tuple) or len(value) > 4 or not all(type(n) is int and 0 <= n < 1 << 40 for n in value):
        raise pickle.UnpicklingError("it holds an array of an impossible shape")
    return value
