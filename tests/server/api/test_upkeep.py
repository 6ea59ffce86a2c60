from __future__ import annotations

import time

import pytest

from server.accounts.tokens import DAY
from server.api import upkeep
from server.api.upkeep import erase_abandoned
from server.store.tables import Consent, Person
from tests.server.api.serving import Api, bearer, every, is_problem


def seen(server: Api, person: str, days_ago: float) -> None:
    with server.service.database.session() as session:
        session.get_one(Person, person).seen = time.time() - days_ago * DAY


def test_guests_who_did_not_come_back_are_erased_with_what_is_theirs(server: Api) -> None:
    (gone, headers), (here, own), (account, _) = server.person(), server.person(), server.person("member")
    avatar, kept = server.made(headers, keep_photo="true")["id"], server.made(own)["id"]
    for person, days in ((gone, 32), (here, 30), (account, 400)):
        seen(server, person, days)
    assert erase_abandoned(server.service, 30) == 1 and erase_abandoned(server.service, 30) == 0
    _, admin = server.person("admin")
    assert {person["id"] for person in every(server, "/api/people", admin)} >= {here, account}
    assert [found["id"] for found in every(server, "/api/avatars", admin)] == [kept]
    assert server.rooms.erased == [avatar] and server.rooms.out == [gone]
    assert len(server.service.files.names()) == 4  # the other one's avatar, preview, turntable and photo
    with server.service.database.reading() as session:
        assert [consent.avatar_id for consent in session.query(Consent)] == [kept]
    entry = every(server, "/api/audit", admin)[0]
    assert (entry["actor"], entry["act"], entry["object"], entry["detail"]) == (
        "server",
        "person.erase",
        gone,
        {"unused_days": 30},
    )


def test_who_comes_back_stays(server: Api) -> None:
    guest, headers = server.person()
    seen(server, guest, 29.5)
    renewed = server.client.post("/api/sessions/renewal", headers=headers)
    assert renewed.status_code == 201
    with server.service.database.reading() as session:
        row = session.get_one(Person, guest)
        assert time.time() - row.seen < 60 and row.version == 2  # by the test
    assert server.client.get("/api/me", headers=bearer(renewed.json()["token"])).json()["id"] == guest
    assert erase_abandoned(server.service, 30) == 0
    assert is_problem(server.client.post("/api/sessions/renewal", headers=server.person("member")[1]), 422)


async def test_it_goes_on_when_the_store_cannot_be_used(server: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[int] = []

    def fails(*_: object) -> int:
        rounds.append(1)
        if len(rounds) == 3:
            raise ZeroDivisionError  # the end of the test
        raise OSError

    monkeypatch.setattr(upkeep, "EVERY", 0.0)
    monkeypatch.setattr(upkeep, "erase_abandoned", fails)
    with pytest.raises(ZeroDivisionError):
        await upkeep.keep_up(server.service, 30)
    assert len(rounds) == 3
