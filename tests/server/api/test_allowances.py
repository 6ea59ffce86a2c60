from __future__ import annotations

import threading
from typing import Any

import pytest

from server.accounts.limits import PersonLimits
from tests.server.api.serving import Api, every, is_problem

AT_FIRST = vars(PersonLimits())


def test_an_admin_changes_limits_and_they_hold_at_once(server: Api) -> None:
    _, admin = server.person("admin")
    assert server.client.get("/api/limits", headers=admin).json() == AT_FIRST
    changed = server.client.patch("/api/limits", headers=admin, json={"jobs": 1}).json()
    assert changed == AT_FIRST | {"jobs": 1, "version": 1} == server.client.get("/api/limits", headers=admin).json()
    _, headers = server.person()
    assert [server.enroll(headers).status_code for _ in range(2)] == [202, 429]
    (entry,) = [entry for entry in every(server, "/api/audit", admin) if entry["act"] == "limits.change"]
    assert entry["detail"] == {"jobs": 1}


def test_of_two_admins_the_second_reads_again(server: Api) -> None:
    _, admin = server.person("admin")
    patch, replies = server.client.patch, []

    def change(avatars: int) -> None:
        replies.append(patch("/api/limits", headers=admin | {"If-Match": '"0"'}, json={"avatars": avatars}).status_code)

    threads = [threading.Thread(target=change, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(replies) == [200, 412, 412, 412]
    assert patch("/api/limits", headers=admin | {"If-Match": '"1"'}, json={"avatars": 9}).json()["version"] == 2


@pytest.mark.parametrize("change", [{}, {"jobs": 0}, {"avatars": -1}, {"rooms": 0}, {"rooms": 10**9}, {"jobs": "many"}, []])
def test_what_cannot_be_a_limit(server: Api, change: Any) -> None:
    assert is_problem(server.client.patch("/api/limits", headers=server.person("admin")[1], json=change), 422)
