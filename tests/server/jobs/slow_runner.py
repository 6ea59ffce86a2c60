"""A runner process whose enrollment waits: `python -m tests.server.jobs.slow_runner FILE [MODE]`. It writes FILE when it has
begun. MODE: 'wait' until FILE is gone, then make an avatar; 'hang': never end, and never ask whether to stop."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from server.jobs import runner
from tests.fakes import fake_avatar


def enroll(
    photos: Sequence[Path], clip: None, out: Path, options: Any, *, progress: Callable[..., None], notify: Callable[..., None]
) -> SimpleNamespace:
    """As `enrollment.enroll_to_file`."""
    assert photos and all(photo.read_bytes() for photo in photos)
    begun = Path(sys.argv[1])
    resumed = out.with_name("state").exists()
    out.with_name("state").write_bytes(b"half of it")
    begun.touch()
    while begun.exists():
        if sys.argv[2:] != ["hang"]:
            progress("waiting", 0.5)
        time.sleep(0.02)
    out.write_bytes(fake_avatar())
    return SimpleNamespace(warnings=["gone on with"] if resumed else [], report=[])


if __name__ == "__main__":
    runner.STOP_TIMEOUT = 0.3
    runner.main(enroll)
