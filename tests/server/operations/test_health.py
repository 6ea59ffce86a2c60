from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from server.operations.health import DRAINING, EVERY, FAILED, HANGS, LOADING, Health, HealthProblem
from server.store.database import Database
from server.store.files import FileStore
from tests.server.call.serving import running, until
from tests.server.store.rows import make_database


def codes(health: Health) -> list[str]:
    """The codes of what a look finds."""
    health._found = health.look()
    return [problem.code for problem in health.problems]


def test_what_is_wrong_with_store_and_disk_is_found_and_when_it_is_mended(tmp_path: Path) -> None:
    database, files = Database(make_database(tmp_path)), FileStore(str(tmp_path / "files"))
    health = Health(lambda: None, database, files, tmp_path, 0.0)
    assert codes(health) == [] and health.report() == (200, '{"status": "ready", "problems": []}')
    shutil.rmtree(tmp_path / "files")
    for names in (("alembic_version", "lost"), ("lost", "alembic_version")):
        with database.session() as session:
            session.execute(text("ALTER TABLE {} RENAME TO {}".format(*names)))
        assert codes(health) == (["database", "file_store"] if names[1] == "lost" else ["file_store"])
    assert json.loads(health.report()[1])["status"] == "impaired" and health.report()[0] == 503
    (tmp_path / "files").mkdir()
    assert codes(health) == [] and codes(Health(lambda: None, database, files, tmp_path, 1e9)) == ["disk"]
    assert codes(Health(lambda: None, None, None, tmp_path / "gone", 0.1)) == ["disk"]
    assert codes(Health(lambda: None, None, None, None, 1e9)) == []
    database.close()


@pytest.mark.parametrize(("problem", "status"), [(DRAINING, "draining"), (LOADING, "loading"), (FAILED, "failed")])
def test_each_state_of_the_rooms_has_its_word_and_a_sentence(problem: HealthProblem, status: str) -> None:
    code, body = Health(lambda: problem, None, None, None, 0.0).report()
    told = json.loads(body)
    assert (code, told["status"]) == (503, status)
    assert [row["code"] for row in told["problems"]] == [problem.code] and all(row["detail"] for row in told["problems"])


def test_a_store_that_hangs_is_a_problem() -> None:
    now = [0.0]
    health = Health(lambda: None, None, None, None, 0.0, clock=lambda: now[0])
    now[0] = HANGS
    assert health.problems == [] and EVERY < HANGS
    now[0] += 1
    assert [problem.code for problem in health.problems] == ["store_silent"]


async def test_readiness_of_a_server_that_has_too_little_disk(tmp_path: Path) -> None:
    async with running(state=tmp_path, least_disk=1e9) as server:
        await until(lambda: server.rooms.ready)
        assert await server.status("/healthz") == "ok"
        while await server.status("/readyz") != "impaired":
            pass
        reply = await server.get("/readyz")
        assert reply.status == 503 and [row["code"] for row in json.loads(reply.body)["problems"]] == ["disk"]
