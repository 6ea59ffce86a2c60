"""The server's log on stderr: what repeats itself is counted instead of written, so that nobody can fill a disk with it."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

REPEATS, PERIOD = 5, 60.0
"""Of the same line (same place in the code, same error) so many are written in so many seconds."""
MAX_LINE = 4096
"""Characters of one record with its traceback."""
MAX_PLACES = 512


@dataclass
class _Seen:
    since: float
    count: int = 0


class LimitRepeats(logging.Filter):
    """Lets `REPEATS` records of one kind through in `PERIOD` seconds; the next period's first says how many were left out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[tuple[object, ...], _Seen] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write the record; may add to its message."""
        now, kind = self._clock(), _kind(record)
        seen = self._seen.get(kind)
        if seen is None or now - seen.since >= PERIOD:
            if len(self._seen) >= MAX_PLACES:
                self._seen.clear()
            left_out = 0 if seen is None else max(0, seen.count - REPEATS)
            seen = self._seen[kind] = _Seen(now)
            if left_out:
                record.msg, record.args = f"{record.getMessage()} (and {left_out} more of these before)", ()
        seen.count += 1
        return seen.count <= REPEATS


def _kind(record: logging.LogRecord) -> tuple[object, ...]:
    """Where it was written and, for an error, where that was raised; not its words, which may hold what a stranger sent."""
    error, place = None, None
    if record.exc_info and record.exc_info[0] is not None:
        error, trace = record.exc_info[0], record.exc_info[2]
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = None if trace is None else (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
    return record.name, record.pathname, record.lineno, error, place


class _Short(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text if len(text) <= MAX_LINE else f"{text[: MAX_LINE // 2]}\n[...]\n{text[-MAX_LINE // 2 :]}"


def install() -> None:
    """Write warnings and errors to stderr, unless the program has set up a log of its own."""
    if logging.root.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING)
    handler.addFilter(LimitRepeats())
    handler.setFormatter(_Short("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.root.addHandler(handler)
