"""What a browser and what a program get at an address where there is nothing."""

from __future__ import annotations

from server.call.sentence_page import sentence_reply
from server.call.web import HEADERS

BROWSER = b"GET /room/x HTTP/1.1\r\nHost: here\r\nAccept: text/html,application/xhtml+xml,*/*;q=0.8\r\n\r\n"
SENTENCE = "There is no <room> at this address; ask for a new link."


def test_a_browser_gets_a_page_and_a_program_the_sentence() -> None:
    head, _, body = sentence_reply(BROWSER, 404, SENTENCE).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 ") and b"content-type: text/html; charset=utf-8" in head
    assert b"There is no &lt;room&gt; at this address" in body and b'lang="en"' in body and b"width=device-width" in body
    assert b"http" not in body and b"<script" not in body and b"src=" not in body, "it loads nothing"
    assert f"content-length: {len(body)}".encode() in head and HEADERS["content-security-policy"].encode() in head
    for other in (
        b"GET / HTTP/1.1\r\nAccept: */*\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /?accept:text/html HTTP/1.1\r\n\r\n",
    ):
        head, _, body = sentence_reply(other, 404, SENTENCE).partition(b"\r\n\r\n")
        assert body == SENTENCE.encode() and b"text/plain" in head
    assert sentence_reply(BROWSER.replace(b"GET", b"HEAD", 1), 404, SENTENCE).endswith(b"\r\n\r\n")
