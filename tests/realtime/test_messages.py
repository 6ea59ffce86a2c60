from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.messages import MAX_LINE, Failed, Heartbeat, Message, Ready, Rendered, RenderedView, ServerEnd, decode, encode

ALL = [
    Ready(),
    Heartbeat(True, False),
    Rendered([RenderedView(0, 7), RenderedView(3, 9)], {"splat": 4.5, "track": 0.0}, True, True),
    Failed("an avatar file was expected, this is none; make one first"),
]
VALUES = [
    None, True, 0, -1, 1 << 80, 1.5, float("nan"), float("inf"), "x", [], [1], [[1, 2]], [[1, -2]], [[1, "x"]], [[1, 2, 3]], {},
    {"splat": 2.5}, {"splat": float("nan")}, {"splat": "x"}, {"splat": None}, {"splat": True}, dict.fromkeys("abcdef" * 9, 1),
    {str(i): 1 for i in range(100)}, [{"slot": 0, "generation": 7}], [{"slot": -1, "generation": 7}],
    [{"slot": 0, "generation": 1 << 40}],    [{"slot": 0}], [{"slot": 0, "generation": True}],
]  # fmt: skip


@pytest.fixture
def line() -> Iterator[tuple[ServerEnd[Message], socket.socket]]:
    ours, theirs = socket.socketpair()
    end = ServerEnd(ours, decode)
    with theirs:
        yield end, theirs
    end.close()


@pytest.mark.parametrize("message", ALL)
def test_messages_come_back_as_they_were(message) -> None:
    assert decode(encode(message).strip()) == message


@pytest.mark.parametrize("field", ["views", "stages", "face", "calibrating", "sentence", "other"])
@pytest.mark.parametrize("name", ["rendered", "heartbeat", "failed", "ready", "other"])
def test_what_is_no_message_is_one_error(name: str, field: str) -> None:
    for value in VALUES:
        taken = _taken(json.dumps({"name": name, field: value}).encode())
        if taken is not None:
            assert decode(encode(taken).strip()) == taken and "NaN" not in str(encode(taken))


def _taken(line: bytes) -> Message | None:
    try:
        return decode(line)
    except ValueError:
        return None


@given(st.binary(max_size=300))
def test_bytes_at_random_are_one_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="no message"):
        decode(b"\x80" + data)


def test_halves_wait_for_their_other_half(line) -> None:
    server, process = line
    text = b"".join(encode(message) for message in ALL)
    heard = []
    for start in range(0, len(text), 7):
        process.sendall(text[start : start + 7])
        heard += server.receive(1.0)
    assert heard == ALL
    assert server.receive(0.0) == []
    process.sendall(encode(Heartbeat())[:9])
    process.close()
    assert server.receive(1.0) == []
    with pytest.raises(EOFError):
        server.receive(1.0)


def test_a_line_without_end_is_not_kept(line) -> None:
    server, process = line
    process.setblocking(False)

    def flood() -> None:
        for _ in range(MAX_LINE):
            process.send(b"x" * 4096)
            server.receive(0.0)

    with pytest.raises(ValueError, match="without an end"):
        flood()


def test_waking_a_process_that_does_not_look_never_blocks(line) -> None:
    server, process = line
    for _ in range(20_000):
        server.wake()
    assert process.recv(1)
    process.close()
    server.wake()
