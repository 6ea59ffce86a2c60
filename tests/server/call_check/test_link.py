from __future__ import annotations

import pytest

from models.errors import VisavisError
from server.call_check.link import RoomLink, read_link


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://h:1/room/k", RoomLink(False, "h", 1, "k")),
        (" https://h/room/a%20b/?autojoin=1#x\n", RoomLink(True, "h", 443, "a b")),
        ("http://[::1]/connection-test/k", RoomLink(False, "::1", 80, "k")),
        *((wrong, None) for wrong in (
            "", "h/room/secret", "ftp://h/room/secret", "http:///room/secret", "http://h/", "http://h/room/", "http://h/call/secret",
            "http://h/room/a/secret", "http://h:x/room/secret", "http://[::1/room/secret", "http://h:99999/room/secret",
        )),
    ],
)  # fmt: skip
def test_a_link_is_read_or_refused_in_a_sentence(text: str, expected: RoomLink | None) -> None:
    if expected is not None:
        assert read_link(text) == expected
        return
    with pytest.raises(VisavisError, match="a room's link such as") as error:
        read_link(text)
    assert "secret" not in str(error.value)
