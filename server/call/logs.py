"""The server's log on stderr: what repeats itself is counted instead of written, so that nobody can fill a disk with it."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO, TextIO

REPEATS, PERIOD = 5, 60.0
"""Of the same line (same place in the code, same error) so many are written in so many seconds."""
MAX_LINE = 4096
"""Characters of one record with its traceback."""
MAX_PLACES = 512
MAX_WRAPPED = 200
"""Lines of libraries and child processes that are written in `PERIOD` seconds."""


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


class _Json(_Short):
    """One JSON object a line: time (RFC 3339, UTC), level, logger, message, and what a record brings as `fields`; of an error its
    class and traceback, which holds lines of code and no values."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:MAX_LINE],
        }
        line |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[0] is not None:
            line |= {"error": record.exc_info[0].__name__, "trace": self.formatException(record.exc_info)[-MAX_LINE:]}
        return json.dumps(line, default=str)


def install(form: str = "text") -> None:
    """Write warnings and errors to stderr, unless the program has set up a log of its own. form: text, or json, which also tells
    what happens in good order, and puts what libraries and child processes write to stderr into JSON too."""
    if logging.root.handlers:
        return
    stream: TextIO = sys.stderr
    if form == "json":
        stream = _take_over_stderr()
        logging.getLogger("server").setLevel(logging.INFO)
    handler = logging.StreamHandler(stream)
    handler.setLevel(logging.INFO if form == "json" else logging.WARNING)
    handler.addFilter(LimitRepeats())
    handler.setFormatter(_Json() if form == "json" else _Short("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.root.addHandler(handler)


def _take_over_stderr() -> TextIO:
    """What anybody writes to this process's stderr from now on, also in C and in processes that it starts, becomes JSON; returns
    where stderr leads."""
    real = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="replace")
    reading, writing = os.pipe()
    os.dup2(writing, 2)
    os.close(writing)
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="replace")
    threading.Thread(target=_wrap, args=(os.fdopen(reading, "rb"), real), name="stderr", daemon=True).start()
    return real


def _wrap(source: BinaryIO, out: TextIO) -> None:
    """Write each line as JSON; one that is ours already, a child's, as it is. Of a flood most is left out."""
    form, since, count = _Json(), 0.0, 0
    while line := source.readline(4 * MAX_LINE):
        now = time.monotonic()
        if now - since >= PERIOD:
            since, count = now, 0
        count += 1
        text = line.decode("utf-8", "replace").strip()
        if count > MAX_WRAPPED or not text:
            continue
        if not (text.startswith('{"time": ') and _is_json(text)):
            text = form.format(logging.LogRecord("stderr", logging.WARNING, "", 0, "%s", (text,), None))
        out.write(text + "\n")


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
