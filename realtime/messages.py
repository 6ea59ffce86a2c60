"""Messages from the render process to its supervisor in the server, and the socket pair between the two.

Towards the server go messages, each a line of JSON: a process that is killed in the middle of a message leaves half a line, which
is dropped, and nothing that the process sends is ever unpickled. Towards the process go single bytes that wake it; requests lie
in shared memory (`realtime.shared`). The server's end never blocks.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Generic, TypeVar

import msgspec

MAX_LINE = 64 * 1024
"""Bytes of one message."""
MAX_NUMBER = 10**9
"""Of any number in a message: all are counts or milliseconds."""
MAX_STAGES = 32

Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_NUMBER)]
Milliseconds = Annotated[float, msgspec.Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)]


class _Message(msgspec.Struct, frozen=True, tag_field="name", forbid_unknown_fields=True):
    """A message; its class is named in the field `name`. Structs of msgspec are dataclasses that it validates."""


class Ready(_Message, frozen=True, tag="ready"):
    """The avatar is loaded."""


class Heartbeat(_Message, frozen=True, tag="heartbeat"):
    """A sign of life. face: whether somebody drives the avatar. calibrating: whether the resting face is being measured."""

    face: bool = False
    calibrating: bool = False


class RenderedView(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A view with a new picture: its slot, and the generation of the view that uses it (`realtime.shared.ViewRow`)."""

    slot: Count
    generation: Count


class Rendered(_Message, frozen=True, tag="rendered"):
    """New pictures lie in the slots of `views`. stages: milliseconds of each. face, calibrating: as in `Heartbeat`."""

    views: list[RenderedView] = []
    stages: Annotated[dict[str, Milliseconds], msgspec.Meta(max_length=MAX_STAGES)] = {}
    face: bool = False
    calibrating: bool = False


class Failed(_Message, frozen=True, tag="failed"):
    """The process can never work. sentence: for the person who started the server."""

    sentence: str = ""


Message = Ready | Heartbeat | Rendered | Failed

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Message)


Received = TypeVar("Received")


def encode(message: Message) -> bytes:
    """One line, with its end."""
    return _encoder.encode(message) + b"\n"


def decode(line: bytes) -> Message:
    """The inverse of `encode`. Raises `ValueError` for anything that is no valid message."""
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise ValueError("the render process sent a line that is no message") from None


class ServerEnd(Generic[Received]):
    """The server's end, which never blocks. `receive` is called by one thread, `wake` by any.

    decode: a line as a message, raising `ValueError` for what is none. wakes: the bytes that wake the process.
    """

    def __init__(self, line: socket.socket, decode: Callable[[bytes], Received], wakes: bytes = b"\0") -> None:
        line.setblocking(False)
        self._decode, self._wakes = decode, wakes
        self._line = line
        self._rest = b""
        self._poll = select.poll()
        self._poll.register(line, select.POLLIN)

    def receive(self, timeout: float) -> list[Received]:
        """The messages that have come since the last call; waits at most `timeout` seconds for one.

        Raises `EOFError` when the process has closed its end, `ValueError` when it sends what is no message.
        """
        if not self._poll.poll(timeout * 1000):
            return []
        try:
            received = self._line.recv(MAX_LINE)
        except BlockingIOError:
            return []
        except OSError:
            received = b""
        if not received:
            raise EOFError
        *lines, self._rest = (self._rest + received).split(b"\n")
        if len(self._rest) > MAX_LINE:
            raise ValueError("the render process sent a line without an end")
        return [self._decode(line) for line in lines]

    def wake(self) -> None:
        """Let the process look into shared memory. Nothing happens when it is gone, or has not read for long."""
        with suppress(OSError):
            self._line.send(self._wakes)

    def close(self) -> None:
        """Close this end, which ends the process."""
        self._line.close()
