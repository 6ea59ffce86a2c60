"""The line between server and render process: what is said arrives, with its avatar; nothing else is believed, nothing blocks."""

from __future__ import annotations

import os
import socket
import threading
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.room import messages
from realtime.room.messages import (
    MAX_LINE,
    Beat,
    Failed,
    Join,
    Joined,
    Leave,
    Moved,
    ProcessEnd,
    Ready,
    Refused,
    Rendered,
    Replace,
    Replaced,
    ServerEnd,
)

SAID = [
    Ready(), Joined(3), Refused(3, "no"), Beat([1, 2], [2]), Rendered([(0, 7, 3)], {"splat": 2.5}), Failed("it cannot"),
    Moved(), Replaced(3), Replaced(3, "no"),
]  # fmt: skip


def handle_of(data: bytes) -> int:
    handle = os.memfd_create("test")
    os.write(handle, data)
    return handle


def test_both_sides_hear_each_other() -> None:
    ours, theirs = socket.socketpair()
    server, process = ServerEnd(ours), ProcessEnd(theirs)
    avatars = [b"first", b"second avatar"]
    handles = [handle_of(avatar) for avatar in avatars]
    for number, (avatar, handle) in enumerate(zip(avatars, handles, strict=True)):
        assert server.send(Join(number, 0, 5, len(avatar)), handle)
        server.wake()
    again = handle_of(b"a better one")
    assert server.send(Leave(1)) and server.send(Replace(0, 12), again)
    heard: list[tuple[object, bytes]] = []
    while len(heard) < 4:
        heard += process.receive() or []
    joins = [(Join(0, 0, 5, 5), b"first"), (Join(1, 0, 5, 13), b"second avatar")]
    assert heard == [*joins, (Leave(1), b""), (Replace(0, 12), b"a better one")]
    for message in SAID:
        process.say(message)  # type: ignore[arg-type]
    answers: list[object] = []
    while len(answers) < len(SAID):
        answers += server.receive(1.0)
    assert answers == SAID
    server.close()
    assert process.receive() is None
    theirs.close()
    for handle in [*handles, again]:
        os.close(handle)


def test_all_that_a_process_may_say_is_tried_here() -> None:
    assert {type(message) for message in SAID} == set(get_args(messages.FromProcess))


def test_the_server_does_not_wait_for_a_process_that_reads_nothing() -> None:
    ours, theirs = socket.socketpair()
    server = ServerEnd(ours)
    while server.send(Leave(1)):
        pass
    server.wake()
    assert server.receive(0.0) == []
    theirs.close()
    server.close()


@given(st.binary(max_size=200))
def test_noise_is_no_message(noise: bytes) -> None:
    try:
        message = messages.decode(noise)
    except ValueError:
        return
    assert type(message) in get_args(messages.FromProcess)


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"joined"}', b'{"type":"joined","participant":-1}', b'{"type":"joined","participant":1e30}',
        b'{"type":"rendered","rows":[[1,2]],"stages":{}}', b'{"type":"rendered","rows":[],"stages":{"a":1e300}}',
        b'{"type":"beat","driven":[true]}', b'{"type":"refused","participant":1,"sentence":7}', b"[" * 5000,
    ],
)  # fmt: skip
def test_what_has_the_wrong_form_is_not_believed(line: bytes) -> None:
    with pytest.raises(ValueError, match="no message"):
        messages.decode(line)


def test_a_line_without_an_end_is_given_up() -> None:
    ours, theirs = socket.socketpair()
    server = ServerEnd(ours)
    writer = threading.Thread(target=lambda: theirs.sendall(b"x" * (3 * MAX_LINE)), daemon=True)
    writer.start()
    with pytest.raises(ValueError, match="without an end"):
        [server.receive(1.0) for _ in range(100)]
    server.close()
    writer.join(5)
    assert msgspec.json.decode(messages.encode(Ready())) == {"type": "ready"}
    theirs.close()
