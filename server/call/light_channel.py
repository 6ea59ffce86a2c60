"""aiortc's data channels made light enough for many small messages a second to many pages.

aiortc starts a task for each message, and arms and cancels a timer for each of them. `send_now` sends without a task. `install`
lets one timer stand for all that is on its way (T3-rtx; RFC 9260, 6.3): it is moved, not made anew. Written for aiortc 1.16, as
`aiortc_fixes.py` is.
"""

from __future__ import annotations

import asyncio
import types
import weakref
from collections.abc import Coroutine, Generator
from contextlib import suppress
from typing import Any

from aiortc import RTCDataChannel, RTCSctpTransport
from aiortc.rtcsctptransport import WEBRTC_BINARY
from OpenSSL import SSL

_expired = RTCSctpTransport._t3_expired
_going_on: set[asyncio.Future[None]] = set()


def install() -> None:
    """Mend aiortc for this process. May be called again."""
    transport: Any = RTCSctpTransport
    transport._t3_start = transport._t3_restart = _start
    transport._t3_cancel = _stop


def send_now(channel: RTCDataChannel, data: bytes) -> None:
    """As `channel.send` of an open channel, but before it returns, where nothing waits before it. It is lost where the connection
    ends just now."""
    sctp = channel.transport
    channel._addBufferedAmount(len(data))
    sctp._data_channel_queue.append((channel, WEBRTC_BINARY, data))
    with suppress(ConnectionError, SSL.Error):
        eagerly(sctp._data_channel_flush())


def eagerly(work: Coroutine[Any, Any, None]) -> None:
    """Run to where it first waits; only if it does, a task goes on with it."""
    try:
        awaited = work.send(None)
    except StopIteration:
        return
    task = asyncio.ensure_future(_go_on(work, awaited))
    _going_on.add(task)
    task.add_done_callback(_going_on.discard)


@types.coroutine
def _go_on(work: Coroutine[Any, Any, None], awaited: Any) -> Generator[Any, Any, None]:
    while True:
        try:
            value = yield awaited
        except BaseException as error:
            step: Any = work.throw
            given: Any = error
        else:
            step, given = work.send, value
        try:
            awaited = step(given)
        except StopIteration:
            return


class _Timer:
    """Stands where aiortc keeps a timer's handle, while one runs. due: when it runs out, by the loop's clock. handle: of the
    loop's timer, which may be earlier."""

    def __init__(self) -> None:
        self.due = 0.0
        self.handle: asyncio.TimerHandle | None = None


_timers: weakref.WeakKeyDictionary[Any, _Timer] = weakref.WeakKeyDictionary()


def _start(sctp: Any) -> None:
    timer = _timers.get(sctp)
    if timer is None:
        timer = _timers[sctp] = _Timer()
    timer.due = sctp._loop.time() + sctp._rto
    sctp._t3_handle = timer
    if timer.handle is not None and timer.handle.when() > timer.due:
        timer.handle.cancel()
        timer.handle = None
    if timer.handle is None:
        timer.handle = sctp._loop.call_at(timer.due, _look, sctp)


def _stop(sctp: Any) -> None:
    sctp._t3_handle = None


def _look(sctp: Any) -> None:
    timer = _timers[sctp]
    timer.handle = None
    if sctp._t3_handle is None:
        return
    if sctp._loop.time() < timer.due:
        timer.handle = sctp._loop.call_at(timer.due, _look, sctp)
    else:
        _expired(sctp)
