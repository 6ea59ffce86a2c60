"""Signals that ask a program to end, as exceptions, so that whatever is half-written is cleaned up on the way out."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Ctrl-C, `kill`, a terminal that was closed."""


class Stopped(SystemExit):
    """A signal asked the program to end; its exit code is 128 and the signal's number. asyncio lets a `SystemExit` through."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number

    def __reduce__(self) -> tuple[type[Stopped], tuple[int]]:
        return Stopped, (self.number,)


@contextmanager
def as_exceptions() -> Iterator[None]:
    """`Stopped` is raised in the main thread for those signals that would end the program there and then; Ctrl-C raises
    `KeyboardInterrupt` anyway. Ignored signals stay ignored (`nohup`)."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(number)

    changed = []
    if threading.current_thread() is threading.main_thread():
        changed = [kind for kind in ENDING if signal.getsignal(kind) == signal.SIG_DFL]
    for kind in changed:
        signal.signal(kind, stop)
    try:
        yield
    finally:
        for kind in changed:
            signal.signal(kind, signal.SIG_DFL)


@contextmanager
def postponed() -> Iterator[None]:
    """Signals that come meanwhile are handled afterwards; for a few quick steps of which none may be missing."""
    came: list[int] = []
    before = {}
    if threading.current_thread() is threading.main_thread():
        for kind in ENDING:
            before[kind] = signal.signal(kind, lambda number, frame: came.append(number)) or signal.SIG_DFL
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
        if came:
            signal.raise_signal(came[0])


def left_to_the_parent() -> None:
    """For a worker process: Ctrl-C and a closed terminal reach its parent too, who decides; `kill` raises `Stopped`."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(number)

    for kind in ENDING:
        signal.signal(kind, stop if kind == signal.SIGTERM else signal.SIG_IGN)
