from __future__ import annotations

import asyncio
import socket
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from models.errors import VisavisError
from server.call.app import serve
from server.call.protocol import Join
from tests.server.call.serving import FAKE, running, shows, until
from tests.server.store.rows import add_job

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
pytestmark = pytest.mark.timeout(240)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def read(port: int) -> tuple[str, Samples]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    return text, found


async def test_a_call_in_figures_which_tell_nothing_of_who_is_in_it(tmp_path: Path) -> None:
    port = free_port()
    async with running(state=tmp_path, metrics=f"127.0.0.1:{port}") as server:
        add_job(server.rooms._service.database, state="failed")
        async with server.page("person", Join("Zebedee")) as person, server.page("viewer"):
            await until(lambda: shows(person, server.brightness) and len(server.room._peers) == 2)
            before = (await asyncio.to_thread(read, port))[1]
            refused = await server.request("/api/jobs")
            assert refused.status == 401 and (await server.get("/metrics")).status == 404
            await server.request("/api/Zebedee", Cookie="x")
            pid = server.room.worker.pid
            server.room.worker._process.kill()
            await until(lambda: server.room.worker.ready and server.room.worker.pid != pid)
            found: Samples = {}

            def value(name: str, **labels: str) -> float:
                return found[name, tuple(sorted(labels.items()))]

            counted = "visavis_inbound_rtp_packets_received_total", "visavis_outbound_rtp_bytes_sent_total"
            while not found or not all(map(value, counted)):  # read once a second and page
                text, found = await asyncio.to_thread(read, port)
                await asyncio.sleep(0.2)
        assert (value("visavis_rooms"), value("visavis_rooms_open"), value("visavis_ready")) == (1, 1, 1)
        assert (value("visavis_people"), value("visavis_viewers"), value("visavis_draining")) == (1, 1, 0)
        assert value("visavis_pictures_total") >= before["visavis_pictures_total", ()] > 0
        for stage in ("decode", "encode", "total"):
            assert value("visavis_stage_duration_seconds_count", stage=stage) > 0
        assert value("visavis_outbound_rtp_bytes_sent_total") > 0 and value("visavis_outbound_rtp_target_bitrate") > 0
        assert value("visavis_jobs", state="failed") == 1 and value("visavis_jobs", state="running") == 0
        assert value("visavis_process_restarts_total", process="render") == 1
        assert value("visavis_api_requests_total", method="GET", route="none", status="404") >= 1
        assert 0 < value("visavis_disk_free_bytes") <= value("visavis_disk_size_bytes")
        assert value("process_resident_memory_bytes") > 0
        secrets = ["Zebedee", "127.0.0.1", *(server.key(role) for role in ("host", "person", "viewer"))]
        assert not any(word in text for word in secrets)
    with pytest.raises(OSError, match="refused"):
        read(port)


async def test_an_address_that_is_taken_is_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(VisavisError, match="choose another --metrics"):
            await serve(FAKE.with_values(metrics=f"127.0.0.1:{taken.getsockname()[1]}"))
