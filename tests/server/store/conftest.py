"""Both kinds of database and of file store: PostgreSQL in a cluster of its own, and an S3 store on this machine."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from server.store.database import Database, sqlite_url
from tests.server.store.rows import make_database

UNPRIVILEGED = 65534
"""The user `nobody`: PostgreSQL does not run as root."""


def _postgresql() -> Path | None:
    """The folder of its programs."""
    found = shutil.which("pg_ctl")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """The folder of the socket of a PostgreSQL server."""
    pytest.importorskip("psycopg", reason="psycopg is not installed (the extra `cluster`): PostgreSQL was not tried")
    programs = _postgresql()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql): nothing was tried with it")
    user: dict[str, Any] = {"user": UNPRIVILEGED, "group": UNPRIVILEGED} if os.geteuid() == 0 else {}
    with TemporaryDirectory(dir="/tmp") as folder:
        if user:
            os.chown(folder, UNPRIVILEGED, UNPRIVILEGED)
        data, log = f"{folder}/data", f"{folder}/log"

        def run(*command: str) -> None:
            done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder, **user)
            assert done.returncode == 0, done.stdout + done.stderr

        run(str(programs / "initdb"), "-D", data, "-A", "trust", "-U", "visavis", "--no-sync", "-E", "UTF8", "--locale=C")
        options = f"-k {folder} -c listen_addresses= -c fsync=off -c max_connections=50"
        run(str(programs / "pg_ctl"), "-D", data, "-l", log, "-w", "-o", options, "start")
        try:
            yield folder
        finally:
            run(str(programs / "pg_ctl"), "-D", data, "-m", "immediate", "-w", "stop")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of a new, empty database."""
    if request.param == "sqlite":
        yield sqlite_url(tmp_path)
        return
    folder = request.getfixturevalue("cluster")
    import psycopg

    name = f"t{secrets.token_hex(6)}"
    with psycopg.connect(host=folder, user="visavis", dbname="postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield f"postgresql+psycopg://visavis@/{name}?host={folder}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(database_url: str, tmp_path: Path) -> Iterator[Database]:
    opened = Database(make_database(tmp_path) if database_url == sqlite_url(tmp_path) else database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of an S3 store on this machine."""
    pytest.importorskip("s3fs", reason="s3fs is not installed (the extra `cluster`): S3 was not tried")
    server = pytest.importorskip("moto.server", reason="moto is not installed: S3 was not tried")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = server.ThreadedMotoServer("127.0.0.1", port, verbose=False)
    running.start()
    yield f"http://127.0.0.1:{port}"
    running.stop()


@pytest.fixture
def s3_url(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of a new bucket's folder."""
    for name, value in (
        ("ENDPOINT_URL", s3),
        ("ACCESS_KEY_ID", "key"),
        ("SECRET_ACCESS_KEY", "x"),
        ("DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)
    return f"s3://bucket-{secrets.token_hex(6)}/visavis"
