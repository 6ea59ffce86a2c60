from __future__ import annotations

import pytest

from server.call.passes import Passes
from server.call.protocol import Bye, Hello, Role, encode

HOST, PERSON, VIEWER = "host-key-of-the-test", "person-key-of-the-test", "viewer-key-of-the-test"
ROLES: dict[str, Role] = {HOST: "host", PERSON: "person", VIEWER: "viewer"}
PASSES = Passes(HOST, ROLES.get)
COOKIE = PASSES.cookie.partition(";")[0]


@pytest.mark.parametrize(
    ("header", "known"),
    [
        (f"GET /room/{PERSON} HTTP/1.1\r\n\r\n", True),
        (f"HEAD /room/{VIEWER}?autojoin=1 HTTP/1.1\r\n\r\n", True),
        (f"GET /room/{VIEWER}/x HTTP/1.1\r\n\r\n", False),
        (f"GET /connection-test/{VIEWER} HTTP/1.1\r\n\r\n", True),
        (f"GET /connection-test/room/{VIEWER} HTTP/1.1\r\n\r\n", False),
        ("GET /room/ HTTP/1.1\r\n\r\n", False),
        ("GET /room/\xe9 HTTP/1.1\r\n\r\n", False),
        (f"GET /ws?/room/{VIEWER} HTTP/1.1\r\n\r\n", False),
        (f"GET /ws HTTP/1.1\r\nHost: a\r\nCookie: a=b; {COOKIE}; c=d\r\n\r\n", True),
        (f"GET /ws HTTP/1.1\r\ncookie:{COOKIE}\r\n\r\n", True),
        (f"GET /ws HTTP/1.1\r\ncookie:{COOKIE}0\r\n\r\n", False),
        (f"GET /ws HTTP/1.1\r\nx: {COOKIE}\r\n\r\n", False),
        (f"GET /ws HTTP/1.1\r\nCookie: {COOKIE.partition('=')[0]}={'0' * 32}\r\n\r\n", False),
        (f"GET /assets/{COOKIE} HTTP/1.1\r\n\r\n", False),
        (f"POST /rooms HTTP/1.1\r\nAuthorization: Bearer {HOST}\r\n\r\n", True),
        (f"POST /rooms HTTP/1.1\r\nauthorization:bearer {HOST}\r\n\r\n", True),
        (f"POST /rooms HTTP/1.1\r\nAuthorization: Bearer {PERSON}\r\n\r\n", False),
        (f"POST /rooms HTTP/1.1\r\nx: Bearer {HOST}\r\n\r\n", False),
        (f"POST /whip?name=a HTTP/1.1\r\nAuthorization: Bearer {PERSON}\r\n\r\n", True),
        (f"POST /whep/{VIEWER} HTTP/1.1\r\n\r\n", True),
        ("POST /whep HTTP/1.1\r\nAuthorization: Bearer nonsense\r\n\r\n", False),
    ],
)
def test_a_request_shows_a_link_by_its_path_the_cookie_or_the_hosts_key(header: str, known: bool) -> None:
    assert PASSES.request(header.encode("latin-1")) is known


def test_a_hello_shows_a_link_by_its_key() -> None:
    assert all(PASSES.hello(encode(Hello(key))) for key in ROLES)
    for text in (encode(Hello("another-key-of-the-test")), encode(Hello("")), encode(Bye()), "nonsense", b"\xff", "[]"):
        assert not PASSES.hello(text)
    assert not PASSES.hello('{"type":"hello","key":"\\ud800","version":2}')


def test_the_cookie_is_no_key_and_each_server_has_its_own() -> None:
    assert not any(key in PASSES.cookie for key in ROLES)
    assert Passes(HOST, ROLES.get).cookie == PASSES.cookie
    other = Passes("another-key-of-the-test", ROLES.get).cookie
    assert other.partition("=")[0] != COOKIE.partition("=")[0] and other.partition("=")[2] != COOKIE.partition("=")[2]
