"""Room tokens at a server that runs: who is let in, who is not, and who has to go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from server.accounts.room_tokens import Grants, RoomTokens
from server.accounts.tokens import Claims, Tokens, keep_secret
from server.call.protocol import Failure, Join, Lobby, Moderate, RoomState
from server.call_client import CallClient, RefusedError
from server.store.database import Database
from tests.server.api.serving import bearer
from tests.server.call.serving import Running, running, until
from tests.server.store.rows import add_person, make_database

pytestmark = pytest.mark.timeout(240)


@dataclass
class Site:
    """A server and a client of its API, signed in as an admin."""

    server: Running
    client: httpx.AsyncClient
    database: Database
    secret: str

    @property
    def room(self) -> str:
        """Id of the first room."""
        return self.server.rooms.kept[0].id

    def person(self, role: str = "member") -> tuple[str, dict[str, str]]:
        made = add_person(self.database, role, login=None)
        return made, bearer(Tokens(self.secret).make(Claims(made, role, 0)))

    async def token(self, headers: dict[str, str] | None = None, room: str = "", **values: Any) -> str:
        values.setdefault("grants", ["publish", "subscribe"])
        reply = await self.client.post(f"/api/rooms/{room or self.room}/tokens", json=values, headers=headers)
        assert reply.status_code == 201, reply.text
        return str(reply.json()["token"])

    def page(self, key: str, name: str = "Ada", resume: str = "", watch: bool = False) -> CallClient:
        page = self.server.page("viewer" if watch else "person", Join(name, watch=watch), resume=resume)
        page._hello = msgspec.structs.replace(page._hello, key=key)
        return page

    async def refusal(self, key: str, resume: str = "") -> Failure:
        """What somebody with that key is told."""
        page = self.page(key, resume=resume)
        with pytest.raises(RefusedError):
            await page.enter()
        await page.leave(bye=False)
        found: Failure = page.said[Failure]
        return found


@asynccontextmanager
async def site(folder: Path, **config: Any) -> AsyncIterator[Site]:
    secret, database = keep_secret(folder), Database(make_database(folder))
    admin = add_person(database, "admin", login="root")
    headers = bearer(Tokens(secret).make(Claims(admin, "admin", 0)))
    async with (
        running(state=folder, heartbeat=0.2, **config) as server,
        httpx.AsyncClient(base_url=server.base, timeout=30, headers=headers) as client,
    ):
        yield Site(server, client, database, secret)
    database.close()


async def test_who_is_let_in_and_who_is_not(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        ada, own = here.person()
        token = await here.token(person=ada, name="Ada L.")
        async with here.page(token, "Somebody else") as page:
            await until(lambda: page.pictures > 0)
            assert page.welcome.role == "person" and [p.name for p in page.said[RoomState].people] == ["Ada L."]
            assert page.said[Lobby].account
            assert "in use" in (await here.refusal(token)).message  # a second seat of the same token
        await until(lambda: here.server.room.people == 0)
        async with here.page(await here.token(grants=["watch", "subscribe"]), watch=True) as viewer:
            assert viewer.welcome.role == "viewer" and not viewer.said[Lobby].account
        assert "only sends" in (await here.refusal(await here.token(grants=["publish"]))).message
        # forged, of another room, of no room, of another kind, expired
        made = RoomTokens(here.secret)
        old = RoomTokens(here.secret, lambda: 1000.0)
        second = (await here.client.post("/api/rooms", json={})).json()
        forged = [
            RoomTokens("o" * 64).make(Grants(here.room, host=True))[0], made.make(Grants("another", host=True))[0],
            made.make(Grants(here.room))[0], own["authorization"].removeprefix("Bearer "), token[:-2] + "xx", "a.b.c", "",
        ]  # fmt: skip
        for key in forged:
            failure = await here.refusal(key)
            assert failure.code == "not_found" and len(failure.message) < 100, failure
        assert "expired" in (await here.refusal(old.make(Grants(here.room, publish=True))[0])).message
        elsewhere = await here.token(room=second["id"], grants=["watch", "subscribe"])
        async with here.page(elsewhere, watch=True) as viewer:  # who may watch one room does not see another
            assert viewer.said[RoomState].people == [] and here.server.rooms.open_room(second["id"]) is not None
        assert (await here.client.delete(f"/api/rooms/{second['id']}")).status_code == 204
        for key in (elsewhere, second["links"]["viewer"].rpartition("/")[2]):
            assert (await here.refusal(key)).code == "not_found"
        # the page itself comes with the token in its address, also late, so that it can say why; other addresses do not
        assert [(await here.client.get(f"/room/{key}")).status_code for key in (token, forged[0])] == [200, 404]
        assert (await here.client.post("/rooms", headers=bearer(await here.token(grants=["host"])))).status_code == 403
        assert (await here.client.patch("/api/limits", json={"rooms": 1})).status_code == 200  # also for a host's link
        assert (await here.client.post("/rooms", headers=bearer(here.server.key("host")))).status_code == 409


async def test_who_was_erased_disabled_or_removed_does_not_come_back(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        (ada, _), (bo, backend), (eve, _) = here.person(), here.person(), here.person()
        ada_s, eve_s = await here.token(person=ada), await here.token(person=eve)
        kept: list[str] = []
        here.server.rooms._store.revoke = lambda token, _until: kept.append(token)  # type: ignore[method-assign]
        key = here.server.key("person")
        by_bo, bo_s = await here.token(backend, key=key), await here.token(backend, key=key, person=bo)
        async with here.page(ada_s) as first, here.page(eve_s) as second, here.page(by_bo) as third:
            await until(lambda: here.server.room.people == 3)
            assert (await here.client.delete(f"/api/people/{ada}")).status_code == 204
            await until(lambda: Failure in first.said)
            assert (await here.client.patch(f"/api/people/{eve}", json={"disabled": True})).status_code == 200
            await until(lambda: Failure in second.said and here.server.room.people == 1)
            assert {first.said[Failure].code, second.said[Failure].code} == {"removed"}
            assert (await here.client.patch(f"/api/people/{bo}", json={"disabled": True})).status_code == 200
            for token, resume in ((ada_s, first.welcome.resume), (eve_s, ""), (by_bo, ""), (bo_s, "")):
                assert (await here.refusal(token, resume)).message.startswith("This token is not valid any more")
            # who sits there by a token of Bo's, without an account, stays until the host removes them
            assert Failure not in third.said
            async with here.page(await here.token(grants=["host", "subscribe"])) as host:
                await until(lambda: here.server.room.people == 2)
                for key in (await here.token(), await here.token()):
                    async with here.page(key) as guest:
                        await until(lambda: len(host.said[RoomState].people) == 3)
                        await host.tell(Moderate("remove", guest.welcome.participant))
                        await until(lambda: Failure in guest.said)
                        assert guest.said[Failure].code == "removed"
                    assert (await here.refusal(key, guest.welcome.resume)).message.startswith("This token is not valid any more")
        await until(lambda: RoomTokens(here.secret).read(key).id in kept)  # for after a restart


async def test_a_call_outlives_its_token_and_a_new_one_is_needed_to_come_again(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        now = [0.0]
        tokens = here.server.rooms._service.room_tokens  # type: ignore[union-attr]
        clock, tokens._clock = tokens._clock, lambda: clock() + now[0]
        token = await here.token(lifetime=10)
        async with here.page(token) as page:
            await until(lambda: page.pictures > 0)
            now[0] = 200.0
            seen = page.pictures
            await until(lambda: page.pictures > seen + 3)
            assert (
                "expired" in (await here.refusal(token)).message and "expired" in (await here.refusal(token, "guessed")).message
            )
            async with here.page(token, resume=page.welcome.resume) as again:  # its socket was lost, its seat was not
                assert again.welcome.participant == page.welcome.participant
                await until(lambda: again.pictures > 0)
                fresh = await here.token()
                async with here.page(fresh, resume=page.welcome.resume) as third:
                    assert third.welcome.participant == page.welcome.participant
        await until(lambda: here.server.room.people == 0)
        assert "expired" in (await here.refusal(token, page.welcome.resume)).message
