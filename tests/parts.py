"""The suite's parts, which `make test` runs side by side (`tests/side_by_side.py`): `pytest --part computing` and so on.

A part collects its own files and no others. What is in no list is `live`, so that no new test is left out.
"""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ENROLLING = ("enrollment/instant",)
PORTRAITS = ("enrollment/portrait",)
OPTIMISING = (
    "enrollment/high",
    "enrollment/prior_training",
    "enrollment/reconstruction",
    "enrollment/test_clip_capture.py",
    "enrollment/test_refine.py",
    "enrollment/test_report.py",
    "enrollment/test_to_file.py",
    "enrollment/test_workflow.py",
)
COMPUTING = (
    "enrollment",
    "gpu",
    "models",
    "packaging",
    "realtime/room/test_scene.py",
    "realtime/test_offline.py",
    "server/evaluation",
)
"""What uses a core all the time and waits for nobody: at low priority it fills what the others leave. Four parts, so that two of
them can run at a time until the end."""
PAGES = (
    "client_web",
    "interop",
)
"""What drives browsers and other programs, and mostly waits for them."""
BROWSERS = ("e2e",)
"""Whole calls in a browser."""
CALLS = (
    "realtime",
    "server/benchmarks",
    "server/call",
    "server/call_check",
    "server/operations",
)
"""What waits for pictures, sounds and processes, and leaves the cores idle meanwhile."""
LATER = ("e2e/test_guided_clip.py",)
"""What waits for work of low priority, and for nothing else."""
ALONE = (
    "e2e/test_live.py",
    "e2e/test_narrow_line.py",
    "network",
    "server/call/attacks",
)
"""What looks for gaps in what is seen and heard: when nothing but work of low priority runs."""
LISTED = {
    "alone": ALONE,
    "later": LATER,
    "enrolling": ENROLLING,
    "portraits": PORTRAITS,
    "optimising": OPTIMISING,
    "computing": COMPUTING,
    "calls": CALLS,
    "browsers": BROWSERS,
    "pages": PAGES,
}
"""The first that names a file or one of its folders has it."""
PARTS = (*LISTED, "live")


def part_of(name: str) -> str:
    """The part that a file belongs to. name: its path below tests, as posix."""
    for part, names in LISTED.items():
        if any(f"{name}/".startswith(f"{listed}/") for listed in names):
            return part
    return "live"


def has_some_of(part: str, folder: str) -> bool:
    """Whether a folder may have files of a part."""
    listed = LISTED.get(part, ())
    return part_of(folder) == part or any(name.startswith(f"{folder}/") for name in listed) or folder == "."


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--part`."""
    parser.addoption("--part", choices=PARTS, help="only this part of the suite (tests/parts.py)")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files and folders of other parts, unread."""
    part = config.getoption("--part")
    if part is None or not collection_path.is_relative_to(TESTS):
        return None
    name = collection_path.relative_to(TESTS).as_posix()
    wanted = part_of(name) == part if collection_path.suffix == ".py" else has_some_of(part, name)
    return None if wanted else True
