from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import VisavisError
from server.call.kept_rooms import RoomStore
from server.store.database import Database
from tests.server.commands.test_admin import run, told
from tests.server.store.rows import make_database


def test_links_are_listed_made_renewed_and_ended(tmp_path: Path) -> None:
    database = Database(make_database(tmp_path))
    (first,), _ = RoomStore(database, 8080).load(tmp_path)
    (other,), _ = RoomStore(database, 8081).load(tmp_path)
    (shown,) = told(tmp_path, "links")["rooms"]
    assert shown["host"] == f"http://localhost:8080/room/{first.keys.host}" and shown["id"] == first.id
    assert first.keys.viewer in run(tmp_path, "links").output
    made = told(tmp_path, "links", "--add", "Monday")["rooms"][1]
    assert made["name"] == "Monday"
    again = {room["id"]: room for room in told(tmp_path, "links", "--renew", first.id)["rooms"]}
    assert again[made["id"]] == made and {role for role in shown if shown[role] != again[first.id][role]} == {
        "host",
        "person",
        "viewer",
    }
    wrongs = (
        (("--delete", first.id), "first room stays"),
        (("--renew", other.id), "this port"),
        (("--delete", "x"), "this port"),
    )
    for wrong, sentence in wrongs:
        with pytest.raises(VisavisError, match=sentence):
            run(tmp_path, "links", *wrong)
    assert [room["id"] for room in told(tmp_path, "links", "--delete", made["id"])["rooms"]] == [first.id]
    assert told(tmp_path, "links", "--port", "8081")["rooms"][0]["host"].endswith(f":8081/room/{other.keys.host}")
    run(tmp_path, "limits", "--rooms", "1")
    with pytest.raises(VisavisError, match="at most 1 rooms"):
        run(tmp_path, "links", "--add", "One more")
    acts = [entry["act"] for entry in told(tmp_path, "audit")["audit"]]
    assert acts == ["room.add", "room.renew", "room.delete", "limits.change"]
    database.close()
