from __future__ import annotations

from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.api.serving import Api, api, bearer

NOT_ASKED = ("/api/jobs/{job_id}/events",)
"""Which does not end by itself; its errors are those of the other addresses of a job."""


def test_no_request_makes_a_fault_of_the_server(tmp_path: Path) -> None:
    """What the description of the API allows, and what it does not, from an admin and from a guest."""
    with api(tmp_path) as server:
        object.__setattr__(server.service, "limits", _Unlimited())
        schema = schemathesis.openapi.from_asgi("/api/openapi.json", server.client.app)
        statuses: dict[str, set[int]] = {}
        changed = True
        for found in schema.get_all_operations():
            operation = found.ok()
            if operation.path in NOT_ASKED:
                continue
            if changed:
                people = [server.person("admin")[1], server.person()[1], {}]
                known = [server.made(people[0])["id"], server.enroll(people[1]).json()["job"], server.person("member")[0], "none"]
                server.service.queue.cancel(known[1])
            changed = operation.method.upper() != "GET"
            seen = statuses.setdefault(operation.label, set())

            @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
            @given(
                case=operation.as_strategy(), headers=st.sampled_from(people), known_id=st.sampled_from(known), real=st.booleans()
            )
            def ask(case: schemathesis.Case, headers: dict[str, str], known_id: str, real: bool) -> None:
                if real and case.path_parameters:
                    case.path_parameters = dict.fromkeys(case.path_parameters, known_id)
                reply = case.call(headers=headers)
                seen.add(reply.status_code)  # noqa: B023 (asked in this round)
                assert reply.status_code < 500, (case.method, case.path, reply.text)
                if reply.status_code >= 400:
                    assert reply.headers["content-type"] == ["application/problem+json"], reply.text

            ask()
        assert len(statuses) > 20
        assert {label for label, seen in statuses.items() if seen <= {401}} <= {"POST /api/sessions", "POST /api/sign-in/token"}


class _Unlimited:
    """Limits that let all pass."""

    def __getattr__(self, _: str) -> _Unlimited:
        return self

    def take(self, key: str = "") -> None:
        """Nothing is counted."""


@pytest.mark.parametrize("place", ["/api/openapi.json", "/api/me"])
def test_everything_is_below_api(server: Api, place: str) -> None:
    assert server.client.get(place, headers=bearer("x")).status_code in (200, 401)
    assert server.client.get(place.removeprefix("/api")).status_code == 404
