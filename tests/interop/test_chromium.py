"""Chromium, as host, person and viewer of a room at once, with either video codec."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

from server.call.protocol import MAX_SOUND_LINES
from tests.fakes import fake_avatar
from tests.interop.chromium import Chromium
from tests.interop.probe import BrowserPage, seen
from tests.server.call.serving import Running, running, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(120)]

ADA, BOB = 40, 200
"""How blue their avatars are."""
AVATARS = {"ada": fake_avatar(ADA), "bob": fake_avatar(BOB)}
OWN = ["video sendrecv", "audio sendonly"]


@pytest.mark.parametrize("codec", ["video/vp8", "video/h264"])
async def test_two_people_and_a_viewer_see_and_hear_each_other(chromium_pages: Chromium, codec: str) -> None:
    async with running(avatars=AVATARS) as server, AsyncExitStack() as stack:
        pages = [await stack.enter_async_context(chromium_pages.page(codec=codec)) for _ in range(3)]
        host, person, viewer = pages
        await host.open(server.addresses.host + "?autojoin=1")
        await seen(host, lambda m: m["phase"] == "live" and m["decoded"] > 5)
        await person.open(server.addresses.person + "?autojoin=1")
        await viewer.open(server.addresses.viewer + "?autojoin=1")
        for page, voices in (host, 1), (person, 1), (viewer, 2):
            moment = await seen(page, lambda m, n=voices: m["voices"] == n and m["loudness"] > 0.01 and m["decoded"] > 5)
            print(moment)
