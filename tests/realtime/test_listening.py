"""Packets from a phone, which this test sends, become a recording."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from models import arkit
from models.errors import ClipError, StorageError, VisavisError
from realtime.listening import listen
from realtime.recorded import read_frames
from server.cli import cli
from tests.models.exchange.test_live_link_face import packet


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def phone(port: int, stop: threading.Event) -> None:
    """A phone, and a stranger, until stopped."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        number = 0
        while not stop.is_set():
            number += 1
            own.sendto(packet({"JawOpen": 0.5}, number), ("127.0.0.1", port))
            own.sendto(b"nonsense", ("127.0.0.1", port))
            if number > 5:
                other.sendto(packet({"JawOpen": 0.9}, 10_000 + number), ("127.0.0.1", port))
            time.sleep(0.01)


def test_what_a_phone_sends_is_recorded_and_a_stranger_is_not(tmp_path: Path) -> None:
    out, port, stop = tmp_path / "take.jsonl", free_port(), threading.Event()
    sending = threading.Thread(target=phone, args=(port, stop))
    sending.start()
    try:
        words = ["listen", str(out), "--seconds", "0.6", "--port", str(port)]
        result = CliRunner().invoke(cli, words)
    finally:
        stop.set()
        sending.join()
    assert result.exit_code == 0 and "packets were none" in result.output, result.output
    drives = read_frames(out).drives
    assert len(drives) > 5 and {float(drive.coefficients[arkit.INDEX["jawOpen"]]) for drive in drives} == {0.5}


def test_nothing_that_comes_and_a_port_that_is_taken_are_one_sentence(tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(ClipError, match="none came"):
        listen(tmp_path / "take.jsonl", 0.1, port=port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", port))
        with pytest.raises(VisavisError, match="cannot be had"):
            listen(tmp_path / "take.jsonl", 0.1, port=port)
    with pytest.raises(VisavisError, match="cannot be had"):
        listen(tmp_path / "take.jsonl", 0.1, host="nowhere.invalid", port=port)
    (tmp_path / "other.jsonl").write_text("mine")
    with pytest.raises(StorageError, match="not a recording"):
        listen(tmp_path / "other.jsonl", 0.1, port=port)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.jsonl"]
