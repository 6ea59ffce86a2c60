"""How many requests a second the REST API answers, without media: a client process of its own asks through the door, each request
on a connection of its own, as the door wants it."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from models.errors import VisavisError
from server.accounts.tokens import Claims, Tokens, keep_secret
from server.benchmarks.live import receive, serving
from server.call.config import ServerConfig
from server.store.database import Database, sqlite_url
from server.store.tables import Person, StoredAvatar

PATHS = ("/api/me", "/api/avatars")
AVATARS = 10
"""Of the person who asks."""
TIMEOUT = 60.0


def bench_api(
    avatar_path: str | Path, seconds: float = 10.0, *, connections: int = 8, rate: float = 0.0, config: ServerConfig | None = None
) -> dict[str, Any]:
    """Ask for `PATHS` in turn for `seconds`. connections: requests at the same time at the most. rate: requests a second, as many
    as are answered when 0. config: settings other than avatars, host, port and state.

    Returns requests_per_second: answered with status 200; refused: others; p50_ms, p99_ms: from connecting to the last byte.
    """
    with TemporaryDirectory() as folder:
        state = Path(folder)
        values = {"avatars": (Path(avatar_path),), "host": "127.0.0.1", "port": 0, "state": state, "enrollments": 0}
        chosen = (config or ServerConfig()).with_values(**values)
        return asyncio.run(_measure(chosen, _sign_in(state), seconds, connections, rate))


def _sign_in(state: Path) -> str:
    """A token of somebody with avatars in a new database."""
    database = Database(sqlite_url(state))
    with database.session() as session:
        person = Person(login="bench", name="Bench", role="member")
        session.add(person)
        session.flush()
        session.add_all(StoredAvatar(owner_id=person.id, name=f"Avatar {i}") for i in range(AVATARS))
    database.close()
    return Tokens(keep_secret(state)).make(Claims(person.id, person.role, person.generation))


async def _measure(config: ServerConfig, token: str, seconds: float, connections: int, rate: float) -> dict[str, Any]:
    async with serving(config) as (_, addresses):
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        host = urlsplit(addresses.host)
        asking = context.Process(
            target=_ask_all, args=(theirs, (host.hostname, host.port), token, seconds, connections, rate), daemon=True
        )
        asking.start()
        theirs.close()
        try:
            times, refused = await receive(ours, seconds + TIMEOUT)
        finally:
            asking.kill()
            await asyncio.to_thread(asking.join)
            ours.close()
    if not times:
        raise VisavisError("answers of the API were expected, none came; look at the log")
    p50, p99 = (round(float(value), 1) for value in np.percentile(1000 * np.array(times), [50, 99]))
    return {
        "requests_per_second": round(len(times) / seconds, 1), "refused": refused, "p50_ms": p50, "p99_ms": p99,
        "seconds": seconds, "connections": connections, "asked_per_second": rate or None,
    }  # fmt: skip


# In the client's process


def _ask_all(pipe: Connection, place: tuple[str, int], token: str, seconds: float, connections: int, rate: float) -> None:
    times: list[float] = []
    refused = 0

    async def ask_on(number: int, start: float) -> None:
        nonlocal refused
        count = number
        while time.monotonic() < start + seconds:
            if rate and (wait := start + count / rate - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            at = max(time.monotonic(), start)
            if await _ask(place, PATHS[count % len(PATHS)], token):
                times.append(time.monotonic() - at)
            else:
                refused += 1
            count += connections

    async def run() -> None:
        await _ask(place, PATHS[0], token)
        start = time.monotonic()
        await asyncio.gather(*(ask_on(number, start) for number in range(connections)))

    asyncio.run(run())
    pipe.send((times, refused))


async def _ask(place: tuple[str, int], path: str, token: str) -> bool:
    try:
        reader, writer = await asyncio.open_connection(*place)
        writer.write(f"GET {path} HTTP/1.1\r\nhost: {place[0]}\r\nauthorization: Bearer {token}\r\n\r\n".encode())
        answer = await reader.read()
        while more := await reader.read():
            answer += more
        writer.close()
    except OSError:
        return False
    return answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"}")
