"""What is kept of the first try of gsplat, and when it holds no more."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from models.splat import cuda, ready
from models.splat.cuda import CudaRasterizer
from tests.gpu import fake_gsplat


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The cache of a machine with one GPU and a gsplat that is played."""
    fake_gsplat.install(monkeypatch)
    monkeypatch.setattr(ready.caches, "folder", lambda: tmp_path)
    monkeypatch.setattr(ready, "DRIVER", tmp_path / "gpus")
    (tmp_path / "gpus/0000:01:00.0").mkdir(parents=True)
    (tmp_path / "gpus/0000:01:00.0/information").write_text("Model: \t NVIDIA L4\nIRQ: \t 3\n")
    monkeypatch.setattr(cuda, "CudaRasterizer", lambda: CudaRasterizer("cpu"))
    return tmp_path


def test_what_drew_once_is_ready_until_anything_changes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not ready.is_ready() and ready.last_tried() is None
    tried = ready.try_it()
    assert tried.problem == "" and tried.gpus == ("NVIDIA L4",) and tried.torch
    assert ready.is_ready() and ready.last_tried() == tried
    kept = folder / ready.NAME
    whole: dict[str, Any] = json.loads(kept.read_bytes())
    changes: tuple[dict[str, Any], ...] = (
        {"torch": "1.0"},
        {"gpus": []},
        {"python": "3.0.0"},
        {"library": "/nowhere.so"},
        {"more": 1},
        {"library": 3},
    )
    for change in changes:
        kept.write_text(json.dumps({**whole, **change}))
        assert not ready.is_ready(), change
    for text in ("", "[]", "{", "null", json.dumps(whole) + " " * ready.MOST_BYTES):
        kept.write_text(text)
        assert not ready.is_ready() and ready.last_tried() is None
    kept.write_text(json.dumps(whole))
    (folder / "gpus/0000:01:00.0/information").write_text("Model: \t NVIDIA H100\n")
    assert ready.last_tried() is None, "kernels are compiled for a GPU"


def test_a_gpu_that_cannot_draw_is_told_and_not_ready(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nCompile with ...")

    monkeypatch.setattr(CudaRasterizer, "render", broken)
    assert "first picture failed (CUDA error: no kernel image is available for execution on the device)" in ready.try_it().problem
    assert not ready.is_ready() and ready.last_tried() is not None
    monkeypatch.setattr(cuda, "problem", lambda: "torch finds no CUDA device")
    assert ready.try_it().problem == "torch finds no CUDA device" and not ready.is_ready()


def test_the_process_that_tries_keeps_what_it_found(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('there is none')")  # the real one takes seconds
    words, environment = ready.command()
    path = os.pathsep.join([str(tmp_path), environment["PYTHONPATH"]])
    subprocess.run(words, env={**environment, "PYTHONPATH": path, "XDG_CACHE_HOME": str(tmp_path)}, cwd=tmp_path, check=True)
    (kept,) = tmp_path.rglob(ready.NAME)
    assert json.loads(kept.read_bytes())["problem"] == "torch cannot be imported (there is none)"
