from __future__ import annotations

import pytest

from server.call.passes import Passes
from server.call.protocol import Bye, Hello, encode

PERSON, VIEWER = "person-key-of-the-test", "viewer-key-of-the-test"
PASSES = Passes(PERSON, VIEWER)
COOKIE = PASSES.cookie.partition(";")[0]


@pytest.mark.parametrize(
    ("header", "known"),
    [
        (f"GET /call/{PERSON} HTTP/1.1\r\n\r\n", True),
        (f"HEAD /view/{VIEWER}?autojoin=1 HTTP/1.1\r\n\r\n", True),
        (f"GET /call/{VIEWER} HTTP/1.1\r\n\r\n", False),
        (f"GET /view/{VIEWER}/x HTTP/1.1\r\n\r\n", False),
        ("GET /view/ HTTP/1.1\r\n\r\n", False),
        (f"GET /ws?/view/{VIEWER} HTTP/1.1\r\n\r\n", False),
        (f"GET /ws HTTP/1.1\r\nHost: a\r\nCookie: a=b; {COOKIE}; c=d\r\n\r\n", True),
        (f"GET /ws HTTP/1.1\r\ncookie:{COOKIE}\r\n\r\n", True),
        (f"GET /ws HTTP/1.1\r\ncookie:{COOKIE}0\r\n\r\n", False),
        (f"GET /ws HTTP/1.1\r\nx: {COOKIE}\r\n\r\n", False),
        (f"GET /ws HTTP/1.1\r\nCookie: {COOKIE.partition('=')[0]}={'0' * 32}\r\n\r\n", False),
        (f"GET /assets/{COOKIE} HTTP/1.1\r\n\r\n", False),
    ],
)
def test_a_request_shows_a_link_by_its_path_or_the_cookie(header: str, known: bool) -> None:
    assert PASSES.request(header.encode()) is known


def test_a_hello_shows_a_link_by_its_key() -> None:
    assert PASSES.hello(encode(Hello("person", PERSON))) and PASSES.hello(encode(Hello("viewer", VIEWER)))
    for text in (encode(Hello("person", VIEWER)), encode(Hello("viewer", "")), encode(Bye()), "nonsense", b"\xff", "[]"):
        assert not PASSES.hello(text)
    assert not PASSES.hello('{"type":"hello","role":"viewer","key":"\\ud800","version":1}')


def test_the_cookie_is_no_key_and_each_call_has_its_own() -> None:
    assert PERSON not in PASSES.cookie and VIEWER not in PASSES.cookie
    assert Passes(PERSON, VIEWER).cookie == PASSES.cookie
    other = Passes(PERSON, "another-key-of-the-test").cookie
    assert other.partition("=")[0] != COOKIE.partition("=")[0] and other.partition("=")[2] != COOKIE.partition("=")[2]
