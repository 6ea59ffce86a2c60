"""Which pages other sites may frame, and what they may read. A browser's own word on it: tests/client_web/test_embed.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import VisavisError
from server.call.config import ServerConfig
from tests.server.call.serving import Running, running

pytestmark = pytest.mark.timeout(240)

ORIGIN, OTHER = "https://www.example.org", "http://127.0.0.1:9000"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://www.example.org/", "https://www.example.org"),
        ("HTTPS://WWW.Example.ORG:443", "https://www.example.org"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
    ],
)
def test_origins_are_kept_as_browsers_write_them(given: str, kept: str) -> None:
    assert ServerConfig(embed_from=f"{given},{OTHER}").embed_from == (kept, OTHER)


@pytest.mark.parametrize(
    "given",
    [
        "*", "https://*.example.org", "www.example.org", "https://example.org/page", "https://example.org?x", "null", "https://",
        "https://a@example.org", "https://example.org:port", "data:text/html,x", "https://exa mple.org",
        "https://e.org;script-src *",
        "https://e.org\r\nx: y", "'none'", "https://[::1",
        ",".join(f"https://e{i}.org" for i in range(65)),
    ],
)  # fmt: skip
def test_what_is_no_origin_is_refused_with_a_sentence(given: str) -> None:
    with pytest.raises(VisavisError, match=r"embed_from: .*expected") as error:
        ServerConfig(embed_from=given)
    assert "\n" not in str(error.value)


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    (tmp_path / "dist" / "embed").mkdir(parents=True)
    (tmp_path / "dist" / "index.html").write_text("<html>the page</html>")
    (tmp_path / "dist" / "embed" / "visavis-avatar.js").write_text("let x = 1")
    return tmp_path / "dist"


async def test_named_origins_may_frame_viewers_pages_and_read_avatars(pages: Path, tmp_path: Path) -> None:
    quiet = {"enrollments": 0, "better_enrollments": 0}
    async with running(pages, embed_from=(ORIGIN, OTHER), state=tmp_path / "state", **quiet) as server:
        await _frames_viewers_pages_and_no_other(server)
        await _shares_the_component_and_web_avatars(server)


async def _frames_viewers_pages_and_no_other(server: Running) -> None:
    viewer = await server.get(f"/room/{server.key('viewer')}?embed")
    assert f"frame-ancestors {ORIGIN} {OTHER}" in viewer.headers["content-security-policy"]
    assert "script-src 'self'" in viewer.headers["content-security-policy"]
    assert "x-frame-options" not in viewer.headers
    link = server.addresses.setup.removeprefix(server.base)
    api = ("/docs", "/api/people/me")
    others = [f"/room/{server.key(role)}?embed" for role in ("host", "person")] + [f"/room/{server.key('viewer')}x", "/admin"]
    for path in (*others, f"/connection-test/{server.key('viewer')}", link, "/", *api):
        reply = await server.get(path, Origin=ORIGIN)
        assert "frame-ancestors 'none'" in reply.headers["content-security-policy"], path
        assert reply.headers["x-frame-options"] == "DENY", path
        assert "access-control-allow-origin" not in reply.headers, path


async def _shares_the_component_and_web_avatars(server: Running) -> None:
    for path, status in (("/embed/visavis-avatar.js", 200), ("/api/avatars/x1/web", 401)):
        reply = await server.get(path, Origin=ORIGIN)
        assert reply.status == status
        assert reply.headers["access-control-allow-origin"] == ORIGIN and reply.headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in reply.headers
        asked = await server.request(path, "OPTIONS", Origin=ORIGIN, **{"Access-Control-Request-Method": "GET"})
        assert asked.status == 204 and "Authorization" in asked.headers["access-control-allow-headers"]
        for origin in ("https://elsewhere.example", "null", f"{ORIGIN}.evil.example"):
            refused = await server.get(path, Origin=origin)
            assert "access-control-allow-origin" not in refused.headers
            asked = await server.request(path, "OPTIONS", Origin=origin)
            assert "access-control-allow-origin" not in asked.headers
    component = await server.get("/embed/visavis-avatar.js")
    assert component.headers["content-type"].startswith("text/javascript")
    assert component.headers["cache-control"] == "public, no-cache"
    again = await server.get("/embed/visavis-avatar.js", **{"If-None-Match": component.headers["etag"]})
    assert again.status == 304
    for path in ("/embed/", "/embed/../index.html", "/embed/%2e%2e/index.html", "/embed/nothing.js"):
        assert (await server.get(path)).status == 404, path


async def test_without_the_setting_nothing_is_framed_or_shared(pages: Path) -> None:
    async with running(pages) as server:
        viewer = await server.get(f"/room/{server.key('viewer')}?embed", Origin=ORIGIN)
        assert "frame-ancestors 'none'" in viewer.headers["content-security-policy"]
        assert viewer.headers["x-frame-options"] == "DENY"
        component = await server.get("/embed/visavis-avatar.js", Origin=ORIGIN)
        assert component.status == 200 and "access-control-allow-origin" not in component.headers
