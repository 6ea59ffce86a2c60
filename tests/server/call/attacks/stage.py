"""A server in a process of its own with the fake pipeline and a log, for attackers to have a go at.

`python -m tests.server.call.attacks.stage` is that process: it prints its port and the keys of its first room as JSON, and serves
until SIGTERM.
"""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
import numpy as np
import psutil
from aiortc import MediaStreamTrack

from server.call import ice
from server.call.avatars import entry_of
from server.call.protocol import Join, Role
from server.call.rules import RoomKeys
from server.call_client import CallClient, CameraTrack
from tests.fakes import fake_avatar
from tests.models.makers import png

ATTACKERS = Path(__file__).with_name("attackers.py")
AVATAR = fake_avatar(preview=png())
AVATAR_ID = entry_of("me", AVATAR).id
"""Of the avatar that everybody takes."""


@dataclass
class Stage:
    """A running server. keys: of its first room. log: what it writes to stderr. has_ipv6: whether it listens on ::1 too."""

    process: subprocess.Popen[str]
    port: int
    keys: RoomKeys
    log: Path
    has_ipv6: bool
    first_room: set[int] = field(default_factory=set)
    """The process that draws for the first room."""

    @property
    def socket(self) -> str:
        """The signalling socket's address."""
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def base(self) -> str:
        """The address of its pages."""
        return f"http://127.0.0.1:{self.port}"

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

    @property
    def render_processes(self) -> set[int]:
        """The ids of the processes that draw: children of the one that they are forked from."""
        found: set[int] = set()
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):
                if "forkserver" in " ".join(child.cmdline()):
                    found |= {drawing.pid for drawing in child.children()}
        return found

    def page(
        self,
        role: Role,
        keys: RoomKeys | None = None,
        join: Join | None = None,
        *,
        resume: str = "",
        cookie: str = "",
        webcam: MediaStreamTrack | None = None,
    ) -> CallClient:
        """A page without a browser; with an avatar it has a webcam. keys: of the room; the first when left out."""
        if role != "viewer" and webcam is None:
            webcam = CameraTrack(lambda _: av.VideoFrame.from_ndarray(np.full((120, 160, 3), 200, np.uint8)))
        key = getattr(keys or self.keys, role)
        return CallClient(self.socket, key, join, webcam=webcam, resume=resume, cookie=cookie)

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers of a reply; the path goes out as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, headers=headers or {})
            reply = connection.getresponse()
            return reply.status, reply.read(), {name.lower(): value for name, value in reply.getheaders()}
        finally:
            connection.close()

    def create(self, key: str) -> tuple[int, bytes]:
        """Ask for another room."""
        return self.ask("POST", "/rooms", {"Authorization": f"Bearer {key}"})[:2]

    def status(self, timeout: float = 5.0) -> str:
        """The server's `healthz`, over a new connection."""
        with urllib.request.urlopen(f"{self.base}/healthz", timeout=timeout) as answer:
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
    (folder / "me.avatar").write_bytes(AVATAR)
    settings = {"host": "::" if _has_ipv6() else "127.0.0.1", "avatar_folder": str(folder), **settings}
    with open(log, "wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.server.call.attacks.stage", json.dumps(settings)],
            stdout=subprocess.PIPE, stderr=stream, text=True,
        )  # fmt: skip
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, log.read_text()
        told = json.loads(line)
        running = Stage(process, told["port"], RoomKeys(*told["keys"]), log, settings["host"] == "::")
        deadline = time.monotonic() + 60
        while _loading(running) and time.monotonic() < deadline:
            time.sleep(0.05)
        running.first_room = running.render_processes
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
        urllib.request.urlopen(f"{running.base}/readyz", timeout=5).close()
    except OSError:
        return True
    return False


def longest_gap(page: CallClient, since: float) -> float:
    """Seconds without a picture, since that moment and until now (`time.monotonic`)."""
    moments = [since, *(t for t in page.arrivals if t > since), time.monotonic()]
    return max(b - a for a, b in pairwise(moments))


def pictures(page: CallClient, since: float) -> int:
    """How many came since that moment."""
    return sum(t > since for t in page.arrivals)


if __name__ == "__main__":
    from server.call.app import Addresses, run
    from tests.server.call.serving import FAKE

    def announce(addresses: Addresses) -> None:
        links = [addresses.host, addresses.person, addresses.viewer]
        keys = [link.rpartition("/")[2] for link in links]
        print(json.dumps({"port": urlsplit(addresses.host).port, "keys": keys}), flush=True)

    wanted = {key: tuple(value) if isinstance(value, list) else value for key, value in json.loads(sys.argv[1]).items()}
    run(FAKE.with_values(**({"ice_addresses": ("127.0.0.1",), "dead_after": 3.0} | wanted)), announce)
