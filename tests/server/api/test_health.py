from __future__ import annotations

import shutil

import pytest

import models
from tests.server.api.serving import Api


def test_how_the_server_is(server: Api) -> None:
    _, admin = server.person("admin")
    _, guest = server.person()
    server.made(guest)
    server.enroll(guest)
    health = server.client.get("/api/health", headers=admin).json()
    assert health["versions"]["visavis"] == models.__version__ and health["uptime"] > 0
    assert health["disk"]["total"] >= health["disk"]["free"] > 0
    assert health["queue"]["waiting"] == 1 and health["queue"]["running"] == health["queue"]["failed"] == 0
    assert health["store"] == {"database": "sqlite", "encrypted": False, "people": 1, "guests": 1, "avatars": 2}
    assert health["rooms"] == {"kept": 1, "open": 1, "people": 2, "viewers": 1, "pictures": 45.0}


def test_a_disk_that_cannot_be_asked_or_is_nearly_full(server: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    _, admin = server.person("admin")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))  # type: ignore[attr-defined]
    assert server.client.get("/api/health", headers=admin).json()["disk"] == {"free": 1, "total": 100, "low": True}

    def refuse(_: object) -> None:
        raise OSError

    monkeypatch.setattr(shutil, "disk_usage", refuse)
    assert server.client.get("/api/health", headers=admin).json()["disk"] is None
