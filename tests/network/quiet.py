"""Runs in a network namespace of its own, whose only way out is watched: enrolls, serves, and joins a call, as a user does.

`unshare --net --mount python -m tests.network.quiet FOLDER` prints one line of JSON: the packets that would have left the machine
when they were sent on purpose, and those that left meanwhile.
"""

from __future__ import annotations

import asyncio
import io
import json
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import av
import httpx
import msgspec
import skimage.data
from PIL import Image

from models import avatar_file
from models.heads.anny import AnnyHead
from server.call.protocol import Join, Lobby
from server.call_client import CallClient, CameraTrack
from tests.models import makers

NEAR, FAR = "near0", "far0"
ROUTER, MAC = ("192.0.2.1", "2001:db8::1"), "02:00:00:00:00:01"
OUTSIDE, NAMESERVER = "198.51.100.7", "198.51.100.53"
IPV6, ICMPV6 = 0x86DD, 58
EVERYTHING = 3  # ETH_P_ALL


def build(folder: Path) -> None:
    """A network with a default route that leads to the watcher, whose neighbour is known, and a name server there."""
    commands = [
        "link set lo up",
        f"link add {NEAR} type veth peer name {FAR}",
        f"link set {NEAR} addrgenmode none",
        f"link set {NEAR} up",
        f"link set {FAR} up",
        f"addr add 192.0.2.10/24 dev {NEAR}",
        f"-6 addr add 2001:db8::10/64 dev {NEAR} nodad",
    ]
    for router, family in zip(ROUTER, ("", "-6 "), strict=True):
        commands += [f"neigh add {router} lladdr {MAC} dev {NEAR} nud permanent", f"{family}route add default via {router}"]
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True)
    resolver = folder / "resolv.conf"
    resolver.write_text(f"nameserver {NAMESERVER}\noptions timeout:1 attempts:1\n")
    subprocess.run(["mount", "--bind", str(resolver), "/etc/resolv.conf"], check=True)


class Watcher:
    """Counts what leaves, by destination; the system's own talk of IPv6 about its neighbours is none of ours."""

    def __init__(self) -> None:
        self.left: list[str] = []
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERYTHING))
        self._socket.bind((FAR, EVERYTHING))
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            frame, (*_, direction, _, _) = self._socket.recvfrom(2048)
            kind = struct.unpack("!H", frame[12:14])[0]
            if direction == socket.PACKET_OUTGOING or (kind == IPV6 and _is_icmp(frame)):
                continue
            self.left.append(f"{kind:#06x} {frame[14:54].hex()}")


def _is_icmp(frame: bytes) -> bool:
    return frame[20] == ICMPV6 or (frame[20] == 0 and frame[54] == ICMPV6)  # 0: hop-by-hop options, as of MLD


def send_on_purpose() -> None:
    """What the watcher has to see: a datagram, a question for a name, and one over IPv6."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(b"x", (OUTSIDE, 9))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as out:
        out.sendto(b"x", ("2001:db8:1::7", 9))
    with suppress(OSError):
        socket.getaddrinfo("visavis.example", 80)


async def use(base: str, key: str) -> str:
    """A newcomer makes an avatar of a photo and joins with it; returns the job's last state."""
    photo = io.BytesIO()
    Image.fromarray(skimage.data.astronaut()).save(photo, "JPEG")
    async with httpx.AsyncClient(base_url=base, timeout=200) as client:
        token = (await client.post("/api/guests", json={"key": key, "name": "Ada"})).json()["token"]
        headers = {"Authorization": f"Bearer {token}"}
        data = {"name": "Mine", "subject": "Ada", "agreed": "true"}
        files = {"photos": ("me.jpg", photo.getvalue(), "image/jpeg")}
        made = (await client.post("/api/avatars", headers=headers, files=files, data=data)).json()
        events = (await client.get(f"/api/jobs/{made['job']}/events", headers=headers)).text
        state: str = json.loads(events.strip().split("\n\n")[-1].removeprefix("data: "))["state"]
        picture = av.VideoFrame.from_ndarray(skimage.data.astronaut())
        page = CallClient(
            f"{base.replace('http', 'ws', 1)}/ws", key, Join("Ada", made["id"]), webcam=CameraTrack(lambda _: picture)
        )
        page._hello = msgspec.structs.replace(page._hello, token=token)
        async with page:
            assert page.said[Lobby].account
            async with asyncio.timeout(100):
                while page.pictures < 5:
                    await asyncio.sleep(0.05)
        for path in ("/healthz", "/readyz", f"/room/{key}"):
            await client.get(path)
    return state


def main() -> None:
    folder = Path(sys.argv[1])
    build(folder)
    watcher = Watcher()
    send_on_purpose()
    seen, small = len(watcher.left), folder / "small.avatar"
    avatar_file.save(makers.avatar(AnnyHead()), small)
    command = [
        sys.executable,
        "-m",
        "server.cli",
        "serve",
        "--avatar",
        str(small),
        "--port",
        "0",
        "--state",
        str(folder / "state"),
    ]
    with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            base, _, key = (
                json.loads(server.stdout.readline())["person"].replace("//localhost:", "//127.0.0.1:").partition("/room/")
            )
            state = asyncio.run(use(base, key))
        finally:
            server.terminate()
    time.sleep(0.2)  # what has left is counted in another thread
    print(json.dumps({"on_purpose": seen, "left": watcher.left[seen:], "job": state}))


if __name__ == "__main__":
    main()
