"""What the supervisor of a room's render process works with."""

from __future__ import annotations

import mmap
import os
import subprocess

import pytest

from realtime.room.supervision import born_with_one_blas_thread, handle_of, signal_name

NAME = "OPENBLAS_NUM_THREADS"


@pytest.mark.parametrize("before", [None, "3"])
def test_a_process_is_born_with_one_blas_thread_and_the_server_keeps_its_own(
    monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    if before is None:
        monkeypatch.delenv(NAME, raising=False)
    else:
        monkeypatch.setenv(NAME, before)
    with born_with_one_blas_thread():
        assert subprocess.check_output(["sh", "-c", f"echo ${NAME}"], text=True).strip() == "1"
    assert os.environ.get(NAME) == before
    with pytest.raises(KeyError), born_with_one_blas_thread():
        raise KeyError
    assert os.environ.get(NAME) == before


def test_an_avatar_lies_in_memory_behind_its_handle() -> None:
    handle = handle_of(b"an avatar")
    with mmap.mmap(handle, 9, prot=mmap.PROT_READ) as memory:
        assert bytes(memory) == b"an avatar"
    os.close(handle)


def test_signals_have_their_names() -> None:
    assert signal_name(9) == "SIGKILL" and signal_name(333) == "signal 333"
