"""What the supervisor of a room's render process (realtime/room/worker.py) works with: limits, and whom it tells."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

from models.errors import VisavisError


@dataclass(frozen=True)
class SupervisorTimeouts:
    """Limits in seconds, and a count.

    start: from the start of the process until it is ready; it may compile. silent: between two messages. loading: between two
    messages before the process is ready, when loading a library may delay them. stuck: for tracking one webcam frame;
    everything is compiled before an avatar is seated. avatar: for loading one. backoff: longest pause before a restart; the
    first is 0.1, and it doubles while processes live shorter than `young`. attempts: starts in a row that may fail before a
    process was ever ready.
    """

    start: float = 180.0
    silent: float = 5.0
    loading: float = 30.0
    stuck: float = 5.0
    avatar: float = 60.0
    backoff: float = 5.0
    young: float = 10.0
    attempts: int = 5


@dataclass(frozen=True)
class RoomEvents:
    """Called on the event loop. changed: `ready` or `failure` of the worker. joined: a participant's avatar sits in the room.
    refused: a participant's avatar cannot be shown; one sentence. replaced: a participant's avatar has taken another one's place,
    or, with a sentence, it cannot be shown, and the other one stays. moved: there are new drive frames for pages that draw."""

    changed: Callable[[], None] = lambda: None
    joined: Callable[[int], None] = lambda _: None
    refused: Callable[[int, str], None] = lambda _participant, _sentence: None
    replaced: Callable[[int, str], None] = lambda _participant, _sentence: None
    moved: Callable[[], None] = lambda: None


def handle_of(data: bytes) -> int:
    """An open handle of memory that holds `data`. Raises `VisavisError` when there is not enough."""
    try:
        handle = os.memfd_create("visavis-avatar")
        try:
            with open(handle, "wb", closefd=False) as file:
                file.write(data)
        except BaseException:
            os.close(handle)
            raise
        return handle
    except OSError as error:
        raise VisavisError(
            f"{len(data) >> 20} MB of memory were expected for an avatar, but the system refused ({error})"
        ) from None


def signal_name(number: int) -> str:
    """SIGKILL for 9; what the log calls a signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
