from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import astuple

import pytest

from server.call.rules import RoomKeys
from tests.server.call.attacks.stage import Stage, stage

ROOMS = 3


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One for all attacks; when they are over it must still obey SIGTERM, with nothing much in its log."""
    settings = {"max_viewers": 4, "max_rooms": ROOMS, "factory_options": {"grain": 60}}
    with stage(tmp_path_factory.mktemp("stage"), **settings) as running:
        yield running
        text = running.log.read_text()
        assert "Traceback" not in text and not any(key in text for key in astuple(running.keys)), text[-3000:]


@pytest.fixture(scope="package")
def other(server: Stage) -> RoomKeys:
    """The keys of a second room of the server."""
    status, body = server.create(server.keys.host)
    assert status == 201
    links = json.loads(body)
    return RoomKeys(*(links[role].rpartition("/")[2] for role in ("host", "person", "viewer")))
