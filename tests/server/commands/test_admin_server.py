from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import VisavisError
from server.call.kept_rooms import RoomStore
from server.store.database import Database
from tests.server.commands.test_admin import PASSWORD, run, told
from tests.server.store.rows import make_database


def test_rights_are_given_and_taken(tmp_path: Path) -> None:
    told(tmp_path, "add-person", "ada", "--admin", "--password", PASSWORD)
    grace = told(tmp_path, "add-person", "grace", "--password", PASSWORD)["id"]
    assert told(tmp_path, "change-person", "grace", "--role", "admin") == {"id": grace, "role": "admin", "disabled": False}
    assert told(tmp_path, "change-person", "ada", "--role", "member", "--name", "Ada L.")["role"] == "member"
    for change in (("--disable",), ("--role", "member")):
        with pytest.raises(VisavisError, match="last admin"):
            run(tmp_path, "change-person", "grace", *change)
    assert told(tmp_path, "change-person", "ada", "--disable")["disabled"]
    assert not told(tmp_path, "change-person", "ada", "--enable")["disabled"]
    acts = [(entry["actor"], entry["act"]) for entry in told(tmp_path, "audit")["audit"]]
    assert acts.count(("command-line", "person.change")) == 4


def test_rooms_limits_and_health(tmp_path: Path) -> None:
    database = Database(make_database(tmp_path))
    (room,), _ = RoomStore(database, 8080).load(tmp_path)
    database.close()
    assert told(tmp_path, "list-rooms")["rooms"] == [{"id": room.id, "port": 8080, "name": "", "owner_id": ""}]
    assert room.keys.host not in run(tmp_path, "list-rooms").output
    assert told(tmp_path, "list-rooms", "--links")["rooms"][0]["host"] == room.keys.host
    assert told(tmp_path, "limits", "--jobs", "1", "--rooms-each", "0") == {
        "avatars": 50,
        "jobs": 1,
        "rooms": 256,
        "rooms_each": 0,
    }
    assert told(tmp_path, "limits")["jobs"] == 1
    health = told(tmp_path, "health")
    assert health["disk"]["free"] > 0 and health["store"]["people"] == health["queue"]["waiting"] == 0
    assert "versions" in run(tmp_path, "health").output
