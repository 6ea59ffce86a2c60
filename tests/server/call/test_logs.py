from __future__ import annotations

import logging

from server.call.logs import PERIOD, REPEATS, LimitRepeats, _Short


def record(line: int, message: str, error: BaseException | None = None) -> logging.LogRecord:
    info = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("x", logging.ERROR, __file__, line, message, (), info)


def test_what_repeats_itself_is_counted_and_said_once() -> None:
    now = [0.0]
    limit = LimitRepeats(lambda: now[0])
    passed = sum(limit.filter(record(1, f"from address {i}")) for i in range(1000))
    assert passed == REPEATS
    assert limit.filter(record(2, "something else"))
    now[0] += PERIOD
    late = record(1, "again")
    assert limit.filter(late) and f"{1000 - REPEATS} more" in late.getMessage()


def test_errors_are_told_apart_by_where_they_were_raised() -> None:
    limit, errors = LimitRepeats(lambda: 0.0), []
    for action in (lambda: {}["x"], lambda: [][0], lambda: int("x")):
        try:
            action()
        except (LookupError, ValueError) as error:
            errors.append(error)
    for _ in range(REPEATS):
        assert all(limit.filter(record(1, "failed", error)) for error in errors)
    assert not any(limit.filter(record(1, "failed", error)) for error in errors)


def test_no_record_is_long() -> None:
    assert len(_Short("%(message)s").format(record(1, "x" * 1_000_000))) < 5000
