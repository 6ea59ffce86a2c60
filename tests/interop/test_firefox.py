"""Firefox: host and viewer of a room in which somebody without a browser speaks; and connections lost."""

from __future__ import annotations

import pytest

from server.call.protocol import Join
from tests.interop.firefox import Firefox
from tests.interop.probe import seen
from tests.interop.scenario import ADA, AVATARS, BOB, avatar_id, check_sections, comes_back, is_blue
from tests.server.call.serving import running, until
from tests.server.call.test_call import Tone

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(240)]


async def test_a_host_and_a_viewer_see_and_hear_and_come_back(firefox: Firefox) -> None:
    """On a machine without a sound card Firefox starts no AudioContext: that voices were decoded is what can be seen here."""
    async with (
        running(avatars=AVATARS) as server,
        firefox.page(avatar=avatar_id(server, "ada")) as host,
        firefox.page() as viewer,
    ):
        await host.open(server.addresses.host + "?autojoin=1")
        await seen(host, lambda m: m["phase"] == "live" and is_blue(m, ADA))
        join = Join("Bob", avatar_id(server, "bob"))
        async with server.page("person", join, microphone=Tone()) as bob:
            await viewer.open(server.addresses.viewer + "?autojoin=1")
            for page, blue, voices in (host, BOB, 1), (viewer, (ADA + BOB) / 2, 2):
                moment = await seen(page, lambda m: is_blue(m, blue) and m["voices"] == voices and m["energy"] > 0.001)  # noqa: B023
                check_sections(moment, "video/VP8", participant=page is host)
                assert moment["messages"] > 0
            await until(lambda: max(bob.voices.values(), default=0) > 1000 and len(server.room.worker.driven) == 2)
            await comes_back(host, bob)
