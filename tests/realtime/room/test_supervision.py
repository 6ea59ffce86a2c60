"""What the supervisor of a room's render process works with."""

from __future__ import annotations

import mmap
import os

from realtime.room.supervision import handle_of, signal_name


def test_an_avatar_lies_in_memory_behind_its_handle() -> None:
    handle = handle_of(b"an avatar")
    with mmap.mmap(handle, 9, prot=mmap.PROT_READ) as memory:
        assert bytes(memory) == b"an avatar"
    os.close(handle)


def test_signals_have_their_names() -> None:
    assert signal_name(9) == "SIGKILL" and signal_name(333) == "signal 333"
