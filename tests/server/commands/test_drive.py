"""`visavis drive`: what its options ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from realtime import offline
from server.cli import cli


@pytest.mark.parametrize(("more", "label"), [([], True), (["--no-label"], False)])
def test_only_who_asks_for_it_gets_a_clip_without_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: list[str], label: bool
) -> None:
    asked: list[bool] = []

    def drive(*_: object, label: bool, **__: Any) -> offline.DriveSummary:
        asked.append(label)
        return offline.DriveSummary(1, 0, 1.0, 1.0, "self")

    monkeypatch.setattr(offline, "drive", drive)
    (tmp_path / "file").touch()
    words = ["drive", tmp_path / "file", tmp_path / "file", "-o", tmp_path / "out.mp4", *more]
    result = CliRunner().invoke(cli, [str(word) for word in words])
    assert (result.exit_code, asked) == (0, [label]), result.output
