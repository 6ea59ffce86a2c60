"""A phone's packets drive an avatar in a call; what is none, too fast or a stranger's does not."""

from __future__ import annotations

import asyncio
import math
import socket
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from models.errors import VisavisError
from server import phone_seat
from server.call.protocol import Join, Moderate, Place, RoomState
from server.call_check.link import read_link
from server.cli import cli
from server.phone_seat import FORGOTTEN, PhoneFrames, sit
from tests.models.exchange.test_live_link_face import NAMES, packet
from tests.realtime.test_listening import free_port
from tests.server.call.serving import Running, running, until
from tests.server.call.test_driving import brightness

pytestmark = pytest.mark.timeout(120)


def test_the_first_phone_is_heard_until_it_is_silent() -> None:
    now = 0.0
    phone = PhoneFrames(lambda: now)
    for data, sender, takes in [
        (b"nonsense", "stranger", False),
        (packet({"JawOpen": 7.0}), "stranger", False),
        (packet({"JawOpen": math.nan}), "stranger", False),
        (packet({"JawOpen": 0.5}), "phone", True),
        (packet({"JawOpen": 0.9}), "stranger", False),
        (packet({}, count=0)[:60], "phone", False),
    ]:
        now += 0.02
        phone.datagram_received(data, sender)
        assert (phone.take() is not None) == takes, sender
    assert phone.refused == 4
    now += FORGOTTEN + 1
    phone.datagram_received(packet({"JawOpen": 0.9}), "stranger")
    assert phone.take() is not None and phone.take() is None


def test_a_flood_is_not_read_and_nothing_queues(monkeypatch: pytest.MonkeyPatch) -> None:
    now, read = 0.0, []
    monkeypatch.setattr(phone_seat.live_link_face, "read_packet", lambda data: read.append(data))
    phone = PhoneFrames(lambda: now)
    for i in range(10_000):
        now = i / 10_000
        phone.datagram_received(b"x", "phone")
    assert len(read) <= 241 and phone.refused >= 9_000


async def test_a_phone_drives_an_avatar_in_a_call_and_comes_back_when_the_server_does(tmp_path: Path) -> None:
    port, number, told = free_port(), 0, list[str]()
    first = NAMES[0]
    async with AsyncExitStack() as before:
        with socket.create_server(("127.0.0.1", 0)) as held:
            kept: dict[str, Any] = {"state": tmp_path, "port": held.getsockname()[1], "drain_time": 0.0}
        server = await before.enter_async_context(running(**kept))
        link = read_link(server.addresses.person)
        seat = asyncio.create_task(asyncio.to_thread(sit, link, Join("Phone"), "127.0.0.1", port, told=told.append))

        async def follows(server: Running, phone: socket.socket) -> None:
            async with server.page("viewer", place=Place(draws=True)) as eve:
                for value in (0.75, 0.25):

                    def shown(value: float = value) -> bool:
                        nonlocal number
                        assert not seat.done(), seat.exception()
                        number += 1
                        phone.sendto(packet({first: value}, number), ("127.0.0.1", port))
                        people = eve.said[RoomState].people if RoomState in eve.said else []
                        return any(brightness(eve, person.id) == pytest.approx(value, abs=0.02) for person in people)

                    await until(shown)

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            await follows(server, phone)
            await before.aclose()
            async with running(**kept) as again:
                await follows(again, phone)
                async with again.page("host", Join("Host"), filmed=False) as host:
                    await until(lambda: RoomState in host.said)
                    [guest] = [p.id for p in host.said[RoomState].people if p.name == "Phone"]
                    await host.tell(Moderate("remove", guest))
                    await until(seat.done)
                with pytest.raises(VisavisError, match="the server says"):
                    await seat
    assert told == ["in the room", "the connection is lost; trying to come back", "in the room"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "either a file"),
        (["x.jsonl", "--room", "http://127.0.0.1:9/room/k"], "either a file"),
        (["--room", "nowhere"], "a room's link"),
        (["--room", "http://127.0.0.1:9/room/k"], "cannot be talked to"),
        (["--room", "http://127.0.0.1:9/room/k", "--host", "192.0.2.1"], "cannot be had"),
    ],
)
def test_what_cannot_work_is_one_sentence(words: list[str], says: str) -> None:
    result = CliRunner().invoke(cli, ["listen", *words, "--port", str(free_port())])
    assert isinstance(result.exception, VisavisError) and says in str(result.exception) and "\n" not in str(result.exception)


async def test_a_room_that_lets_nobody_in_says_why() -> None:
    async with running() as server:
        link = read_link(server.addresses.viewer)
        wrong = type(link)(link.secure, link.host, link.port, "nobody")
        with pytest.raises(VisavisError, match="the server says"):
            await asyncio.to_thread(sit, wrong, Join(), "127.0.0.1", free_port(), 1.0)
