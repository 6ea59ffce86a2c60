"""What every browser has to get through, whichever it is."""

from __future__ import annotations

import asyncio
from typing import Any

from server.call.protocol import MAX_SOUND_LINES, RoomState
from tests.fakes import fake_avatar
from tests.interop.probe import WAIT, BrowserPage, seen
from tests.server.call.serving import Running

ADA, BOB = 40, 200
"""How blue their avatars are."""
AVATARS = {"ada": fake_avatar(ADA), "bob": fake_avatar(BOB)}
HEARD = ["audio recvonly"] * MAX_SOUND_LINES


def avatar_id(server: Running, name: str) -> str:
    """Of an avatar's name."""
    return next(entry.id for entry in server.rooms.catalog.entries if entry.name == name)


def is_blue(moment: dict[str, Any], blue: int) -> bool:
    """Whether the middle of the picture is as blue."""
    return moment["color"] is not None and abs(moment["color"][2] - blue) < 20


def check_sections(moment: dict[str, Any], codec: str, *, participant: bool) -> None:
    """All sections came through as they were offered, in one transport (BUNDLE, RFC 8843), and the codec is the one expected."""
    own = ["video sendrecv", "audio sendonly"] if participant else ["video recvonly"]
    assert moment["sections"] == [*own, *HEARD]
    assert moment["transports"] == 1
    assert moment["codec"] == codec and moment["sentCodec"] == (codec if participant else None)


async def comes_back(page: BrowserPage, watching: Any) -> None:
    """The page in a live call loses its socket, then its data channel twice: the same seat, another offer each time."""
    before = [person.id for person in watching.said[RoomState].people]
    await page.run("() => interop.sockets.at(-1).close()")
    moment = await seen(page, lambda m: m["sockets"] == 2 and m["phase"] == "live")
    assert moment["connections"] == 1, "a lost socket is no reason to lose the media"
    for _ in range(2):
        before_loss = (await seen(page, lambda m: m["phase"] == "live"))["connections"]
        async with asyncio.timeout(WAIT):  # pictures may come before the channel is open, and closing it then is no loss of it
            while await page.run("() => interop.channels.at(-1).readyState") != "open":
                await asyncio.sleep(0.1)
        await page.run("() => interop.channels.at(-1).close()")
        await seen(page, lambda m, n=before_loss: m["connections"] > n and m["phase"] == "live" and m["decoded"] > 5)  # type: ignore[misc]
    after = [person.id for person in watching.said[RoomState].people]
    assert after == before, "the seat was lost"
