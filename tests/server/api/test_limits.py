from __future__ import annotations

from collections.abc import Iterator

import pytest

from server.api import limits
from server.api.limits import MAX_BODY, MAX_KEPT, RateLimit
from server.api.problems import ProblemError
from tests.server.api.serving import Api, bearer, is_problem


def test_some_at_once_then_one_after_the_other() -> None:
    now = [0.0]
    limit = RateLimit(3, 2.0, lambda: now[0])
    for _ in range(3):
        limit.take("a")
    for _ in range(5):
        with pytest.raises(ProblemError) as caught:
            limit.take("a")
        assert caught.value.status == 429 and caught.value.retry_after == 2
    limit.take("b")
    now[0] = 2.0
    limit.take("a")
    now[0] = 3.5
    with pytest.raises(ProblemError) as caught:
        limit.take("a")
    assert caught.value.retry_after == 1
    now[0] = 100.0
    for _ in range(3):
        limit.take("a")


def test_what_it_keeps_is_bounded() -> None:
    limit = RateLimit(1, 1.0)
    for i in range(MAX_KEPT + 100):
        limit.take(str(i))
    assert len(limit._full_at) == MAX_KEPT


def chunks(count: int, read: list[int]) -> Iterator[bytes]:
    for _ in range(count):
        read.append(1)
        yield bytes(1024)


@pytest.mark.parametrize("path", ["/api/sessions", "/api/guests", "/api/none"])
def test_a_body_that_is_too_large_is_refused(server: Api, path: str) -> None:
    assert is_problem(server.client.post(path, content=b" " * (MAX_BODY + 1)), 413)
    assert is_problem(server.client.post(path, content=b"", headers={"content-length": "9" * 5000}), 413)
    if path != "/api/none":  # of which the body is not read
        assert is_problem(server.client.post(path, content=chunks(MAX_BODY // 1024 + 1, [])), 413)


def test_an_upload_that_is_too_large_is_refused_also_without_its_length(server: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_UPLOAD", 8 * 1024)
    _, headers = server.person()
    assert is_problem(server.enroll(headers, bytes(9 * 1024)), 413)
    form = headers | {"content-type": "multipart/form-data; boundary=x"}
    start = [b'--x\r\nContent-Disposition: form-data; name="photos"; filename="a"\r\n\r\n']
    assert is_problem(server.client.post("/api/avatars", headers=form, content=iter([*start, *chunks(9, [])])), 413)
    assert server.enroll(headers, bytes(4 * 1024)).status_code == 202


@pytest.mark.parametrize("shown", [{}, bearer("nonsense"), bearer("vv_nonsense"), {"authorization": "Basic x"}])
def test_nothing_is_read_from_somebody_who_is_not_signed_in(server: Api, shown: dict[str, str]) -> None:
    read: list[int] = []
    assert is_problem(server.client.post("/api/avatars", headers=shown, content=chunks(9, read)), 401)
