"""Chromium: host, person and viewer of one room, with either video codec; and connections lost."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

from tests.interop.chromium import Chromium
from tests.interop.probe import seen
from tests.interop.scenario import ADA, AVATARS, BOB, avatar_id, check_sections, comes_back, is_blue
from tests.server.call.serving import running, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.mark.parametrize("codec", ["video/VP8", "video/H264"])
async def test_two_people_and_a_viewer_see_and_hear_each_other(chromium_pages: Chromium, codec: str) -> None:
    async with running(avatars=AVATARS) as server, AsyncExitStack() as stack:
        names = ("ada", "bob", "")
        watch = [{"codec": codec.lower(), "avatar": avatar_id(server, name) if name else ""} for name in names]
        ada, bob, eve = [await stack.enter_async_context(chromium_pages.page(**options)) for options in watch]
        await ada.open(server.addresses.host + "?autojoin=1")
        await seen(ada, lambda m: m["phase"] == "live" and is_blue(m, ADA))
        await bob.open(server.addresses.person + "?autojoin=1")
        await eve.open(server.addresses.viewer + "?autojoin=1")
        for page, blue, voices in (ada, BOB, 1), (bob, ADA, 1), (eve, (ADA + BOB) / 2, 2):
            moment = await seen(page, lambda m: is_blue(m, blue) and m["voices"] == voices and m["loudness"] > 0.01)  # noqa: B023
            check_sections(moment, codec, participant=page is not eve)
            assert moment["messages"] > 0
        await until(lambda: len(server.room.worker.driven) == 2)


async def test_a_page_comes_back_with_other_offers(chromium_pages: Chromium) -> None:
    async with running(avatars=AVATARS) as server, chromium_pages.page() as host, server.page("viewer") as viewer:
        await host.open(server.addresses.host + "?autojoin=1")
        await seen(host, lambda m: m["phase"] == "live" and m["decoded"] > 5)
        await comes_back(host, viewer)
        await until(lambda: bool(server.room.worker.driven))
