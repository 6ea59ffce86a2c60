"""`visavis drive`: what its options ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from realtime import offline, recorded
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
    monkeypatch.setattr(recorded, "drive_with_frames", drive)
    out = ["-o", tmp_path / "out.mp4", *more]
    for words in ([tmp_path / "file"], ["--drive-frames", tmp_path / "file"]):
        result = CliRunner().invoke(cli, [str(word) for word in ["drive", tmp_path / "file", *words, *out]])
        assert (result.exit_code, asked) == (0, [label]), result.output
        asked.clear()


@pytest.mark.parametrize(
    "words", [[], ["clip.mp4", "--drive-frames", "a.csv"], ["--drive-frames", "a.csv", "--record-drive-frames", "b.jsonl"]]
)
def test_a_clip_or_drive_frames_are_needed(words: list[str]) -> None:
    result = CliRunner().invoke(cli, ["drive", "avatar", *words, "-o", "out.mp4"])
    assert result.exit_code == 2 and "one of CLIP and --drive-frames" in result.output
