"""The figures of the attacks that need no key: `python -m tests.server.call.attacks.figures [--seconds 20] [NAME ...]`.

For each attack: pictures a second of a person and a viewer before, while it goes on and after it, with the same newcomers
in all three; how long the slowest newcomer took from asking for the page to the open data channel, over how many tries; and
by how much the log has grown. Attackers, pages and server share this machine, so the attackers' own work is in the loss.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from websockets.exceptions import WebSocketException

from server.call_client import CallClient
from tests.server.call.attacks.attackers import FLOODS
from tests.server.call.attacks.stage import Stage, pictures, stage
from tests.server.call.serving import until

RETRY = 0.3
"""Seconds after which a newcomer who was hung up on asks again."""
ATTACKS: dict[str, tuple[Any, ...]] = {
    "empty datagrams": ("udp", "empty"),
    "short datagrams": ("udp", "short"),
    "2000 silent connections": ("tcp", "silent", 2000, 1, 2000),
    "2000 half-open requests": ("tcp", "half a request", 2000, 1, 2000),
    "32 silent sockets": ("tcp", "a silent socket", 32, 1, 100),
    "670/s over IPv6": ("tcp", "requests of every kind", 1000, 1, 670, "::1"),
    "slow headers and bodies": ("drip", 200, 200),
    **{f"670/s {flood}": ("tcp", flood, 1000, 1, 670) for flood in FLOODS},
}


async def newcomer(server: Stage) -> tuple[float, int]:
    """Page, socket, offer and data channel, from the address of the attackers. Returns seconds and tries."""
    start = time.monotonic()
    for tries in range(1, 1000):
        try:
            page = server.page("viewer", cookie=await asyncio.to_thread(_page, server))
            async with asyncio.timeout(5):
                await page.__aenter__()
            took = time.monotonic() - start
            await page.leave()
            return took, tries
        except (OSError, EOFError, TimeoutError, WebSocketException):
            await asyncio.sleep(RETRY)
    raise AssertionError("nobody gets in any more")


def _page(server: Stage) -> str:
    """Ask for the viewers' page as a browser does; returns its cookie."""
    address = f"{server.base}/room/{server.keys.viewer}"
    try:
        with urllib.request.urlopen(address, timeout=5) as reply:
            return str(reply.headers["set-cookie"]).partition(";")[0]
    except urllib.error.HTTPError as error:
        with error:
            if error.code != 503:  # the pages may not be built
                raise
            return str(error.headers["set-cookie"]).partition(";")[0]


async def observe(server: Stage, pages: list[CallClient], seconds: float) -> tuple[list[float], float, int]:
    """Pictures a second of each page, and the slowest newcomer's seconds and tries."""
    start = time.monotonic()
    slowest, most = 0.0, 0
    while time.monotonic() < start + seconds:
        took, tries = await newcomer(server)
        slowest, most = max(slowest, took), max(most, tries)
        await asyncio.sleep(1.0)
    span = time.monotonic() - start
    return [round(pictures(page, start) / span, 1) for page in pages], slowest, most


async def figures(server: Stage, name: str, seconds: float) -> str:
    """One attack's row."""
    async with server.page("person") as person, server.page("viewer") as viewer:
        pages = [person, viewer]
        await until(lambda: min(page.pictures for page in pages) > 3)
        before, slow_before, _ = await observe(server, pages, seconds / 2)
        log = server.log.stat().st_size
        attack, *rest = ATTACKS[name]
        with server.under(attack, *rest, told=server.media_ports):
            under, slow, tries = await observe(server, pages, seconds)
        after, slow_after, _ = await observe(server, pages, seconds / 2)
        grown = server.log.stat().st_size - log
        states = {page.pc.connectionState for page in pages}
    usual = [(a + b) / 2 for a, b in zip(before, after, strict=True)]
    loss = max(1 - now / then for now, then in zip(under, usual, strict=True))
    return (
        f"{name:28} pictures/s {before} -> {under} -> {after}, loss {100 * loss:5.1f} %; newcomer {slow:.2f} s in {tries} tries "
        f"({max(slow_before, slow_after):.2f} s without); log {grown} bytes; {', '.join(states)}"
    )


def main() -> None:
    """Print a row for each attack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(ATTACKS)}; all of them when left out")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each attack")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder), max_viewers=4, factory_options={"grain": 60}) as server:
        for name in chosen.names or ATTACKS:
            print(asyncio.run(figures(server, name, chosen.seconds)), flush=True)


if __name__ == "__main__":
    main()
