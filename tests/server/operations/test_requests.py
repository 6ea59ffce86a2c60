from __future__ import annotations

from pathlib import Path

from server.operations.requests import REGISTRY
from tests.server.api.serving import api

NAME = "visavis_api_requests_total"


def test_requests_count_by_route_and_status_never_by_address(tmp_path: Path) -> None:
    with api(tmp_path) as server:
        _, headers = server.person()
        for path, shown, route, status in (
            ("/api/jobs/0123", headers, "/api/jobs/{job_id}", "404"),
            ("/api/jobs", headers, "/api/jobs", "200"),
            ("/api/jobs", {}, "/api/jobs", "401"),
            ("/api/Zebedee", headers, "none", "404"),
        ):
            labels = {"method": "GET", "route": route, "status": status}
            before = REGISTRY.get_sample_value(NAME, labels) or 0
            assert str(server.client.get(path, headers=shown).status_code) == status
            assert REGISTRY.get_sample_value(NAME, labels) == before + 1, path
        server.client.request("ZEBEDEE", "/api/jobs")
    told = {word for metric in REGISTRY.collect() for sample in metric.samples for word in sample.labels.values()}
    assert "other" in told and not any("zebedee" in word.lower() or "0123" in word for word in told)
