"""Rows of the acceptance table: a figure, the value that it must reach, and whether it was measured."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass


class NotRun(Exception):  # noqa: N818 - what happened, not an error
    """A figure that cannot be had here; the message says why, in words that follow "not run:"."""


@dataclass(frozen=True)
class Row:
    """value: None when there is none. target: what the value is compared with, in words; empty when it is only reported.
    status: "ok", "not run" or "failed". note: why."""

    name: str
    value: float | None
    unit: str
    target: str
    status: str
    note: str = ""


def at_most(name: str, value: float, limit: float, unit: str = "", note: str = "") -> Row:
    """A value that should not be above `limit`."""
    return Row(name, value, unit, f"<= {limit:g}", "ok" if value <= limit else "failed", note)


def at_least(name: str, value: float, limit: float, unit: str = "", note: str = "") -> Row:
    """A value that should not be under `limit`."""
    return Row(name, value, unit, f">= {limit:g}", "ok" if value >= limit else "failed", note)


def reported(name: str, value: float, unit: str = "", note: str = "") -> Row:
    """A value that nothing is asked of, but that it is a number."""
    return Row(name, value, unit, "", "ok" if math.isfinite(value) else "failed", note)


Check = tuple[str, Callable[[], Iterable[Row]]]
"""The name that stands in the table when the check yields nothing, and what yields its rows."""


def run(checks: Sequence[Check], say: Callable[[str], None], seconds: float = math.inf) -> list[Row]:
    """All rows. A check that raises becomes one row, failed or not run, and the others go on. seconds: none begins later."""
    rows: list[Row] = []
    start = time.perf_counter()
    for name, check in checks:
        began = time.perf_counter()
        try:
            if began - start > seconds:
                raise NotRun("the time is over (--minutes)")
            rows += check()
        except NotRun as reason:
            rows.append(Row(name, None, "", "", "not run", str(reason)))
        except Exception as error:  # a table with a hole is worth more than a traceback
            said = (str(error).strip().splitlines() or [""])[0][:200]
            rows.append(Row(name, None, "", "", "failed", f"{type(error).__name__}: {said}"))
        say(f"{name}: {time.perf_counter() - began:.1f} s")
    return rows


def text(rows: Sequence[Row]) -> str:
    """The table for a terminal."""
    cells = [("figure", "value", "unit", "target", "")]
    for row in rows:
        value = "" if row.value is None else f"{row.value:.4g}"
        cells.append((row.name, value, row.unit, row.target, row.status + (f": {row.note}" if row.note else "")))
    widths = [max(len(cell[i]) for cell in cells) for i in range(4)]
    return "\n".join("  ".join([c.ljust(w) for c, w in zip(cell, widths, strict=False)] + [cell[4]]).rstrip() for cell in cells)


def records(rows: Sequence[Row]) -> list[dict[str, object]]:
    """The rows as plain JSON values."""
    return [asdict(row) for row in rows]
