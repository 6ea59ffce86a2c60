"""One sentence as a page, for somebody with a browser at an address where there is nothing else. It loads nothing. Programs get
the sentence alone."""

from __future__ import annotations

import html
import re

from server.call.web import plain_reply

_WANTS_HTML = re.compile(rb"\r\naccept:[^\r]*text/html", re.IGNORECASE)
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Visavis</title>
<style>
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; font: 1.125rem/1.5 system-ui, sans-serif; }}
main {{ max-width: 28rem; padding: 1.5rem; }}
h1 {{ font-size: 1.5rem; margin: 0 0 .5rem; }}
</style>
<main><h1>Visavis</h1><p>{sentence}</p></main>
</html>
"""


def sentence_reply(header: bytes, status: int, sentence: str) -> bytes:
    """A whole HTTP response. header: the request's."""
    method = header.split(b" ", 1)[0]
    if not _WANTS_HTML.search(header):
        return plain_reply(method, status, sentence)
    return plain_reply(method, status, _PAGE.format(sentence=html.escape(sentence)), "text/html; charset=utf-8")
