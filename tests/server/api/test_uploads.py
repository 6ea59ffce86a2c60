"""Files that are not what they say, and what becomes of them at the API; what a runner makes of them is in
tests/server/jobs/test_runner.py, and what the reader of photos does in tests/enrollment/photo."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from tests.server.api.serving import Api, api, is_problem

SCRIPT = b"<html><script>alert(document.domain)</script></html>"


def polyglot() -> bytes:
    """A JPEG that is also a page and an archive."""
    data = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 150, 120)).save(data, "JPEG", comment=SCRIPT)
    with zipfile.ZipFile(data, "a") as archive:
        archive.writestr("evil.html", SCRIPT)
    return data.getvalue()


@pytest.mark.parametrize(
    "name", ["../../../etc/cron.d/x", "..\\..\\x.exe", "/etc/passwd", "a\x00.jpg", "x.html", "x.svg", "." * 300]
)
@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/x-php"])
def test_nothing_that_an_upload_calls_itself_is_used(server: Api, name: str, kind: str) -> None:
    _, headers = server.person()
    files = {"photos": (name, polyglot(), kind)}
    reply = server.client.post("/api/avatars", headers=headers, files=files, data={"name": "A", "subject": "A", "agreed": "true"})
    assert reply.status_code in (202, 400, 422)
    assert all(found.startswith("jobs") and found.endswith("/photo0") for found in server.service.files.names())
    assert not [path for path in server.folder.rglob("*") if path.suffix in (".html", ".svg", ".exe", ".jpg")]


def test_no_answer_gives_an_upload_back_as_a_page(server: Api) -> None:
    """What was uploaded comes back only inside the archive of the person's own export."""
    _, headers = server.person("member")
    made = server.made(headers, keep_photo="true")
    (photo,) = [name for name in server.service.files.names() if name.endswith("photo0")]
    server.service.files.write(photo, polyglot())
    for path, methods in server.client.get("/api/openapi.json").json()["paths"].items():
        if "get" not in methods or path in ("/api/jobs/{job_id}/events", "/api/sign-in/begin", "/api/sign-in/callback"):
            continue
        place = path.replace("{avatar_id}", made["id"]).replace("{job_id}", made["job"])
        reply = server.client.get(place, headers=headers)
        assert "html" not in reply.headers["content-type"], path
        if path == "/api/me/export":
            assert reply.headers["content-type"] == "application/zip"
            assert reply.headers["content-disposition"].startswith("attachment")
            with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
                assert {name.rpartition(".")[2] for name in archive.namelist() if "photo" not in name} == {
                    "avatar",
                    "png",
                    "webp",
                    "json",
                }
        else:
            assert SCRIPT not in reply.content, path


def test_the_same_order_is_carried_out_once_also_after_a_restart(tmp_path: Path) -> None:
    with api(tmp_path) as server:
        person, headers = server.person()
        first = server.enroll(headers, key="k-1").json()
        assert server.enroll(headers, key="k-1").json() == first
    with api(tmp_path) as server:
        assert server.enroll(headers, key="k-1").json() == first
        assert is_problem(server.enroll(headers, b"another photo", key="k-1"), 422)
        assert server.enroll(headers, key="k-2").json()["id"] != first["id"]
        assert server.enroll(server.person()[1], key="k-1").json()["id"] != first["id"]  # keys are each person's own
        assert len(server.service.files.names()) == 3 and person
