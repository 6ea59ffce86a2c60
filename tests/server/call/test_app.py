from __future__ import annotations

import gc
import gzip
import logging
import socket
from pathlib import Path

import pytest
from sqlalchemy import text
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from models.errors import VisavisError
from server.accounts.people import People
from server.accounts.tokens import Tokens
from server.call.app import Addresses, serve
from server.call.protocol import MAX_MESSAGE, Join
from server.store.database import Database, sqlite_url
from tests.server.call.serving import FAKE, Running, running, until

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """A built client: one page and one asset, and a secret file beside them."""
    (tmp_path / "dist" / "assets").mkdir(parents=True)
    (tmp_path / "dist" / "index.html").write_text("<html>the page</html>")
    (tmp_path / "dist" / "assets" / "app-1234.js").write_text("let x = 1")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "dist" / "assets" / "link.txt").symlink_to(tmp_path / "secret.txt")
    return tmp_path / "dist"


async def test_the_pages_and_what_stands_around_them(pages: Path) -> None:
    async with running(pages) as server:
        for path in (server.addresses.host, server.addresses.person, server.addresses.viewer):
            page = await server.get(path.removeprefix(server.base))
            assert page.status == 200 and page.body == b"<html>the page</html>"
            assert page.headers["content-type"].startswith("text/html")
            assert page.headers["cache-control"] == "no-store"
            assert page.headers["referrer-policy"] == "no-referrer"
            assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
            assert "connect-src 'self';" in page.headers["content-security-policy"]
            assert page.headers["x-content-type-options"] == "nosniff"
            assert "server" not in page.headers
        asset = await server.get("/assets/app-1234.js")
        assert asset.status == 200 and "immutable" in asset.headers["cache-control"]
        assert asset.body == b"let x = 1" and "content-encoding" not in asset.headers
        packed = await server.get("/assets/app-1234.js", **{"accept-encoding": "br, gzip"})
        assert gzip.decompress(packed.body) == asset.body and packed.headers["content-encoding"] == "gzip"
        assert "immutable" in packed.headers["cache-control"] and packed.headers["content-type"] == asset.headers["content-type"]
        await _connection_test(server)
        await _refuses_what_it_should(server)
        await _home(server)
        await _sockets(server)


async def test_collections_look_through_nothing_that_was_there_before_the_first_call(pages: Path) -> None:
    before = gc.get_freeze_count()
    made: list[list[int]] = [[] for _ in range(1000)]
    async with running(pages):
        assert gc.get_freeze_count() >= before + len(made)


async def test_a_compressed_file_is_sent_again_only_when_it_has_changed(pages: Path) -> None:
    script = pages / "assets" / "app-1234.js"
    async with running(pages) as server:
        first = await server.get("/assets/app-1234.js", **{"accept-encoding": "gzip"})
        plain = await server.get("/assets/app-1234.js")
        assert first.headers["etag"] == f"W/{plain.headers['etag']}", "other bytes of the same content"
        known = {"accept-encoding": "gzip", "If-None-Match": first.headers["etag"]}
        same = await server.get("/assets/app-1234.js", **known)
        assert same.status == 304 and same.body == b"" and "content-encoding" not in same.headers
        script.write_text("let x = 1; let y = 2")
        changed = await server.get("/assets/app-1234.js", **known)
        assert changed.status == 200 and changed.headers["etag"] != first.headers["etag"]
        assert gzip.decompress(changed.body) == b"let x = 1; let y = 2" and changed.headers["vary"] == "accept-encoding"


async def _connection_test(server: Running) -> None:
    for role in ("host", "person", "viewer"):
        page = await server.get(f"/connection-test/{server.key(role)}")
        assert page.status == 200 and page.body == b"<html>the page</html>" and "set-cookie" in page.headers
    for path in ("/connection-test", "/connection-test/", "/connection-test?x"):
        reply = await server.get(path)
        assert reply.status == 404 and b"open a room's link" in reply.body, path
    assert (await server.get("/connection-test/x")).status == 404


async def _refuses_what_it_should(server: Running) -> None:
    key = server.key("person")
    for path in (f"/call/{key}", f"/room/{key}x", "/room/", "/room/x", "/room/%E9", f"/room/{key}/x", "/index.html"):
        assert (await server.get(path)).status == 404, path
    for path in (
        "/assets/../index.html",
        "/assets/../../secret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/assets//etc/passwd",
        "/assets/link.txt",
        "/assets/",
        "/assets/nothing.js",
    ):
        reply = await server.get(path)
        assert reply.status == 404 and b"secret" not in reply.body, path
        assert reply.headers["cache-control"] == "no-store"


async def _home(server: Running) -> None:
    """Never a way from `/` to the person's page, whoever asks: a proxy on this machine makes everybody look local."""
    proxies = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Via", "X-Forwarded-Host")
    for headers in (
        {},
        {"Host": "call.example.org"},
        {"Sec-Fetch-Site": "none"},
        *({name: "for=203.0.113.5"} for name in proxies),
    ):
        reply = await server.get("/", **headers)
        assert reply.status == 200 and "location" not in reply.headers
        assert server.key("host").encode() not in reply.body


async def _sockets(server: Running) -> None:
    with pytest.raises(InvalidStatus):
        await connect(server.socket, origin="https://elsewhere.example")
    async with connect(server.socket, origin=server.base) as ours:
        await ours.send("x" * (MAX_MESSAGE + 1))
        await ours.wait_closed()


async def test_health_and_readiness() -> None:
    async with running() as server:
        assert await server.status("/healthz") == "ok"
        await until(lambda: server.rooms.ready)
        ready = await server.get("/readyz")
        assert ready.status == 200
        await server.room.close()
        assert (await server.get("/readyz")).status == 503


async def test_pages_that_are_not_built_say_how(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        page = await server.get(f"/room/{server.key('person')}")
        assert page.status == 503 and b"make web" in page.body
        assert (await server.get("/assets/app.js")).status == 404


async def test_a_pipeline_that_cannot_work_stops_the_server_with_its_sentence() -> None:
    with pytest.raises(VisavisError, match="a rasterizer was expected"):
        async with running(factory_options={"fail": "a rasterizer was expected; install one"}) as server:
            await until(lambda: server.rooms.failure != "")


async def test_a_port_that_is_taken_is_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(VisavisError, match="choose another"):
            await serve(FAKE.with_values(port=taken.getsockname()[1]))


async def test_a_host_that_is_none_is_one_sentence() -> None:
    with pytest.raises(VisavisError, match="cannot listen"):
        await serve(FAKE.with_values(host="no.such.host.invalid"))


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


async def test_addresses_for_others_use_the_network_or_the_public_name() -> None:
    async with running(host="0.0.0.0") as server:
        assert server.addresses.host.startswith("http://localhost:")
        assert "0.0.0.0" not in server.addresses.viewer and "0.0.0.0" not in server.addresses.person
    port = _free_port()
    async with running(public_url="https://call.example.org/", port=port) as server:
        assert server.addresses.viewer == f"https://call.example.org/room/{server.key('viewer')}"
        assert not server.addresses.only_here
        async with connect(f"ws://127.0.0.1:{port}/ws", origin="https://call.example.org"):  # whatever Host the proxy sends
            pass
    async with running() as server:
        assert server.addresses.only_here


async def test_the_port_answers_before_its_address_is_told() -> None:
    def knock(addresses: Addresses) -> None:
        port = int(addresses.host.split(":")[2].split("/")[0])
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        raise _HeardError

    with pytest.raises(_HeardError):
        await serve(FAKE, knock)


class _HeardError(Exception):
    pass


async def test_links_outlive_a_restart_unless_new_ones_are_wanted(tmp_path: Path) -> None:
    port = _free_port()
    seen = []
    for new_links in (False, False, True, False):
        async with running(port=port, state=tmp_path, new_links=new_links) as server:
            key = server.addresses.person.rpartition("/")[2]
            assert (await server.get(f"/room/{key}")).status != 404
            seen.append(key)
    assert seen[0] == seen[1] != seen[2] == seen[3]


async def test_the_desk_is_there_for_everybody_and_the_set_up_link_until_there_is_an_admin(pages: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with running(pages, state=state) as server:
        link = server.addresses.setup.removeprefix(server.base)
        for path, status in (("/admin", 200), (link, 200), (link + "x", 404), ("/setup/", 404), ("/setup/%ff", 404)):
            page = await server.get(path)
            assert (page.status, page.body) == (status, b"<html>the page</html>"), path
            assert "set-cookie" not in page.headers, "the cookie is for those who have a room's link"
            assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        database = Database(sqlite_url(state))
        People(database, Tokens("a secret")).add("ada", "Ada", "a long password", "admin")
        assert (await server.request(link, "HEAD")).status == 410
        for names in (("people", "lost"), ("lost", "people")):
            with database.session() as session:
                session.execute(text("ALTER TABLE {} RENAME TO {}".format(*names)))
            assert (await server.request(link, "HEAD")).status == (503 if names[1] == "lost" else 410)
        database.close()
    async with running(pages, state=state) as server:
        assert server.addresses.setup == "" and (await server.get(link)).status == 404
    async with running(pages) as server:  # nothing is stored: there are no accounts
        assert server.addresses.setup == ""
        assert {(await server.get(path)).body for path in ("/admin", "/setup/x")} == {b"There is nothing at this address."}


async def test_no_key_is_ever_logged(caplog: pytest.LogCaptureFixture, pages: Path) -> None:
    caplog.set_level(logging.INFO)
    async with running(pages) as server:
        keys = [server.key(role) for role in ("host", "person", "viewer")]
        await server.get(f"/room/{keys[0]}")
        async with server.page("person", Join("Zebedee")), server.page("viewer"):
            await until(lambda: server.rooms.ready)
    assert not any(word in caplog.text for word in (*keys, "Zebedee"))
