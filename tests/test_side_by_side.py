"""How `make test` runs the suite's parts: nothing is left out, nothing hides a failure, and Ctrl-C ends all of it."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import parts, shared
from tests.conftest import SLOW
from tests.side_by_side import LOWEST, Step, fast, main

SAYS = "import os, time; print('{0} begins', flush=True); time.sleep(0.2); print('{0} ends', os.nice(0), flush=True)"


def python(name: str, code: str = SAYS, nice: int = 0) -> Step:
    return Step(name, [sys.executable, "-c", code.format(name)], nice=nice)


def runs(
    *rounds: list[list[Step]],
    until: str = "",
    send: int = signal.SIGINT,
    from_the_start: Sequence[Step] = (),
    throughout: Sequence[Step] = (),
) -> tuple[int, str]:
    """Exit code and output of a runner in a process of its own; it gets a signal when the file `until` is there."""
    code = """
        import sys
        from pathlib import Path, PosixPath
        from tests.side_by_side import Runner, Step
        sys.exit(Runner().run(*{rounds!r}, from_the_start={from_the_start!r}, throughout={throughout!r}))
    """
    program = textwrap.dedent(code).format(rounds=rounds, from_the_start=from_the_start, throughout=throughout)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while until and not os.path.exists(until):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.02)
        if until:
            process.send_signal(send)
        out, _ = process.communicate(timeout=60)
    return process.returncode, out


def test_what_runs_beside_is_printed_whole_and_what_comes_after_waits_for_it() -> None:
    second, third = [python("second"), python("second too")], [python("third", nice=LOWEST), python("third too", nice=LOWEST)]
    code, out = runs([[python("first")], second, third], [[python("after")]])
    own = os.nice(0)
    said = [line for line in out.splitlines() if "begins" in line or "ends" in line]
    names = [("first", own), ("second", own), ("second too", own), ("third", LOWEST), ("third too", LOWEST), ("after", own)]
    assert said == [line for name, nice in names for line in (f"{name} begins", f"{name} ends {nice}")]
    assert code == 0 and out.count("passed") == 6 and "FAILED" not in out


def test_they_run_at_the_same_time(tmp_path: Path) -> None:
    meets = f"""
import os, time
open('{tmp_path}/{{0}}', 'w').close()
deadline = time.monotonic() + 30
while len(os.listdir('{tmp_path}')) < 3:
    assert time.monotonic() < deadline
    time.sleep(0.01)
"""
    code, _ = runs([[python(name, meets)] for name in ("first", "second", "third")])
    assert code == 0


def test_what_runs_throughout_runs_two_at_a_time_beside_the_last_round_and_is_waited_for(tmp_path: Path) -> None:
    def leaves(name: str, waits_for: str = "") -> Step:
        """Says which files are there, and leaves one; then waits for another's."""
        waiting = f"""
import os, time
print('{name}', sorted(os.listdir('{tmp_path}')), flush=True)
open('{tmp_path}/{name}', 'w').close()
deadline = time.monotonic() + 30
while '{waits_for}' and not os.path.exists('{tmp_path}/{waits_for}'):
    assert time.monotonic() < deadline
    time.sleep(0.01)
"""
        return Step(name, [sys.executable, "-c", waiting])

    rounds = [[leaves("one", "types")]], [[leaves("two", "always")]], [[leaves("three", "left")]]
    throughout = [leaves("always", "three"), leaves("left", "right"), leaves("right", "three")]
    code, out = runs(*rounds, from_the_start=[leaves("types", "one")], throughout=throughout)
    assert code == 0, "three waits for left, and left for right"
    seen = {name: there for name, _, there in (line.partition(" ") for line in out.splitlines() if "[" in line)}
    assert set(seen) == {"types", "one", "two", "three", "always", "left", "right"}
    assert not any("always" in seen[name] for name in ("types", "one")) and "types" in seen["always"]
    assert all("two" in seen[name] for name in ("left", "right"))


@pytest.mark.parametrize("place", range(3))
def test_one_failure_anywhere_fails_all_and_the_rest_still_runs(place: int) -> None:
    groups = [[python(f"{name} 1"), python(f"{name} 2")] for name in ("first", "beside", "after")]
    groups[place][0] = python("this one", "raise SystemExit(3)")
    code, out = runs(groups[:2], [groups[2]])
    assert code == 1
    assert [line.split()[2:] for line in out.splitlines() if line.startswith("FAILED")] == [["this", "one"]]
    assert out.count(" ends ") == 5


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_all_steps_and_what_they_started(number: int, expected: int, tmp_path: Path) -> None:
    wait = f"import subprocess, sys; subprocess.run(['sh', '-c', 'echo > {tmp_path}/{{0}}; exec sleep 100'])"
    second = f"import time, os\nwhile not os.path.exists('{tmp_path}/beside'): time.sleep(0.01)\n{wait}"
    before = time.monotonic()
    beside = [[python("first", second), python("first too")], [python("beside", wait), python("beside too")]]
    after = [[python("after")]]
    code, out = runs(
        beside,
        after,
        until=str(tmp_path / "first"),
        send=number,
        from_the_start=[python("types", wait)],
        throughout=[python("throughout")],
    )
    assert code == expected and time.monotonic() - before < 60
    assert "begins" not in out and "stopped" in out


def test_a_failed_test_is_named_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    file, report = tmp_path / "test_it.py", tmp_path / "report.xml"
    file.write_text("import pytest\ndef test_good(): pass\ndef test_bad(): assert 0\n@pytest.mark.skip\ndef test_not(): pass\n")
    pytest_run = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={tmp_path}"]
    code, out = runs([[Step("tests", [*pytest_run, str(file), f"--junitxml={report}"], report=report)]])
    summary = out.rpartition("=" * 80)[2]
    assert code == 1
    assert "1 passed, 1 skipped, 1 failed" in summary and "FAILED  test_it::test_bad" in summary


def test_every_part_is_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran: list[list[Step]] = []

    def run(_: object, *rounds: list[list[Step]], from_the_start: Sequence[Step] = (), throughout: Sequence[Step] = ()) -> int:
        ran.extend([*itertools.chain(*rounds), list(from_the_start), list(throughout)])
        return 0

    monkeypatch.setattr("tests.side_by_side.Runner.run", run)
    monkeypatch.setenv(shared.FOLDER, "")
    assert main(tmp_path) == 0 and os.environ[shared.FOLDER] == str(tmp_path)
    words = [list(step.command) for group in ran for step in group]
    assert {command[command.index("--part") + 1] for command in words if "--part" in command} == set(parts.PARTS)
    assert sum("mypy" in command for command in words) == sum("test" in command for command in words) == 1

    ran.clear()
    assert fast(tmp_path) == 0
    quick = [list(step.command) for group in ran for step in group]
    left_out = set(parts.PARTS) - {command[command.index("--part") + 1] for command in quick}
    names = [name for part in left_out for name in parts.LISTED[part]]
    assert all(name.startswith(("e2e", *SLOW)) for name in names), "a part without any quick test"
    assert all(command[command.index("-m", 3) + 1] == "not slow and not e2e and not gpu" for command in quick)


def test_each_file_is_in_one_part_and_no_name_is_stale() -> None:
    for name in (*itertools.chain(*parts.LISTED.values()), *SLOW):
        assert (parts.TESTS / name).exists(), f"tests/parts.py or conftest.py names tests/{name}, which is not there"

    def taken(path: Path, part: str | None) -> bool:
        config: Any = SimpleNamespace(getoption=lambda _: part)
        return not parts.pytest_ignore_collect(path, config)

    for path in parts.TESTS.rglob("test_*.py"):
        folders = [folder for folder in path.parents if folder.is_relative_to(parts.TESTS)]
        assert [all(taken(p, part) for p in (path, *folders)) for part in parts.PARTS].count(True) == 1 and taken(path, None)
    assert taken(parts.TESTS / "models" / "test_arkit.py", "computing")
    assert taken(parts.TESTS / "models_of_some_kind.py", "live")
    assert not taken(parts.TESTS / "server" / "api", "computing"), "what a folder's conftest.py imports takes seconds"
