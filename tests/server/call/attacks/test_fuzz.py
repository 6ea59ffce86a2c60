"""Every message of the protocol, misshapen, on a real socket and data channel of one room, while another room's call goes on."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, get_args

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed

from server.call.protocol import (
    MAX_MESSAGE,
    Failure,
    FromPage,
    Hello,
    Join,
    Lobby,
    Moderate,
    Offer,
    PictureHeld,
    Ping,
    Pong,
    Recalibrate,
    ViewerCamera,
    decode_from_server,
    encode,
)
from server.call.rules import RoomKeys
from tests.server.call.attacks.offers import offer
from tests.server.call.attacks.stage import AVATAR_ID, Stage
from tests.server.call.attacks.unharmed import unharmed_call
from tests.server.call.attacks.visitor import visit
from tests.server.call.serving import until

pytestmark = pytest.mark.timeout(240)
MEMORY = 50_000_000
MESSAGES = 500
SOCKETS = 12
"""That say them at the same time; each says one in 20 ms."""
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, -2, 1 << 40, 1 << 41, -(1 << 63), 1 << 64, 10**300, 0.5, -0.0, 1e308, 5e-324, "", "a", "\0",
    "\u202e" * 40, "\U0001f600" * 40, "x" * 257, "../../etc/passwd", "{}", [], [[]], [0] * 1000, {}, {"type": "join"},
    {"a": {"b": []}}, "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n", AVATAR_ID, "mute", "end", "hello",
)  # fmt: skip
WHOLE: tuple[str | bytes, ...] = (
    "", " ", "null", "0", "[]", "{}", '"hello"', "{" * 5000, "[" * 50_000, '{"type":' * 10_000,
    '{"type":"join","name":"\\ud800"}',
    '{"type":"join"}{"type":"join"}', '{"type":"join","type":"bye"}', '{"type":"ping","sent":1e999}',
    '{"type":"ping","sent":NaN}',
    "\ufeff{}", "\0" * 1000, "x" * MAX_MESSAGE, b"", b"\xff\xfe", b'{"type":"offer"', b"\x80\x04nonsense", b"\0" * 5000,
)  # fmt: skip


def _values(kind: type[FromPage], key: str) -> dict[str, Any]:
    """A message of that kind that makes sense, as JSON has it."""
    needed: dict[type, tuple[Any, ...]] = {
        Hello: (key,), Join: ("Me", AVATAR_ID), Offer: (offer(),), Moderate: ("mute", 1), Ping: (1.0,),
        PictureHeld: (True,),
    }  # fmt: skip
    make: Any = kind
    found: dict[str, Any] = json.loads(encode(make(*needed.get(kind, ()))))
    return found


def messages(key: str, seed: int) -> Iterator[str | bytes]:
    """Without end: each kind in turn with one or two values changed, left out or added; now and then something else."""
    chance = random.Random(seed)
    while True:
        for kind in get_args(FromPage):
            made = _values(kind, key)
            for _ in range(chance.choice((1, 1, 2))):
                name = chance.choice([*made, "more"])
                if chance.random() < 0.1:
                    made.pop(name, None)
                else:
                    made[name] = chance.choice(VALUES)
            text = json.dumps(made, ensure_ascii=chance.random() < 0.5)
            cut = chance.randrange(len(text)) if chance.random() < 0.05 else len(text)
            yield chance.choice(WHOLE) if chance.random() < 0.1 else text[:cut]


def is_one_sentence(failure: Failure) -> bool:
    """Whether a person can read it."""
    text = failure.message
    return text.isprintable() and 10 < len(text) < 400 and text.endswith(".") and text[0] == text[0].upper()


async def _say(server: Stage, key: str, seed: int, *first: FromPage) -> list[Failure]:
    """The next messages on one socket after the other, each after a hello and `first`; returns what was said against them."""
    said, refusals, count = messages(key, seed), list[Failure](), 0
    while count < MESSAGES // SOCKETS:
        async with visit(server, key, leaves=False) as visitor:
            hearing = asyncio.create_task(_hear(visitor.socket, refusals))
            try:
                await visitor.say(*first)
                while count < MESSAGES // SOCKETS:
                    await visitor.socket.send(next(said))
                    count += 1
                    await asyncio.sleep(0.02)
            except ConnectionClosed:
                count += 1
            await asyncio.sleep(0.1)
            await visitor.socket.close()
            await hearing
    return refusals


async def _hear(socket: Any, refusals: list[Failure]) -> None:
    with suppress(ConnectionClosed):  # a busy server may answer the close later than a visitor waits
        async for text in socket:
            message = decode_from_server(text)
            if isinstance(message, Failure):
                refusals.append(message)


async def test_misshapen_messages_on_the_socket_are_answered_by_a_sentence(server: Stage, other: RoomKeys) -> None:
    watch = Join(watch=True)
    async with unharmed_call(server):
        before = server.memory
        ways: list[tuple[str, tuple[FromPage, ...]]] = [
            (other.person, ()),
            (other.host, (watch,)),
            (other.viewer, (watch, Moderate("mute", 1))),
            (other.viewer, ()),
        ]
        saying = [_say(server, *ways[seed % len(ways)][:1], seed, *ways[seed % len(ways)][1]) for seed in range(SOCKETS)]
        refusals = [failure for part in await asyncio.gather(*saying) for failure in part]
        assert len(refusals) > MESSAGES / 3
        assert {"bad_message", "not_allowed"} <= {failure.code for failure in refusals}
        strange = [failure for failure in refusals if not is_one_sentence(failure)]
        assert not strange, strange[:3]
        assert server.memory - before < MEMORY
    async with visit(server, other.viewer) as visitor:
        await visitor.hear(Lobby)


async def test_misshapen_messages_on_the_data_channel_leave_the_picture(server: Stage, other: RoomKeys) -> None:
    extreme = (0.0, -0.0, 1e308, -1e308, 5e-324, 1e15, -3.0)
    async with unharmed_call(server), server.page("person", other) as page:
        before = server.memory
        for i, value in enumerate(extreme * 20):
            page.say(ViewerCamera(bool(i % 2), (-1, 0, 1, 1 << 40)[i % 4], value, extreme[i % 5], extreme[i % 3]))
            page.say(Recalibrate())
        page.said.pop(Pong, None)
        shown = page.pictures
        await until(lambda: Pong in page.said and page.pictures > shown + 3)
        assert Failure not in page.said
        said = (m for m in messages(other.person, 0) if '"viewer_camera"' in str(m) or not str(m).startswith('{"type'))
        for _ in range(100):
            if page.channel.readyState == "open":
                page.channel.send(next(said))
            await asyncio.sleep(0.005)
        await until(lambda: page.socket.close_code is not None)  # hung up on
        assert is_one_sentence(page.said[Failure]) and server.memory - before < MEMORY


def test_the_messages_are_of_every_kind() -> None:
    found = messages("k" * 22, 1)
    kinds = {str(next(found)).partition('"type": "')[2].partition('"')[0] for _ in range(200)}
    assert {str(msgspec.inspect.type_info(kind).tag) for kind in get_args(FromPage)} <= kinds  # type: ignore[attr-defined]
