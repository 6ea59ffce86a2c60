"""Where a request comes from: its peer, or whom a proxy that is trusted names."""

from __future__ import annotations

import pytest

from server.call.origins import Origins, plain_address

PROXIES = ("10.0.0.1", "192.168.0.0/16", "2001:db8::1")


def header(*forwarded: str, name: str = "X-Forwarded-For") -> bytes:
    fields = "".join(f"{name}: {value}\r\n" for value in forwarded)
    return f"GET /ws?x-forwarded-for: 1.1.1.1 HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode("latin-1")


@pytest.mark.parametrize(
    ("peer", "forwarded", "origin"),
    [
        ("203.0.113.9", (), "203.0.113.9"),
        ("203.0.113.9", ("198.51.100.1",), "203.0.113.9"),  # made up by whoever asks
        ("203.0.113.9", ("10.0.0.1",), "203.0.113.9"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("192.168.7.7", ("198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("1.2.3.4, 198.51.100.1",), "198.51.100.1"),  # the first was there before the proxy
        ("10.0.0.1", ("1.2.3.4", "198.51.100.1, 192.168.0.3"), "198.51.100.1"),
        ("10.0.0.1", ("198.51.100.1:4711",), "198.51.100.1"),
        ("2001:db8::1", ("[2001:db8:1::7]:4711",), "2001:db8:1::7"),
        ("2001:db8::1", ("::ffff:198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("somebody",), "10.0.0.1"),
        ("10.0.0.1", ("unknown, \xff",), "10.0.0.1"),
        ("10.0.0.1", ("", " ,"), "10.0.0.1"),
    ],
)
def test_only_a_trusted_proxy_says_for_whom_it_asks(peer: str, forwarded: tuple[str, ...], origin: str) -> None:
    for name in ("X-Forwarded-For", "x-forwarded-for"):
        assert Origins(PROXIES).of(peer, header(*forwarded, name=name)) == origin
    assert Origins(()).of(peer, header(*forwarded)) == peer


@pytest.mark.parametrize(
    ("host", "plain"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("", ""),
    ],
)
def test_a_peer_is_told_by_its_address_alone(host: str, plain: str) -> None:
    assert plain_address(host) == plain
