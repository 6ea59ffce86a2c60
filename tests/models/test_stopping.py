"""Signals that end a program while it writes: its exit code, one sentence, and nothing left."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from models.stopping import ENDING, Stopped, as_exceptions, postponed

ROOT = Path(__file__).parents[2]
WRITING = """
import signal, sys, time
from pathlib import Path
from models.atomic import atomic_folder, atomic_write
from server import cli

def work(**_):
    with atomic_write(Path("a")) as stream, atomic_folder(Path("b"), lambda _: True) as folder:
        stream.write(b"half")
        (folder / "1.png").write_bytes(b"half")
        print("writing", flush=True)
        time.sleep(30)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs in the background with SIGINT ignored
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and nohup with SIGHUP
cli.cli.main = work
cli.main()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_stopped_program_leaves_nothing_half_written(tmp_path: Path, number: signal.Signals, code: int) -> None:
    words, environment = [sys.executable, "-c", WRITING], {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None and run.stdout.readline() == "writing\n"
        assert len(list(tmp_path.iterdir())) == 2
        run.send_signal(number)
        _, err = run.communicate(timeout=20)
    assert run.returncode == code
    assert err == "visavis: stopped; nothing half-written is left\n"
    assert list(tmp_path.iterdir()) == []


def test_it_passes_from_a_worker_to_its_parent() -> None:
    assert pickle.loads(pickle.dumps(Stopped(15))).code == 143


def test_ignored_signals_stay_ignored_and_handlers_come_back() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with as_exceptions():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_what_is_postponed_comes_afterwards() -> None:
    done, before = [], [signal.getsignal(kind) for kind in ENDING]

    def work() -> None:
        with as_exceptions():
            with postponed():
                os.kill(os.getpid(), signal.SIGTERM)
                done.append("all of it")
            done.append("more")

    with pytest.raises(Stopped) as stopped:
        work()
    assert done == ["all of it"] and stopped.value.code == 143
    assert [signal.getsignal(kind) for kind in ENDING] == before
