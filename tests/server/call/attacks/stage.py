"""A server in a process of its own with the fake pipeline and a log, for attackers to have a go at.

`python -m tests.server.call.attacks.stage` is that process: it prints its addresses as JSON and serves until SIGTERM.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
from aiortc import MediaStreamTrack

from server.benchmarks.call_client import BenchPage, CameraTrack
from server.call import ice
from server.call.protocol import Role

ATTACKERS = Path(__file__).with_name("attackers.py")
PERSON_KEY, VIEWER_KEY = "person-key-of-the-test", "viewer-key-of-the-test"


@dataclass
class Stage:
    """A running server. `log` is what it writes to stderr."""

    process: subprocess.Popen[str]
    port: int
    log: Path
    has_ipv6: bool
    """Whether it listens on ::1 too."""

    @property
    def socket(self) -> str:
        """The signalling socket's address."""
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def handles(self) -> int:
        """How many sockets and files the server has open."""
        return psutil.Process(self.process.pid).num_fds()

    @property
    def media_ports(self) -> list[int]:
        """The UDP ports on which it listens."""
        return [c.laddr.port for c in psutil.Process(self.process.pid).net_connections("udp") if c.laddr]

    @property
    def memory(self) -> int:
        """Bytes of resident memory."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def page(self, role: Role, resume: str = "", cookie: str = "", webcam: MediaStreamTrack | None = None) -> BenchPage:
        """A page without a browser; the person's has a webcam."""
        if role == "person" and webcam is None:
            webcam = CameraTrack(lambda _: av.VideoFrame.from_ndarray(np.full((120, 160, 3), 200, np.uint8)))
        key = PERSON_KEY if role == "person" else VIEWER_KEY
        return BenchPage(self.socket, role, key, webcam=webcam, resume=resume, cookie=cookie)

    def status(self, timeout: float = 5.0) -> str:
        """The server's `healthz`, over a new connection."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=timeout) as answer:
            return str(json.loads(answer.read())["status"])

    @contextmanager
    def under(self, attack: str, *arguments: object, told: object = None) -> Iterator[None]:
        """The attack of that name in attackers.py goes on, in a process of its own, until the block ends. told: on its stdin."""
        command = [sys.executable, str(ATTACKERS), attack, str(self.port), *map(str, arguments)]
        attacker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert attacker.stdout is not None and attacker.stdin is not None
            attacker.stdin.write(json.dumps(told) + "\n")
            attacker.stdin.flush()
            assert attacker.stdout.readline() == "go\n", f"the attack {attack} did not start"
            yield
        finally:
            assert attacker.poll() is None, f"the attack {attack} ended before its time"
            attacker.kill()
            attacker.communicate()


@contextmanager
def stage(folder: Path, **settings: Any) -> Iterator[Stage]:
    """A server until the block ends; SIGTERM must end it within 5 s, with status 0."""
    ice.install()  # the pages run in this process, where another test's server may have chosen addresses and ports
    log = folder / "log"
    settings.setdefault("host", "::" if _has_ipv6() else "127.0.0.1")
    with open(log, "wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.server.call.attacks.stage", json.dumps(settings)],
            stdout=subprocess.PIPE, stderr=stream, text=True,
        )  # fmt: skip
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, log.read_text()
        running = Stage(process, json.loads(line)["port"], log, settings["host"] == "::")
        deadline = time.monotonic() + 60
        while _loading(running) and time.monotonic() < deadline:
            time.sleep(0.05)
        yield running
        process.send_signal(signal.SIGTERM)
        assert process.wait(5 + 3) == 0, log.read_text()  # 3: for a busy machine
    finally:
        process.kill()
        process.communicate()


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
            return True
    except OSError:
        return False


def _loading(running: Stage) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{running.port}/readyz", timeout=5).close()
    except OSError:
        return True
    return False


def longest_gap(page: BenchPage, since: float) -> float:
    """Seconds without a picture, since that moment and until now (`time.monotonic`)."""
    moments = [since, *(t for t in page.arrivals if t > since), time.monotonic()]
    return max(b - a for a, b in pairwise(moments))


def pictures(page: BenchPage, since: float) -> int:
    """How many came since that moment."""
    return sum(t > since for t in page.arrivals)


if __name__ == "__main__":
    from server.call.app import Addresses, run
    from tests.server.call.serving import FAKE

    def announce(addresses: Addresses) -> None:
        print(json.dumps({"port": int(addresses.person.split(":")[2].split("/")[0])}), flush=True)

    wanted = {key: tuple(value) if isinstance(value, list) else value for key, value in json.loads(sys.argv[1]).items()}
    defaults: dict[str, Any] = {"person_key": PERSON_KEY, "viewer_key": VIEWER_KEY, "ice_addresses": ("127.0.0.1",)}
    run(FAKE.with_values(**(defaults | wanted)), announce)
