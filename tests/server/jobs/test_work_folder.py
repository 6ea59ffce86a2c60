from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from server.jobs.work_folder import WorkFolder, remove_others


def test_a_folder_that_is_held_is_left_alone_and_one_that_was_left_is_taken_over(tmp_path: Path) -> None:
    first, second = WorkFolder(tmp_path / "work", "a"), WorkFolder(tmp_path / "work", "a")
    assert first.path != second.path and first.path.stat().st_mode & 0o777 == 0o700
    (first.path / "state").write_bytes(b"half of it")
    remove_others(tmp_path / "work", set())
    assert first.path.exists() and second.path.exists()
    first.leave()
    again, other = WorkFolder(tmp_path / "work", "a"), WorkFolder(tmp_path / "work", "b")
    assert again.path == first.path and (again.path / "state").read_bytes() == b"half of it"
    again.remove()
    second.leave()
    other.leave()
    remove_others(tmp_path / "work", {"b"})
    assert [path.name for path in (tmp_path / "work").iterdir()] == [other.path.name]
    remove_others(tmp_path / "none", set())


def test_a_killed_process_lets_go(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from server.jobs.work_folder import WorkFolder\n"
        "WorkFolder(Path(sys.argv[1]), 'a'); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=60).returncode == -9
    (left,) = tmp_path.iterdir()
    folder = WorkFolder(tmp_path, "a")
    assert folder.path == left
    folder.remove()
