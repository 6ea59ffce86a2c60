"""gsplat is made ready beside the server, by a process that goes with it."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from models.splat import ready
from server.call.gpu_start import prepare_gpu


def played(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(ready, "is_installed", lambda: True)
    monkeypatch.setattr(ready, "is_ready", lambda: False)
    monkeypatch.setattr(ready, "command", lambda: ([sys.executable, "-S", "-c", code], dict(os.environ)))


async def test_nothing_is_started_without_gsplat(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[bool] = []
    monkeypatch.setattr(ready, "is_installed", lambda: False)
    monkeypatch.setattr(ready, "command", lambda: looked.append(True))
    await prepare_gpu()
    assert not looked


async def test_what_came_of_it_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    played(monkeypatch, "print('x' * 100_000)")
    here = ready._here()
    came = {
        "gsplat is ready": here,
        "as torch finds no CUDA device, so": replace(here, problem="torch finds no CUDA device"),
        "could not be tried": None,
    }
    for said, tried in came.items():
        monkeypatch.setattr(ready, "last_tried", lambda tried=tried: tried)
        with caplog.at_level(logging.INFO, "server"):
            await asyncio.wait_for(prepare_gpu(), 60)
        assert said in caplog.text


async def test_a_server_that_stops_ends_the_compilers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    child = tmp_path / "pid"
    played(
        monkeypatch,
        f"import subprocess as s; p = s.Popen(['sleep', '300']); open({str(child) + '.new'!r}, 'w').write(str(p.pid)); "
        f"import os; os.rename({str(child) + '.new'!r}, {str(child)!r}); p.wait()",
    )
    work = asyncio.create_task(prepare_gpu())
    while not child.exists():
        await asyncio.sleep(0.01)
    compiler = psutil.Process(int(child.read_text()))
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work
    await asyncio.to_thread(psutil.wait_procs, [compiler], 60)
    assert not compiler.is_running() or compiler.status() == psutil.STATUS_ZOMBIE
