"""What the render process says to the server, and the line between the two.

The line is a socket pair. Towards the server go messages, each a line of JSON: a process that is killed or stopped in the
middle of one leaves half a line, which harms nobody, and nothing that it says is ever unpickled. Towards the process go
single bytes that wake it; what they are about lies in shared memory (`realtime.shared`). The server's end never blocks.
"""

from __future__ import annotations

import json
import math
import select
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

MAX_LINE = 64 * 1024
"""Bytes of one message."""
MAX_NUMBER = 1e9
"""Of any number in a message: all are counts or milliseconds."""
MAX_STAGES = 32


@dataclass(frozen=True)
class Ready:
    """The avatar is loaded."""

    NAME: ClassVar[str] = "ready"


@dataclass(frozen=True)
class Beat:
    """A sign of life. face: whether somebody drives the avatar. calibrating: whether the neutral face is being taken."""

    NAME: ClassVar[str] = "beat"
    face: bool = False
    calibrating: bool = False


@dataclass(frozen=True)
class Rendered:
    """A new picture lies in the slots of `rows`, pairs of slot and generation. stages: milliseconds of each."""

    NAME: ClassVar[str] = "rendered"
    rows: list[tuple[int, int]] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=dict)
    face: bool = False
    calibrating: bool = False


@dataclass(frozen=True)
class Failed:
    """It can never work; one sentence for the person who started the server."""

    NAME: ClassVar[str] = "failed"
    sentence: str = ""


Message = Ready | Beat | Rendered | Failed
_TYPES: dict[str, type[Message]] = {kind.NAME: kind for kind in (Ready, Beat, Rendered, Failed)}


def encode(message: Message) -> bytes:
    """One line, with its end."""
    return json.dumps({"name": message.NAME, **asdict(message)}).encode() + b"\n"


def decode(line: bytes) -> Message:
    """The inverse of `encode`. Raises `ValueError` for anything that `encode` does not make."""
    try:
        values = json.loads(line)
        made = _TYPES[values.pop("name")](**values)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ValueError("the render process said something that is no message") from None
    if isinstance(made, Rendered):
        rows = [(_number(slot), _number(generation)) for slot, generation in _list(made.rows)]
        made = Rendered(rows, _stages(made.stages), _truth(made.face), _truth(made.calibrating))
    elif isinstance(made, Beat):
        made = Beat(_truth(made.face), _truth(made.calibrating))
    elif isinstance(made, Failed) and not isinstance(made.sentence, str):
        raise ValueError("a sentence was expected from the render process")
    return made


class ServerEnd:
    """The server's end. `receive` is called by one thread, `wake` by any."""

    def __init__(self, line: socket.socket) -> None:
        line.setblocking(False)
        self._line = line
        self._rest = b""
        self._poll = select.poll()
        self._poll.register(line, select.POLLIN)

    def receive(self, timeout: float) -> list[Message]:
        """What has been said since; waits at most `timeout` seconds for something.

        Raises `EOFError` when the process has closed its end, `ValueError` when it says what is no message.
        """
        if not self._poll.poll(timeout * 1000):
            return []
        try:
            came = self._line.recv(MAX_LINE)
        except BlockingIOError:
            return []
        except OSError:
            came = b""
        if not came:
            raise EOFError
        *lines, self._rest = (self._rest + came).split(b"\n")
        if len(self._rest) > MAX_LINE:
            raise ValueError("the render process said something without an end")
        return [decode(line) for line in lines]

    def wake(self) -> None:
        """Let the process look into shared memory. Nothing happens when it is gone, or has not looked for long."""
        with suppress(OSError):
            self._line.send(b"\0")

    def close(self) -> None:
        """Hang up, which ends the process."""
        self._line.close()


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        raise ValueError("pairs of numbers were expected from the render process")
    return value


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MAX_NUMBER:
        raise ValueError("a number was expected from the render process")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false was expected from the render process")
    return value


def _stages(value: Any) -> dict[str, float]:
    if not isinstance(value, dict) or len(value) > MAX_STAGES:
        raise ValueError("the milliseconds of the stages were expected from the render process")
    for milliseconds in value.values():
        if type(milliseconds) not in (int, float) or not math.isfinite(milliseconds) or abs(milliseconds) > MAX_NUMBER:
            raise ValueError("milliseconds were expected from the render process")
    return value
