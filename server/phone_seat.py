"""The work behind `visavis listen --room`: a seat whose avatar follows a phone's packets (Live Link Face), in a call that runs.

The packets come to a UDP port of this machine, and go on as drive frames on the data channel that pages have (docs/protocol.md),
so the server checks them as any page's. Nothing queues: what comes faster than the server takes is left out. A connection that
ends, as when the server starts anew, is made again, until the server says that it is of no use.
"""

from __future__ import annotations

import asyncio
import dataclasses
import math
import random
import ssl
import time
from collections.abc import Callable
from typing import Any

from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.protocol import State

from models.errors import ProtocolError, VisavisError
from models.exchange import live_link_face
from models.exchange.drive_frames import MAX_SECONDS, SentFrame, encode
from models.types import DriveFrame
from realtime.listening import taken
from server.call import ice
from server.call.driving import BACKLOG
from server.call.protocol import Failure, Join, Place
from server.call_check.link import RoomLink
from server.call_client import CallClient, RefusedError

READ_EVERY = 1 / 240
"""Seconds between two packets that are read; a phone sends 60 a second, and the rest of a flood is not even looked at."""
SEND_EVERY = 1 / 55
"""Seconds between two frames that are sent: the server takes 60 a second."""
FORGOTTEN = 5.0
"""Seconds without a packet after which another phone may take the place of the first."""
AGAIN = (0.3, 1.2, 2.0, 2.0, 2.0, 2.0, 5.0)
"""Seconds before each attempt to come back, and a quarter more by chance; the last one repeats."""
ENTERING = 30.0
"""Seconds that one such attempt may take."""
LOOK = 0.25
"""Seconds between two looks at the connection while nothing comes."""


@dataclasses.dataclass(frozen=True)
class SeatSummary:
    """frames: sent. refused: packets that were none of the app's, came from another sender than the first, or too fast."""

    frames: int
    refused: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self)


class PhoneFrames(asyncio.DatagramProtocol):
    """The newest frame of the phone that sends first, until it is silent."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.refused = 0
        self.came = asyncio.Event()
        self._clock = clock
        self._newest: DriveFrame | None = None
        self._sender: Any = None
        self._heard = self._read = -math.inf

    def datagram_received(self, data: bytes, address: Any) -> None:
        """A packet."""
        now = self._clock()
        is_known = self._sender in (None, address) or now - self._heard > FORGOTTEN
        if not is_known or now - self._read < READ_EVERY:
            self.refused += 1
            return
        self._read = now
        try:
            drive = live_link_face.read_packet(data)
        except ProtocolError:
            self.refused += 1
            return
        self._sender, self._heard = address, now
        if drive is not None and abs(drive.timestamp) < MAX_SECONDS:
            self._newest = drive
            self.came.set()

    def take(self) -> DriveFrame | None:
        """The newest frame, once."""
        found, self._newest = self._newest, None
        self.came.clear()
        return found


def sit(
    link: RoomLink,
    join: Join,
    host: str,
    port: int,
    seconds: float = math.inf,
    told: Callable[[str], None] = lambda _: None,
) -> SeatSummary:
    """Take a seat in the room and drive its avatar with what comes to a UDP port, for so many seconds. told: a sentence each time
    that the seat is there, or lost. Raises `VisavisError`: the port cannot be had, there is no such server, or the room does not
    let the phone in, or not again."""
    ice.install()
    return asyncio.run(_sit(link, join, host, port, seconds, told))


async def _sit(link: RoomLink, join: Join, host: str, port: int, seconds: float, told: Callable[[str], None]) -> SeatSummary:
    loop = asyncio.get_running_loop()
    try:
        transport, phone = await loop.create_datagram_endpoint(PhoneFrames, (host, port))
    except (OSError, OverflowError, UnicodeError) as error:
        raise taken(host, port, error) from None
    seat = _Seat(link, join, phone, loop.time() + seconds, told)
    try:
        await seat.hold()
    except RefusedError as error:
        raise VisavisError(f"a seat in the room was expected, the server says: {error.failure.message}") from None
    except (OSError, WebSocketException, InvalidHandshake) as error:
        raise VisavisError(
            f"a server was expected behind the link, which cannot be talked to ({type(error).__name__}); "
            "try the link with `visavis doctor --call`"
        ) from None
    finally:
        transport.close()
    return SeatSummary(seat.frames, phone.refused)


class _Seat:
    """A seat that is held until `end`, by the loop's clock. frames: sent."""

    def __init__(self, link: RoomLink, join: Join, phone: PhoneFrames, end: float, told: Callable[[str], None]) -> None:
        self._link, self._join, self._phone, self._end, self._told = link, join, phone, end, told
        self._tls = ssl.create_default_context() if link.secure else None
        self._resume, self._attempts = "", 0
        self.frames = 0

    async def hold(self) -> None:
        """Raises what the first attempt raises, and later `RefusedError` where coming back is of no use."""
        loop = asyncio.get_running_loop()
        while loop.time() < self._end:
            page = CallClient(self._link.socket, self._link.key, self._join, voices=0, resume=self._resume, tls=self._tls)
            page.place = Place(seen=False)
            try:
                async with asyncio.timeout(ENTERING) as entering, page:
                    entering.reschedule(None)
                    self._resume, self._attempts = page.welcome.resume, 0
                    self._told("in the room")
                    await self._drive(page)
                return
            except RefusedError as error:
                if not self._resume or error.failure.final:
                    raise
                wait = error.failure.retry_after
            except (OSError, WebSocketException, InvalidHandshake):
                if not self._resume:
                    raise
                wait = 0.0
            if self._attempts == 0:
                self._told("the connection is lost; trying to come back")
            wait = max(wait, AGAIN[min(self._attempts, len(AGAIN) - 1)]) * (1 + random.random() / 4)
            self._attempts += 1
            await asyncio.sleep(min(wait, max(0.0, self._end - loop.time())))

    async def _drive(self, page: CallClient) -> None:
        """Until the end. Raises `RefusedError` when the connection has ended before."""
        loop = asyncio.get_running_loop()
        while (now := loop.time()) < self._end:
            if page.socket.state is State.CLOSED or page.drive.readyState == "closed":
                raise RefusedError(page.said.get(Failure, Failure("internal", "The connection has ended.", final=False)))
            try:
                async with asyncio.timeout(min(LOOK, self._end - now)):
                    await self._phone.came.wait()
            except TimeoutError:
                continue
            drive = self._phone.take()
            if drive is not None and page.drive.readyState == "open" and page.drive.bufferedAmount < BACKLOG:
                page.drive.send(encode([SentFrame(drive, page.welcome.participant, self.frames)]))
                self.frames += 1
            await asyncio.sleep(max(0.0, now + SEND_EVERY - loop.time()))
