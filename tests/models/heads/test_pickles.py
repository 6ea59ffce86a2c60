from __future__ import annotations

import io
import os
import pickle
import pickletools
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import HeadModelError
from models.heads.pickles import read_arrays
from tests.models.heads.flame_file import chumpy

RNG = np.random.default_rng(0)
CONTENT: dict[str, Any] = {
    "rows": RNG.normal(size=(4, 3)),
    "columns": np.asfortranarray(RNG.normal(size=(4, 3, 2))),
    "big_endian": np.arange(5, dtype=">i4"),
    "faces": np.arange(12, dtype=np.uint32).reshape(4, 3),
    "csc": scipy.sparse.random(5, 40, 0.2, "csc", rng=RNG),
    "csr": scipy.sparse.random(5, 40, 0.2, "csr", rng=RNG),
    "text": "lrotmin",
    "number": 3,
}


def refused(path: Path, data: bytes, reason: str) -> None:
    path.write_bytes(data)
    with pytest.raises(HeadModelError, match=reason) as error:
        read_arrays(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_come_back(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "a.pkl"
    with chumpy() as ch:
        data = pickle.dumps(CONTENT | {"chumpy": ch(CONTENT["rows"])}, protocol)
    path.write_bytes(data)
    back = read_arrays(path)
    assert set(back) == set(CONTENT) - {"text", "number"} | {"chumpy"}
    np.testing.assert_array_equal(back["chumpy"], CONTENT["rows"])
    for name, array in back.items():
        if name != "chumpy":
            want = CONTENT[name]
            np.testing.assert_array_equal(array, want.toarray() if scipy.sparse.issparse(want) else want)


def test_a_pickle_of_python_2(tmp_path: Path) -> None:
    """Bytes as text, names of the old modules, as the model of 2020 has them."""
    raw = RNG.normal(size=(2, 3))
    text = raw.tobytes()
    data = (
        b"\x80\x02}U\x01acchumpy.ch\nCh\n)\x81}U\x01xcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x02K\x03\x86cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        + b"U"
        + bytes([len(text)])
        + text
        + b"tbsbs."
    )
    pickletools.dis(data, out=io.StringIO())
    path = tmp_path / "a.pkl"
    path.write_bytes(data)
    np.testing.assert_array_equal(read_arrays(path)["a"], raw)


class Evil:
    """Runs a command when it is unpickled in the ordinary way."""

    def __init__(self, call: Any, *arguments: object) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Any, tuple[object, ...]]:
        return self.call, self.arguments


@pytest.mark.parametrize("call", [os.system, eval, exec, subprocess.call, __import__, getattr, open])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_call_is_refused_and_not_made(tmp_path: Path, call: Any, protocol: int) -> None:
    mark = tmp_path / "ran"
    refused(tmp_path / "a.pkl", pickle.dumps({"a": Evil(call, f"touch {mark}")}, protocol), "asks for")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "posix.system|os.system"),
        (b"(S'true'\nios\nsystem\n.", "os.system"),
        (b"(cos\nsystem\nS'true'\no.", "os.system"),
        (b"\x80\x04\x8c\x05numpy\x8c\x08f2py.run\x93.", "f2py"),
        (b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__init__\x93.", "ndarray.__init__"),
        (b"Pabc\n.", "persistent_load|persistent id"),
        (b"\x80\x02\x82\x01.", ""),
        (b"N.", "does not hold a dict"),
        (b"", ""),
        (b"\x80\x04", ""),
        (b"not a pickle", ""),
        (b"\x80\x02}r\xff\xff\xff\x7f.", "numbers its objects"),
        (b"\x80\x05\x96\xff\xff\xff\xff\xff\x00\x00\x00.", ""),
        (b"\x80\x02" + b"}0" * 200_001 + b"}.", "operations"),
        (b"\x80\x02" + b"(" * 90_000 + b"t" * 90_000 + b".", "dict"),
    ],
)
def test_odd_programs_are_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    refused(tmp_path / "a.pkl", data, reason or "is not a pickle of plain arrays")


def test_a_pickle_cannot_change_the_stand_ins(tmp_path: Path) -> None:
    """BUILD on a class would set its attributes, and the next file would be read with them."""
    for kind, reason in ((b"cnumpy.core.multiarray\n_reconstruct\n", "change a class"), (b"cnumpy\nndarray\n", "missing")):
        program = b"\x80\x02}U\x01a" + kind + b"N}U\x07__new__cnumpy\ndtype\ns\x86bs."
        refused(tmp_path / "a.pkl", program, reason)
    test_arrays_come_back(tmp_path, 2)


def _pickled(value: object) -> bytes:
    return pickle.dumps({"a": value}, 2)


def test_arrays_that_are_no_numbers_or_lie_about_their_size(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    refused(path, _pickled(np.array([{}, None], object)), "where numbers were expected")
    refused(path, _pickled(np.array(["text"])), "where numbers were expected")
    refused(path, _pickled(np.zeros(2, [("a", "f4")])), "where numbers were expected")
    small = _pickled(np.zeros((1, 3), np.uint8))
    refused(path, small.replace(b"K\x01K\x03\x86", b"K\x09K\x03\x86"), "does not fit")
    refused(path, small.replace(b"K\x01K\x03\x86", b"J\xff\xff\xff\xffK\x03\x86"), "impossible")


def test_a_sparse_matrix_that_would_take_all_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    refused(path, _pickled(scipy.sparse.csc_matrix((100_000, 100_000))), "too large")
    bad = scipy.sparse.csr_matrix(np.eye(3))
    bad.indices = bad.indices + 5
    refused(path, _pickled(bad), "out of bounds")
    bad.indices = bad.indices - 9
    refused(path, _pickled(bad), "negative")


def test_what_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.pkl", tmp_path):
        with pytest.raises(HeadModelError, match="cannot be read"):
            read_arrays(path)
    huge = tmp_path / "huge.pkl"
    with huge.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(HeadModelError, match="larger than"):
        read_arrays(huge)


with chumpy() as _ch:
    SMALL = pickle.dumps({"a": np.eye(3), "s": scipy.sparse.csc_matrix(np.eye(3)), "c": _ch(np.eye(2))}, 2)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "a.pkl"


@settings(max_examples=400, deadline=None)
@given(place=st.integers(0, len(SMALL) - 1), new=st.binary(max_size=5), removed=st.integers(0, 5))
def test_a_garbled_pickle_is_read_or_refused(scratch: Path, place: int, new: bytes, removed: int) -> None:
    scratch.write_bytes(SMALL[:place] + new + SMALL[place + removed :])
    try:
        arrays = read_arrays(scratch)
    except HeadModelError:
        return
    assert all(isinstance(a, np.ndarray) for a in arrays.values())
