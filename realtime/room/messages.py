"""What a room's render process and the server say to each other, over a socket pair.

Each message is a line of JSON, checked by msgspec; nothing is unpickled, and half a line of a killed process harms nobody. A
`Join` and a `Replace` bring an open handle of the avatar file's bytes (SCM_RIGHTS, unix(7)). An empty line wakes the process: it
should look into shared memory. The server's end never blocks.
"""

from __future__ import annotations

import mmap
import os
import select
import socket
from contextlib import suppress
from typing import Annotated

import msgspec

MAX_LINE = 64 * 1024
"""Bytes of one message."""
MAX_AVATAR = 256 << 20
"""Bytes of an avatar file."""

Number = Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]
Sequence = Annotated[int, msgspec.Meta(ge=1, le=1 << 62)]
Milliseconds = Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)]


class Join(msgspec.Struct, frozen=True, tag="join"):
    """To the process: load the avatar that comes along. participant: never used before. slot: of its webcam pictures. order: of
    the seats. size: bytes of the avatar."""

    participant: Number
    slot: Number
    order: Number
    size: Number


class Leave(msgspec.Struct, frozen=True, tag="leave"):
    """To the process: forget the participant."""

    participant: Number


class Replace(msgspec.Struct, frozen=True, tag="replace"):
    """To the process: load the avatar that comes along, and show it instead of the one that the participant has. size: bytes."""

    participant: Number
    size: Number


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The process is there and takes participants."""


class Joined(msgspec.Struct, frozen=True, tag="joined"):
    """The participant's avatar is loaded and sits in the room."""

    participant: Number


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The participant's avatar can never be shown; one sentence for the person."""

    participant: Number
    sentence: str


class Replaced(msgspec.Struct, frozen=True, tag="replaced"):
    """The participant's new avatar is shown from the next picture on; or, with a sentence, it cannot be, and the old
    one stays."""

    participant: Number
    sentence: str = ""


class Beat(msgspec.Struct, frozen=True, tag="beat"):
    """A sign of life. driven: participants whose face is seen. calibrating: those whose neutral face is being taken."""

    driven: list[Number] = []
    calibrating: list[Number] = []


class Rendered(msgspec.Struct, frozen=True, tag="rendered"):
    """One picture, which lies in the slots of all `rows`: slot, generation, and its sequence number. stages: milliseconds."""

    rows: list[tuple[Number, Number, Sequence]]
    stages: dict[str, Milliseconds]


class Moved(msgspec.Struct, frozen=True, tag="moved"):
    """There are new drive frames in shared memory, for pages that draw by themselves."""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The process can never work; one sentence for whoever started the server."""

    sentence: str


FromProcess = Ready | Joined | Refused | Replaced | Beat | Rendered | Moved | Failed
ToProcess = Join | Leave | Replace

_encoder = msgspec.json.Encoder()
_from_process = msgspec.json.Decoder(FromProcess)
_to_process = msgspec.json.Decoder(ToProcess)


def encode(message: FromProcess | ToProcess) -> bytes:
    """One line, with its end."""
    return _encoder.encode(message) + b"\n"


def decode(line: bytes) -> FromProcess:
    """A line of the process. Raises `ValueError` for anything that it should not say."""
    try:
        return _from_process.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"the render process said something that is no message ({type(error).__name__})") from None


class ServerEnd:
    """The server's end, which never blocks. `receive` is called by one thread; `send` and `wake` by any, one at a time."""

    def __init__(self, line: socket.socket) -> None:
        line.setblocking(False)
        self._line = line
        self._rest = b""
        self._poll = select.poll()
        self._poll.register(line, select.POLLIN)

    def receive(self, timeout: float) -> list[FromProcess]:
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
        return [decode(line) for line in lines]

    def send(self, message: ToProcess, avatar: int | None = None) -> bool:
        """Tell the process; `avatar`: an open handle that goes along. False when there is no room for it now: say it again."""
        data = encode(message)
        try:
            if avatar is None:
                return self._line.send(data) == len(data)
            return socket.send_fds(self._line, [data], [avatar]) == len(data)
        except OSError:
            return False

    def wake(self) -> None:
        """Let the process look into shared memory. Nothing happens when it is gone, or has not read for long."""
        with suppress(OSError):
            self._line.send(b"\n")

    def close(self) -> None:
        """Close this end, which ends the process."""
        self._line.close()


class ProcessEnd:
    """The process's end, which may block. `receive` is called by one thread, `say` by any, one at a time."""

    def __init__(self, line: socket.socket) -> None:
        line.setblocking(True)
        self.line = line
        self._rest = b""
        self._handles: list[int] = []

    def say(self, message: FromProcess) -> None:
        """Raises `BrokenPipeError` when the server is gone."""
        self.line.sendall(encode(message))

    def receive(self) -> list[tuple[ToProcess, bytes]] | None:
        """Wait for the server; messages, each with the avatar that came along. `None` when it has hung up."""
        came, handles, _, _ = socket.recv_fds(self.line, MAX_LINE, 16)
        self._handles += handles
        if not came:
            return None
        *lines, self._rest = (self._rest + came).split(b"\n")
        messages = [_to_process.decode(line) for line in lines if line]
        return [(message, self._avatar(message.size) if isinstance(message, Join | Replace) else b"") for message in messages]

    def _avatar(self, size: int) -> bytes:
        handle = self._handles.pop(0)
        try:
            with mmap.mmap(handle, size, prot=mmap.PROT_READ) as memory:
                return bytes(memory)
        finally:
            os.close(handle)
