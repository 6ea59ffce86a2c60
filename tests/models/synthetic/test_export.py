"""Samples on the disk: all files of one or none, and only our own are written over."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models import png
from models.synthetic import export


def sample(side: int = 8) -> Any:
    one = np.ones((side, side), np.float32)
    three = np.ones((side, side, 3), np.float32)
    return SimpleNamespace(foreground=three, matte=one, normals=three, pose_map=three, depth=one, face=one)


def test_a_sample_that_was_interrupted_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "describe", lambda head, sample: {"head": 1})
    head: Any = None
    export.write_sample(tmp_path / "000000", head, sample())
    there = sorted(p.name for p in tmp_path.iterdir())
    assert len(there) == 6 and all(export.may_be_replaced(tmp_path / name) for name in there)
    written, write = iter(range(9)), export.atomic_write

    def interrupted(path: Path, **options: Any) -> Any:
        if next(written) == 3:
            raise KeyboardInterrupt
        return write(path, **options)

    monkeypatch.setattr(export, "atomic_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export.write_sample(tmp_path / "000001", head, sample())
    assert sorted(p.name for p in tmp_path.iterdir()) == there


def test_other_files_are_in_the_way_only_where_a_sample_would_be(tmp_path: Path) -> None:
    for name in ("000007.depth.png", "000008.json"):
        (tmp_path / name).write_text("mine")
        assert not export.may_be_replaced(tmp_path / name)
    for name in ("notes.txt", "000007.jpg", "holiday.png"):
        (tmp_path / name).write_text("mine")
        assert export.may_be_replaced(tmp_path / name)
    png.write(tmp_path / "000008.color.png", np.zeros((2, 2, 4), np.uint8))
    assert export.may_be_replaced(tmp_path / "000008.json")
