from __future__ import annotations

import json
import logging
import os
import signal
from pathlib import Path

import pytest

from server.call.logs import PERIOD, REPEATS, LimitRepeats, _Json, _Short
from server.call.protocol import Join
from tests.server.call.attacks.stage import stage
from tests.server.call.serving import until


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
    for action in (lambda: dict[str, int]()["x"], lambda: [][0], lambda: int("x")):
        try:
            action()
        except (LookupError, ValueError) as error:
            errors.append(error)
    for _ in range(REPEATS):
        assert all(limit.filter(record(1, "failed", error)) for error in errors)
    assert not any(limit.filter(record(1, "failed", error)) for error in errors)


def test_no_record_is_long() -> None:
    assert len(_Short("%(message)s").format(record(1, "x" * 1_000_000))) < 5000


def test_json_is_one_object_a_line_whatever_is_logged() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        failed = record(1, 'quotes " and\nlines', error)
    failed.fields = {"people": 2}
    (line,) = _Json().format(failed).splitlines()
    told = json.loads(line)
    assert (told["level"], told["message"], told["people"]) == ("error", 'quotes " and\nlines', 2)
    assert told["error"] == "ValueError" and "test_logs.py" in told["trace"] and told["time"].endswith("+00:00")
    assert len(_Json().format(record(1, "x" * 1_000_000))) < 5000


@pytest.mark.timeout(240)
async def test_the_log_of_a_whole_call_is_json_and_names_nobody(tmp_path: Path) -> None:
    """Also what a render process that dies and libraries in C write."""
    noise = 'W0000 "from C"\n' * 10
    with stage(tmp_path, log_format="json", state=str(tmp_path / "state"), factory_options={"noise": noise}) as server:
        async with server.page("person", join=Join("Zebedee")) as page, server.page("viewer"):
            await until(lambda: page.pictures > 0)
            for process in server.first_room:
                os.kill(process, signal.SIGKILL)
            await until(lambda: bool(server.render_processes - server.first_room))
        secrets = [server.keys.host, server.keys.person, server.keys.viewer, page.welcome.resume, "Zebedee", "a=candidate"]
    lines = server.log.read_text().splitlines()
    told = [json.loads(line) for line in lines]
    words = [line["message"] for line in told]
    assert {"serving", "stopping", "a page connects", "a page's connection ends"} <= set(words)
    assert any("starting it again" in word for word in words) and 'W0000 "from C"' in words
    assert all({"time", "level", "logger", "message"} <= set(line) for line in told)
    assert not any(secret in line for secret in secrets for line in lines)
