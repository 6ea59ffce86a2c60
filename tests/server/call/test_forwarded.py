"""Where a request comes from, behind a proxy and without one: limits are by that address."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.server.call.serving import Running, running

WRONG = {"login": "ada", "password": "guessed password"}


async def statuses(server: Running, addresses: list[str]) -> list[int]:
    async with httpx.AsyncClient(base_url=server.base, timeout=30, verify=False) as client:
        return [
            (await client.post("/api/sessions", json=WRONG, headers={"x-forwarded-for": address})).status_code
            for address in addresses
        ]


async def are_refused(server: Running, addresses: str) -> bool:
    """Whether sign-ins are refused after some; a busy machine takes so long for each that some are allowed again meanwhile."""
    for number in range(60):
        if await statuses(server, [addresses.format(number)]) == [429]:
            return True
    return False


@pytest.mark.parametrize(
    ("proxies", "tls"), [((), False), (("192.0.2.0/24",), False), *[(("127.0.0.0/8", "192.0.2.7"), tls) for tls in (False, True)]]
)
async def test_only_a_proxy_that_is_configured_is_believed(tmp_path: Path, proxies: tuple[str, ...], tls: bool) -> None:
    async with running(state=tmp_path, trusted_proxies=proxies, tls=tls) as server:
        if "127.0.0.0/8" not in proxies:  # made up by whoever asks: one address all the same
            assert await statuses(server, [f"203.0.113.{i}" for i in range(10)]) == [401] * 10
            assert await are_refused(server, "203.0.113.{}")
            return
        assert await statuses(server, [f"203.0.113.{i}" for i in range(11)]) == [401] * 11
        # what the client itself says stands in front, what our proxies add behind
        assert await are_refused(server, "198.51.100.{}, 203.0.113.50, 192.0.2.7")
