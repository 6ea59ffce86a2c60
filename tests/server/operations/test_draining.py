from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from server.call.protocol import Failure, Join
from server.call.room import RESTARTS
from server.call_client import RefusedError
from server.jobs.supervisor import Runners
from server.operations.draining import Drain
from tests.server.call.serving import Running, running, shows, until

pytestmark = pytest.mark.timeout(240)
LONG = 3600.0


def sigterm() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


async def draining(server: Running) -> None:
    """Send SIGTERM and wait until it is heard."""
    sigterm()
    await until(lambda: server.rooms.retry_after is not None)


async def test_calls_go_on_nobody_new_comes_in_and_a_second_sigterm_ends_it() -> None:
    async with running(drain_time=LONG) as server, server.page("person", Join("Ada")) as ada, server.page("viewer") as viewer:
        await until(lambda: shows(ada, server.brightness))
        await draining(server)
        await until(lambda: Failure in ada.said and Failure in viewer.said)
        told = ada.said[Failure]
        assert (told.code, told.message, told.final) == ("restarting", RESTARTS, False)
        with pytest.raises(RefusedError) as refused:
            await server.page("viewer").connect()
        assert refused.value.failure.code == "restarting" and refused.value.failure.retry_after > LONG
        assert await server.status("/readyz") == "draining" and await server.status("/healthz") == "ok"
        bearer = {"Authorization": f"Bearer {server.key('host')}"}
        reply = await server.request("/rooms", "POST", **bearer)
        assert reply.status == 503 and int(reply.headers["retry-after"]) > LONG and reply.body.count(b".") == 1
        seen = ada.pictures
        server.brightness = 40
        await until(lambda: ada.pictures > seen + 2 and shows(ada, 40))
        back = server.page("person", Join("Ada"), resume=ada.welcome.resume)
        async with back:  # whoever is in may come back, as with a page that is loaded again
            await until(lambda: back.pictures > 0)
            sigterm()
            await back.socket.wait_closed()
            await until(lambda: not server.room.ready)


async def test_it_ends_as_soon_as_all_have_left() -> None:
    async with running(drain_time=LONG) as server:
        async with server.page("viewer"):
            await draining(server)
            await asyncio.sleep(0.5)
            assert not server.room._draining
        await until(lambda: server.room._draining)


async def test_a_call_that_goes_on_is_ended_when_the_time_is_over() -> None:
    async with running(drain_time=0.3) as server, server.page("viewer") as viewer:
        await draining(server)
        await viewer.socket.wait_closed()


async def test_without_a_drain_time_pages_are_told_and_it_ends_at_once() -> None:
    async with running() as server, server.page("viewer") as viewer:
        sigterm()
        await viewer.socket.wait_closed()
        await until(lambda: Failure in viewer.said)
        assert (viewer.said[Failure].code, viewer.said[Failure].final) == ("restarting", False)


async def test_jobs_are_given_back_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `Runners.stop` does with them is tested with the runners."""
    stops: list[bool] = []

    class Stopping(Runners):
        async def stop(self) -> None:
            stops.append(server.rooms.is_calling)
            await super().stop()

    monkeypatch.setattr("server.call.app.make_runners", lambda config: Stopping([]))
    async with running(state=tmp_path, drain_time=LONG) as server, server.page("viewer"):
        await draining(server)
        await until(lambda: stops == [True])


async def test_what_cannot_be_drained_stops_at_once() -> None:
    drain = Drain(0.0, None, lambda: None, None)  # type: ignore[arg-type]
    assert not drain.begin() and not drain.has_begun
