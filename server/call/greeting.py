"""The first message on a page's socket."""

from __future__ import annotations

from models.errors import ProtocolError
from server.call.protocol import Failure, Hello, decode, encode
from server.call.rules import as_sentence
from server.call.wire import Wire, say_and_close

MAX_HELLO = 4096
"""Characters of the first message."""


async def greeting(wire: Wire, *, closed: bool) -> Hello | None:
    """The page's hello; `None` for a page that has gone or said something else, which is told so. closed: the server ends."""
    text = await wire.receive()
    if text is None:
        return None
    if closed:
        await wire.close(1012)
        return None
    try:
        hello = decode(text)
    except ProtocolError as error:
        await say_and_close(wire, encode(Failure("bad_message", as_sentence(str(error)))))
        return None
    if not isinstance(hello, Hello) or len(text) > MAX_HELLO:
        await say_and_close(wire, encode(Failure("bad_message", "A hello was expected first, something else came.")))
        return None
    return hello
