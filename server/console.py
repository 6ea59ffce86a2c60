"""What the verbs print: plain lines for people, one JSON object on the last line for programs, progress on stderr."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from models.progress import ProgressCallback

Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(function: Command) -> Command:
    """The `--json` option, the same for every verb; the function gets it as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object on the last line.")(function)


def report(result: dict[str, Any], lines: list[str], as_json: bool, out: Path | None = None) -> None:
    """Print `lines` for a person, or `result` as one line of JSON; on stderr when what was made went to stdout itself (`out`)."""
    stream = sys.stderr if out is not None and _is_stdout(out) else sys.stdout
    print(json.dumps(result, default=str) if as_json else "\n".join(lines), file=stream, flush=True)


def _is_stdout(path: Path) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(1)) and not stat.S_ISREG(os.fstat(1).st_mode)
    except OSError:
        return False


def note(text: str) -> None:
    """A line that is not the result, on stderr."""
    print(text, file=sys.stderr, flush=True)


def failed(sentence: str, code: int) -> int:
    """Print why it failed: to stderr, and as JSON where that was asked for. Returns the exit code."""
    note(f"visavis: {sentence}")
    if "--json" in sys.argv[1:]:
        print(json.dumps({"error": sentence}), flush=True)
    return code


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Rows with the same keys as aligned lines; numbers to the right."""
    if not rows:
        return []
    heads = list(rows[0])
    cells = [heads] + [[_cell(row[h]) for h in heads] for row in rows]
    width = [max(len(line[i]) for line in cells) for i in range(len(heads))]
    right = [all(isinstance(row[h], int | float) for row in rows) for h in heads]
    return [
        "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, width, right, strict=True)).rstrip() for line in cells
    ]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"
    return "-" if value is None else str(value)


@contextmanager
def progress() -> Iterator[ProgressCallback]:
    """A progress bar with remaining time on stderr; call it with the stage's name and the part done, 0 to 1."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=1.0)

        def update(stage: str, part: float) -> None:
            bar.update(task, description=stage, completed=part)

        yield update
