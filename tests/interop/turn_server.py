"""Debian's coturn on this machine: a TURN server (RFC 8656) over UDP, TCP and TLS."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from server.call.protocol import IceServer

TURNSERVER = shutil.which("turnserver")
HOST, USER, CREDENTIAL = "127.0.0.1", "visavis", "a-secret"
START = 20.0
"""Seconds that it may take to start."""


class TurnServer:
    """Where it listens."""

    def __init__(self, host: str, port: int, tls_port: int) -> None:
        self._host, self._port, self._tls_port = host, port, tls_port

    def ice_server(self, transport: str) -> IceServer:
        """As RTCIceServer. transport: udp, tcp or tls."""
        url = (
            f"turns:{self._host}:{self._tls_port}"
            if transport == "tls"
            else f"turn:{self._host}:{self._port}?transport={transport}"
        )
        return IceServer([url], USER, CREDENTIAL)


@asynccontextmanager
async def coturn(certificate: Path, host: str = HOST, secret: str = "") -> AsyncIterator[TurnServer]:
    """A TURN server until the block ends. certificate: PEM file of certificate and key. host: its address, and the one
    that it lends; to loopback it sends from loopback only. secret: of credentials that run out, which it takes instead of the
    user's."""
    assert TURNSERVER is not None
    with TemporaryDirectory() as folder:
        port, tls_port = _free_ports(host, 2)
        process = await asyncio.create_subprocess_exec(
            TURNSERVER, "-n", "--no-cli", "--no-dtls", "--log-file=stdout", f"--pidfile={folder}/pid", f"--userdb={folder}/users",
            f"--listening-ip={host}", f"--relay-ip={host}", f"--listening-port={port}",
            *(["--allow-loopback-peers"] if host == HOST else []),
            *(["--use-auth-secret", f"--static-auth-secret={secret}"] if secret else [f"--user={USER}:{CREDENTIAL}"]),
            "--lt-cred-mech", "--realm=visavis",
            f"--cert={certificate}", f"--pkey={certificate}", f"--tls-listening-port={tls_port}",
            cwd=folder, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(START):
                for listening in (port, tls_port):
                    await _reachable(host, listening)
            yield TurnServer(host, port, tls_port)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _free_ports(host: str, count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((host, 0))
        return [each.getsockname()[1] for each in sockets]


async def _reachable(host: str, port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
