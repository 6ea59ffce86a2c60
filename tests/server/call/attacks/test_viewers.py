"""Attacks of one who has the viewers' link: the others' pictures go on, and the server's memory stays as it is."""

from __future__ import annotations

import asyncio
import struct
import time
from contextlib import suppress

import pytest
from aiortc.sdp import SessionDescription
from websockets.exceptions import ConnectionClosed

from server.call.protocol import Bye, Join, Moderate, Offer, Pong, ViewerCamera, encode
from server.call_client import CallClient
from tests.server.call.attacks.offers import largest, offer, shapes
from tests.server.call.attacks.stage import Stage
from tests.server.call.attacks.unharmed import unharmed_call
from tests.server.call.attacks.visitor import visit
from tests.server.call.serving import until

pytestmark = pytest.mark.timeout(240)
MEMORY = 50_000_000
SECONDS = 1.0
"""Of each kind of flood."""


async def _offer(server: Stage, offers: list[str], seconds: float) -> int:
    """Offers without end on one socket after the other; returns how many."""
    count, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            async with asyncio.timeout(seconds), visit(server, server.keys.viewer, leaves=False) as visitor:
                await visitor.say(Join(watch=True))
                while time.monotonic() < end:
                    await visitor.say(Offer(offers[count % len(offers)]))
                    count += 1
                    await asyncio.sleep(0.01)
        except (ConnectionClosed, OSError, TimeoutError):
            continue
    return count


async def test_offers_of_every_shape_and_without_end(server: Stage) -> None:
    async with unharmed_call(server):
        before = server.memory
        for offers in (list(shapes(255_000).values()), list(shapes(40_000).values()), [largest()], [offer()]):
            assert sum(await asyncio.gather(*(_offer(server, offers, SECONDS) for _ in range(2)))) > 10
        assert server.memory - before < MEMORY


async def test_more_sources_than_a_report_can_name(server: Stage) -> None:
    """An offer that names 300 SSRCs, and a webcam that sends as many: aiortc's report cannot hold them, and never closes."""
    ports = len(server.media_ports)
    async with unharmed_call(server) as person:
        sources = "".join(f"a=ssrc:{i} cname:x\r\n" for i in range(1, 301))
        async with visit(server, server.keys.viewer) as visitor:
            said = await visitor.refused(Join(watch=True), Offer(offer(sources)))
            assert said.code == "media" and not said.final
        kind = next(m.fmt[0] for m in SessionDescription.parse(person.pc.remoteDescription.sdp).media if m.kind == "video")
        dtls = person.pc.sctp.transport  # type: ignore[union-attr]
        for i in range(1, 301):
            await dtls._send_rtp(struct.pack("!BBHLL", 0x80, int(kind), i, i, i) + b"\x10" + bytes(20))
            await asyncio.sleep(0.002)
        await asyncio.sleep(1.5)  # receiver reports are made meanwhile
    deadline = time.monotonic() + 15
    while len(server.media_ports) > ports and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    assert len(server.media_ports) <= ports


async def test_messages_without_end_and_pages_that_never_read(server: Stage) -> None:
    async with unharmed_call(server):
        before = server.memory
        async with visit(server, server.keys.viewer, leaves=False) as deaf, server.page("viewer") as loud:
            await deaf.join(Join(watch=True))
            deaf.socket.transport.pause_reading()
            with suppress(ConnectionClosed):  # who says so much nonsense is hung up on
                for _ in range(500):
                    await deaf.say(Moderate("lock"))  # which is answered each time
                    loud.say(ViewerCamera(orbit=True, yaw=0.1))
                    await loud.socket.send(encode(Bye()) + " " * 1000 + "x")
            await asyncio.sleep(1.0)
        for _ in range(30):
            async with visit(server, server.keys.viewer) as visitor:
                await visitor.join(Join(watch=True))
        assert server.memory - before < MEMORY


async def test_data_channels_without_number_and_messages_without_end(server: Stage) -> None:
    async with unharmed_call(server):
        before = server.memory
        page = server.page("viewer")
        async with page:
            for i in range(500):
                page.pc.createDataChannel("x" * (65_000 if i % 50 == 0 else 10))
            page.pc.sctp._remote_max_message_size = 0  # type: ignore[union-attr]
            page.channel.send("x" * 1_000_000)
            for _ in range(100):
                page.say(ViewerCamera(orbit=True))
            await asyncio.sleep(2.0)
        assert server.memory - before < MEMORY


async def test_packets_from_inside_that_make_no_sense(server: Stage) -> None:
    """DTLS, SRTP and SCTP of one who has the keys of his own connection."""
    async with unharmed_call(server), server.page("viewer") as page:
        dtls = page.pc.sctp.transport  # type: ignore[union-attr]
        rtcp = [bytes([0x81, kind, 0, words]) + bytes(4 * words) for kind in range(200, 208) for words in (1, 2, 40)]
        nack = bytes([0x81, 205, 1, 34]) + bytes(8) + b"\0\1\xff\xff" * 300
        for data in (*rtcp, nack, bytes([0x80, 97]) + bytes(10), bytes([0x8F, 97, 0, 1]) + bytes(8)):
            try:
                await dtls._send_rtp(data)
            except Exception:  # libsrtp does not protect everything
                continue
        for data in (b"", b"\0", bytes(12), bytes(40), bytes([19, 136, 19, 136]) + bytes(60)):
            if data:
                await dtls._send_data(data)
        for first in (20, 22, 23, 63):
            await dtls.transport._send(bytes([first, 254, 253]) + bytes(40))
        page.said.pop(Pong, None)
        shown = page.pictures
        await until(lambda: Pong in page.said and page.pictures > shown)


async def test_places_are_asked_for_again_when_they_are_free(server: Stage) -> None:
    """`full` is no end: it says when to come back, and all sockets and ports are given back."""
    async with server.page("viewer"):
        pass
    await asyncio.sleep(0.5)
    handles = server.handles
    pages: list[CallClient] = []
    for _ in range(4):
        page = server.page("viewer")
        await page.__aenter__()
        pages.append(page)
    refused = server.page("viewer")
    with pytest.raises(Exception, match="places are taken") as error:
        await refused.__aenter__()
    assert not error.value.failure.final and error.value.failure.retry_after > 0  # type: ignore[attr-defined]
    for page in pages:
        await page.leave()
    deadline = time.monotonic() + 10
    while server.handles > handles and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    assert server.handles <= handles
