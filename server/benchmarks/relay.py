"""What it costs the server to send everybody's drive frames to many pages that draw by themselves: processor time, not wall time.

In this process is what a server does for it: frames are read from a room's shared memory and checked, packed once, and sent on a
WebRTC data channel to each page (SCTP, DTLS, UDP); each page's acknowledgements are read. Pages are in processes of their own, on
this machine. Left out is what a call has besides: sound, pictures, signalling, and the render process that makes the frames.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription

from models import arkit
from models.errors import VisavisError
from models.exchange.drive_frames import HEADER, OFFSETS, SentFrame, pack_record
from models.types import DriveFrame
from realtime.room.memory import MemoryLayout, RoomMemory
from realtime.room.room_drives import RoomDrives
from realtime.room.roster import AvatarBytes, Seated
from realtime.timing import StageTimes
from server.benchmarks.live import receive
from server.call import aiortc_fixes, ice
from server.call.driving import CHANNEL, DriveLine, DriveRelay

OPEN_TIMEOUT = 60.0
"""Seconds for one page to connect, on a busy machine."""
AT_ONCE = 8
"""Pages that connect at the same time."""
CLOSE_TIMEOUT = 2.0
WARM_UP = 2.0
PACKET_OVERHEAD = 20 + 8 + 37 + 12 + 16
"""Bytes: IPv4, UDP, DTLS 1.2 with AES-GCM, SCTP's header, its DATA chunk's."""
TIME_AT = HEADER.size + OFFSETS["time"]
MOVED = 30
"""Coefficients of a frame that are not 0: as many as the frames of faces in our clips have at the most; the usual is 20 to 25."""
OWN = RTCConfiguration([], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)


def bench_relay(viewers: int = 200, people: int = 4, rate: float = 30.0, seconds: float = 10.0) -> dict[str, Any]:
    """Send the frames of `people`, each `rate` a second and at times of their own, to `viewers`.

    Returns core_part: processor time of this process by wall time, everything above in it; messages_per_s: to all viewers;
    us_per_message: processor time by messages; core_part_at_rate: what that makes where each viewer has `rate` messages a second,
    which a busy machine does not reach; received_part: of the messages, by the pages; age_p50_ms, age_p95_ms: from a
    frame's writing until a page has it; kbit_per_person: payload of one person's frames a second to one viewer;
    kbit_with_headers: with those of IPv4, UDP, DTLS and SCTP, which fills up to 4 bytes; viewers, people, rate, seconds. Raises
    `VisavisError` when pages cannot connect.
    """
    ice.install((ice.LOOPBACK,))
    return asyncio.run(_measure(viewers, people, rate, seconds))


async def _measure(viewers: int, people: int, rate: float, seconds: float) -> dict[str, Any]:
    memory = RoomMemory(MemoryLayout(people, 1, 16, 16, 16))
    seats = {p: Seated(p, p, AvatarBytes(-1, 0), joined=True) for p in range(people)}
    drives = RoomDrives(memory, seats, threading.Lock(), lambda: None, StageTimes())
    relay, counter = DriveRelay(drives.shown), _Counter()
    pages = await _Pages.start()
    peers: list[RTCPeerConnection] = []
    try:
        limit = asyncio.Semaphore(AT_ONCE)

        async def connect(number: int) -> None:
            async with limit:
                peer, line = await pages.connect(number)
                peers.append(peer)
                counter.watch(line)
                relay.open(line)

        await asyncio.gather(*(connect(number) for number in range(viewers)))
        moving = [asyncio.create_task(_move(memory, relay, p, p / people, rate)) for p in range(people)]
        await asyncio.sleep(WARM_UP)
        await pages.ask("begin")
        began, cpu = time.monotonic(), time.process_time()
        sent, bytes_before, line_before = counter.messages, counter.bytes, counter.on_the_line
        await asyncio.sleep(seconds)
        took, used = time.monotonic() - began, time.process_time() - cpu
        messages = counter.messages - sent
        payload, line = counter.bytes - bytes_before, counter.on_the_line - line_before
        for task in moving:
            task.cancel()
        received, ages = await pages.ask("end")
    finally:
        relay.stop()
        await pages.stop()
        await asyncio.gather(*(aiortc_fixes.close(peer, CLOSE_TIMEOUT) for peer in peers))
        memory.close()
    each = 8 / (took * viewers * people * 1000)
    return {
        "core_part": round(used / took, 3),
        "messages_per_s": round(messages / took),
        "us_per_message": round(1e6 * used / max(messages, 1), 1),
        "core_part_at_rate": round(used / max(messages, 1) * viewers * rate, 3),
        "received_part": round(received / max(messages, 1), 3),
        **{f"age_p{p}_ms": round(float(np.percentile(ages or [0.0], p)), 1) for p in (50, 95)},
        "kbit_per_person": round(payload * each, 1),
        "kbit_with_headers": round(line * each, 1),
        "viewers": viewers, "people": people, "rate": rate, "seconds": seconds,
    }  # fmt: skip


def _ignore(*_: object) -> None:
    """These pages say nothing."""


class _Counter:
    """Counts what goes out on lines."""

    def __init__(self) -> None:
        self.messages = self.bytes = self.on_the_line = 0

    def watch(self, line: DriveLine) -> None:
        send = line.send

        def counted(data: bytes) -> None:
            self.messages += 1
            self.bytes += len(data)
            self.on_the_line += len(data) + -len(data) % 4 + PACKET_OVERHEAD
            send(data)

        vars(line)["send"] = counted


async def _move(memory: RoomMemory, relay: DriveRelay, participant: int, phase: float, rate: float) -> None:
    """Somebody's avatar, as the render process tells of it."""
    rng, start = np.random.default_rng(participant), time.monotonic() + phase / rate
    for count in range(1 << 30):
        await asyncio.sleep(max(0.0, start + count / rate - time.monotonic()))
        now = time.monotonic()
        coefficients = np.zeros(arkit.COUNT, np.float32)
        coefficients[:MOVED] = rng.uniform(0.01, 1.0, MOVED)
        drive = DriveFrame(now, coefficients=coefficients)
        memory.shown.write(participant, pack_record(SentFrame(drive, participant)), now)
        relay.moved()


class _Pages:
    """The process of the pages, from this side."""

    def __init__(self, pipe: Connection, process: Any) -> None:
        self._pipe, self._process = pipe, process
        self._talking = asyncio.Lock()

    @classmethod
    async def start(cls) -> _Pages:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_run_pages, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        return cls(ours, process)

    async def ask(self, what: object) -> Any:
        async with self._talking:
            self._pipe.send(what)
            return await receive(self._pipe, OPEN_TIMEOUT)

    async def connect(self, number: int) -> tuple[RTCPeerConnection, DriveLine]:
        """A page's connection, with its channel open."""
        peer, opened = RTCPeerConnection(OWN), asyncio.get_running_loop().create_future()

        def on_channel(channel: RTCDataChannel) -> None:
            opened.set_result(DriveLine(channel, -1, _ignore, _ignore, _ignore))

        peer.on("datachannel", on_channel)
        await peer.setRemoteDescription(RTCSessionDescription(await self.ask(("offer", number)), "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        await self.ask(("answer", number, peer.localDescription.sdp))
        try:
            return peer, await asyncio.wait_for(opened, OPEN_TIMEOUT)
        except TimeoutError:
            raise VisavisError(f"a page was expected to connect within {OPEN_TIMEOUT:.0f} s; try fewer viewers") from None

    async def stop(self) -> None:
        with suppress(OSError):
            self._pipe.send(None)
        await asyncio.to_thread(self._process.join, 10)
        self._process.kill()


def _run_pages(pipe: Connection) -> None:
    ice.install((ice.LOOPBACK,))
    asyncio.run(_serve_pages(pipe))


async def _serve_pages(pipe: Connection) -> None:
    peers: dict[int, RTCPeerConnection] = {}
    ages: list[float] = []
    received = 0

    def read(data: bytes) -> None:
        nonlocal received
        received += 1
        sent = int.from_bytes(data[TIME_AT : TIME_AT + 4], "little") / 1000
        if received % 16 == 0:
            ages.append((time.monotonic() % ((1 << 32) / 1000) - sent) * 1000)

    while (asked := await asyncio.to_thread(pipe.recv)) is not None:
        match asked:
            case "begin":
                received = 0
                ages.clear()
                pipe.send(None)
            case "end":
                pipe.send((received, ages))
            case ("offer", number):
                peer = peers[number] = RTCPeerConnection(OWN)
                channel = peer.createDataChannel(CHANNEL, ordered=False, maxRetransmits=0)
                channel.on("message", read)
                await peer.setLocalDescription(await peer.createOffer())
                pipe.send(peer.localDescription.sdp)
            case ("answer", number, sdp):
                pipe.send(None)
                await peers[number].setRemoteDescription(RTCSessionDescription(sdp, "answer"))
    os._exit(0)  # hundreds of connections in good order take long
