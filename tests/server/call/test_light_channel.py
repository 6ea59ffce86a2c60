"""Data channels made light: messages still arrive, and what is lost is still noticed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiortc import RTCPeerConnection, RTCSctpTransport

from server.call import ice, light_channel
from tests.server.call.serving import until

pytestmark = pytest.mark.timeout(240)


async def pair(**options: Any) -> tuple[RTCPeerConnection, RTCPeerConnection, Any, Any]:
    """Two ends that are connected, and the ends of a channel between them."""
    ice.install((ice.LOOPBACK,))
    one, other = RTCPeerConnection(), RTCPeerConnection()
    channel = one.createDataChannel("drive", **options)
    found: list[Any] = []
    other.on("datachannel", found.append)
    await one.setLocalDescription(await one.createOffer())
    await other.setRemoteDescription(one.localDescription)
    await other.setLocalDescription(await other.createAnswer())
    await one.setRemoteDescription(other.localDescription)
    await until(lambda: channel.readyState == "open" and bool(found))
    return one, other, channel, found[0]


async def test_messages_arrive_without_a_task_for_each_and_after_a_lost_one() -> None:
    one, other, ours, theirs = await pair(ordered=False, maxRetransmits=0)
    got: list[bytes] = []
    theirs.on("message", got.append)
    dtls, lose = ours.transport.transport.transport, True
    send = dtls._send

    async def lossy(data: bytes) -> None:
        if not lose:
            await send(data)

    before = len(asyncio.all_tasks())
    for i in range(3):
        light_channel.send_now(ours, bytes([i]) * 90)
        assert ours.bufferedAmount == 0, "it is out before the call returns"
    assert len(asyncio.all_tasks()) == before
    await until(lambda: len(got) == 3)
    dtls._send = lossy
    light_channel.send_now(ours, b"lost")
    lose = False
    for i in range(40):
        light_channel.send_now(ours, bytes([i]))
        await asyncio.sleep(0.005)
    await until(lambda: len(got) == 43)
    await until(lambda: not ours.transport._sent_queue)
    assert b"lost" not in got
    await asyncio.gather(one.close(), other.close())
    light_channel.send_now(ours, b"to nobody")


async def test_a_message_whose_acknowledgement_is_long_in_coming_is_sent_again() -> None:
    """The timer of the oldest message runs out, though it was moved meanwhile."""
    one, other, ours, theirs = await pair()
    got: list[bytes] = []
    theirs.on("message", got.append)
    ice_transport = ours.transport.transport.transport
    send, lost = ice_transport._send, 0

    async def lossy(data: bytes) -> None:
        nonlocal lost
        lost += 1
        if lost > 1:
            await send(data)

    ours.transport._rto = 0.2
    ice_transport._send = lossy
    light_channel.send_now(ours, b"again")
    await until(lambda: got == [b"again"])
    assert lost >= 2
    await asyncio.gather(one.close(), other.close())


async def test_work_that_waits_goes_on_in_a_task() -> None:
    done: list[str] = []

    async def work() -> None:
        done.append("at once")
        await asyncio.sleep(0.01)
        try:
            await asyncio.wait_for(asyncio.sleep(5), 0.01)
        except TimeoutError:
            done.append("later")

    light_channel.eagerly(work())
    assert done == ["at once"]
    await until(lambda: done == ["at once", "later"])
    await until(lambda: not light_channel._going_on)


def test_the_timer_is_one_for_all_and_stops() -> None:
    """Started for each message and stopped for each acknowledgement, it is one timer of the loop."""

    class Loop:
        def __init__(self) -> None:
            self.now = 0.0
            self.timers: list[Any] = []

        def time(self) -> float:
            return self.now

        def call_at(self, when: float, call: Any, *args: Any) -> Any:
            handle = asyncio.TimerHandle(when, call, args, self)  # type: ignore[arg-type]
            self.timers.append(handle)
            return handle

        def get_debug(self) -> bool:
            return False

        def _timer_handle_cancelled(self, handle: Any) -> None:
            self.timers.remove(handle)

    class Sctp:
        _loop, _rto, _t3_handle = Loop(), 1.0, None

    sctp: Any = Sctp()
    expired: list[float] = []
    original = light_channel._expired
    light_channel._expired = lambda s: expired.append(s._loop.now)  # type: ignore[assignment]
    try:
        for i in range(100):
            sctp._loop.now = i / 100
            light_channel._start(sctp)
            light_channel._stop(sctp)
        light_channel._start(sctp)
        assert len(sctp._loop.timers) == 1 and sctp._t3_handle is not None
        for now in (1.0, 1.99):
            sctp._loop.now = now
            light_channel._look(sctp)
            assert expired == ([] if now < 1.99 else [1.99])
        light_channel._stop(sctp)
        light_channel._look(sctp)
        assert expired == [1.99]
    finally:
        light_channel._expired = original
    assert RTCSctpTransport._t3_expired is original
