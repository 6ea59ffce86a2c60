"""Avatar files of both versions, damaged at random."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import avatar_file
from models.errors import AvatarFileError
from tests.models import test_avatar_file, test_avatar_file_corrections
from tests.models.test_avatar_file import refused

FILES = (test_avatar_file.DATA, test_avatar_file_corrections.DATA)
"""Without corrections, and with."""
FILE = st.sampled_from(FILES)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "a.avatar"


def header(data: bytes) -> int:
    return int.from_bytes(data[:8], "little")


def refused_or_the_same(path: Path, changed: bytes, original: bytes) -> None:
    """A changed byte may mean the same: a space that became a tab, an escape in capitals."""
    path.write_bytes(changed)
    try:
        back = avatar_file.load(path)
    except AvatarFileError:
        return
    assert avatar_file.encode(back) == avatar_file.encode(avatar_file.decode(original))


@settings(max_examples=300, deadline=None)
@given(original=FILE, part=st.floats(0, 1, exclude_max=True), value=st.integers(1, 255))
def test_any_changed_byte_is_noticed(scratch: Path, original: bytes, part: float, value: int) -> None:
    data, place = bytearray(original), int(part * len(original))
    data[place] ^= value
    if place < 8 + header(original):
        refused_or_the_same(scratch, bytes(data), original)
    else:
        refused(scratch, bytes(data), "altered")


@settings(max_examples=250, deadline=None)
@given(original=FILE, part=st.floats(0, 1, exclude_max=True), new=st.binary(max_size=6), removed=st.integers(0, 6))
def test_a_garbled_header_never_crashes(scratch: Path, original: bytes, part: float, new: bytes, removed: int) -> None:
    end = 8 + header(original)
    place = 8 + int(part * (end - 8))
    text = original[8:place] + new + original[place + removed : end]
    refused_or_the_same(scratch, len(text).to_bytes(8, "little") + text + original[end:], original)


@settings(max_examples=120, deadline=None)
@given(original=FILE, part=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_noticed(scratch: Path, original: bytes, part: float) -> None:
    refused(scratch, original[: int(part * len(original))])


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_are_refused(scratch: Path, data: bytes) -> None:
    refused(scratch, data)
    refused(scratch, len(data).to_bytes(8, "little") + data)
