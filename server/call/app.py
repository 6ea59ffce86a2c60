"""The process that serves pages, API and sockets; which requests are answered at the door.

`run(config)` serves until SIGTERM or Ctrl-C: then unready, media closed, sockets hung up, render processes stopped.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import secrets
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import uvicorn
from sqlalchemy.exc import SQLAlchemyError
from uvicorn.protocols.http.h11_impl import H11Protocol

from models.errors import StorageError, VisavisError
from realtime import nvenc
from server.api.app import create_api
from server.api.service import Service
from server.api.upkeep import keep_up
from server.call import certificate, logs
from server.call.addresses import Addresses, addresses, base_urls, notes
from server.call.avatars import AvatarCatalog
from server.call.certificate import Certificate
from server.call.config import ServerConfig, state_folder
from server.call.door import BACKLOG, Door
from server.call.embedding import COMPONENT
from server.call.gpu_start import prepare_gpu
from server.call.kept_rooms import RoomStore
from server.call.live_rooms import LiveRooms
from server.call.origins import Origins
from server.call.passes import PAGES, Passes, path_of
from server.call.rooms import Rooms
from server.call.sentence_page import sentence_reply
from server.call.shown_avatars import WEB_AVATAR_PATH
from server.call.sockets import SignallingSocket
from server.call.tls import TlsFront
from server.call.web import ADMIN, API, DOCS, NOTHING, SETUP, create_app, plain_reply
from server.call.web_avatar_route import GONE, shown_at
from server.call.whip import PREFLIGHT
from server.operations.operations import Operations
from server.service import make_runners, open_service

log = logging.getLogger(__name__)

NO_ROOM = "There is no room at this address; ask for a new link."
NO_TEST = 'The connection test needs a room: open a room\'s link and choose "Connection test" there.'
NO_HOST = "Only a host may make rooms: a host's key was expected as bearer token."
HOME = "This is a Visavis server; open the address that it printed when it started."
"""No way from here to a room: behind a proxy that keeps nothing of the request, everybody is "localhost"."""


def run(config: ServerConfig, announce: Callable[[Addresses], None] = lambda _: None) -> None:
    """Serve until asked to stop. `announce` gets the addresses once the port is open; the avatar may still be loading.

    Raises `VisavisError` when the port cannot be had or the render process says that it can never work.
    """
    logs.install(config.log_format)
    asyncio.run(serve(config, announce))


async def serve(
    config: ServerConfig,
    announce: Callable[[Addresses], None] = lambda _: None,
    on_rooms: Callable[[Rooms, Callable[[], None]], None] = lambda _rooms, _stop: None,
) -> None:
    """As `run`, on the running loop. `on_rooms` gets the rooms and a function that stops the server."""
    catalog = AvatarCatalog(list(config.avatars), config.avatar_folder)
    await asyncio.to_thread(catalog.refresh, strict=True)
    await asyncio.to_thread(nvenc.announce)
    secure = await asyncio.to_thread(_certificate, config)
    sock = _listen(config)
    here, others = base_urls(config, sock.getsockname()[1], "http" if secure is None else "https")
    service = None if config.state is None else await asyncio.to_thread(open_service, config, others)
    store = RoomStore(None if service is None else service.database, config.port)
    kept, note = await asyncio.to_thread(store.load, config.state or Path(), renew=config.new_links)
    rooms = Rooms(config, kept, others, catalog, store)
    if service is not None:
        service = replace(service, rooms=LiveRooms(rooms, asyncio.get_running_loop()))
        rooms.use(service)
    runners = None if service is None else make_runners(config)
    is_token = (lambda _: False) if service is None else service.people.is_known
    passes = Passes(rooms.first.host, rooms.role_of, is_token, rooms.is_hosts_link)
    app = create_app(config, rooms, passes, others, None if service is None else create_api(service), _setup_status(service))

    def stop() -> None:
        server.should_exit = True

    operations = Operations(config, rooms, service, runners, stop)
    server = _Server(
        uvicorn.Config(
            app,
            ws="none",  # sockets do not come as far as uvicorn, see `server.call.sockets`
            access_log=False,  # paths hold the keys
            log_config=None,
            log_level="warning",
            server_header=False,
            proxy_headers=bool(config.trusted_proxies),
            forwarded_allow_ips=list(config.trusted_proxies),
            timeout_graceful_shutdown=5,
        ),
        config.public_url,
        rooms,
        passes,
        sock,
        None if secure is None else secure.context,
        operations,
        Origins(config.trusted_proxies),
        has_api=service is not None,
    )
    tasks = [asyncio.create_task(prepare_gpu())]
    try:
        operations.start()
        await rooms.start(on_failure=stop)
        if service is not None:
            tasks.append(asyncio.create_task(keep_up(service, config.guest_days)))
        if runners is not None:
            runners.start()
        on_rooms(rooms, stop)
        needs_admin = service is not None and service.passwords and not await asyncio.to_thread(service.people.has_admin)
        setup_key = service.setup_key if service is not None and needs_admin else ""
        announce(addresses(config, here, others, rooms.first, notes(note, secure, others), setup_key))
        log.info("serving")
        await server.serve(sockets=[])
    finally:
        log.info("stopping")
        for task in tasks:
            task.cancel()
        await operations.close()
        await rooms.close()
        if runners is not None:
            await runners.stop()
        if service is not None:
            service.database.close()
        sock.close()
    if rooms.failure:
        raise VisavisError(rooms.failure)


def _setup_status(service: Service | None) -> Callable[[str], int]:
    """For the key of a set-up link (RFC 9110): 200 while it works, 410 once there is an admin, 404 for another key, 503 while
    the database cannot be asked."""

    def status(key: str) -> int:
        if service is None or not secrets.compare_digest(key.encode("utf-8", "surrogatepass"), service.setup_key.encode()):
            return 404
        try:
            return 410 if service.people.has_admin() or not service.passwords else 200
        except (SQLAlchemyError, StorageError):
            return 503

    return status


class _Server(uvicorn.Server):
    """Lets connections in by our own door, and stops as our pages need it: the rooms first, as their sockets stay open."""

    def __init__(
        self,
        config: uvicorn.Config,
        public_url: str,
        rooms: Rooms,
        passes: Passes,
        sock: socket.socket,
        tls: ssl.SSLContext | None,
        operations: Operations,
        origins: Origins,
        *,
        has_api: bool = False,
    ) -> None:
        super().__init__(config)
        self._tls, self._has_api, self._operations = tls, has_api, operations
        self._front: TlsFront | None = None
        self._rooms, self._sock, self._public_url, self._passes = rooms, sock, public_url, passes
        self._origins = origins
        self._door: Door | None = None
        self._sockets: set[SignallingSocket] = set()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM and Ctrl-C end the server cleanly, with status 0; a second one does not wait for anybody. With a drain time the
        first SIGTERM lets calls go on for a while."""
        if self._operations.drains(sig):
            return
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        gc.collect()
        gc.freeze()  # what was imported is never freed: a collection that looked through it would hold up all calls for 0.2 s
        self._door = Door(self._sock if self._tls is None else None, self)
        if self._tls is not None:
            self._front = TlsFront(self._sock, self._tls, self._door.admit)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._front is not None:
            self._front.close()
        if self._door is not None:
            self._door.close()
        await self._rooms.close()
        if self._sockets:
            await asyncio.wait([asyncio.create_task(socket.close(1012)) for socket in self._sockets])
        await super().shutdown(sockets)

    # As the door's reception

    def instant(self, header: bytes) -> bytes | None:
        method, path = header.split(b" ", 1)[0], path_of(header)
        if path.startswith((API.encode(), SETUP.encode())) or path in (ADMIN.encode(), DOCS.encode()):
            return None if self._has_api else sentence_reply(header, 404, NOTHING)
        if path.partition(b"/")[2].partition(b"/")[0] in (b"whip", b"whep"):
            return plain_reply(method, 200, "", extra=PREFLIGHT) if method == b"OPTIONS" else None
        if method == b"POST":
            return None if path == b"/rooms" and self._passes.is_host(header) else plain_reply(method, 403, NO_HOST)
        if path.startswith((b"/assets/", COMPONENT.encode())):
            return None
        if path in (b"/connection-test", b"/connection-test/"):
            return sentence_reply(header, 404, NO_TEST)
        if path.startswith(PAGES):
            return None if self._passes.page(path) else sentence_reply(header, 404, NO_ROOM)
        if path.startswith(WEB_AVATAR_PATH.encode()):
            address = path.removeprefix(WEB_AVATAR_PATH.encode()).decode("latin-1")
            return plain_reply(method, 404, GONE) if shown_at(self._rooms, address) is None else None
        if path.startswith(b"/avatars/") and self._passes.shows_cookie(header):
            return None
        if path == b"/":
            return sentence_reply(header, 200, HOME)
        if path == b"/healthz":
            return plain_reply(method, 200, '{"status":"ok"}', "application/json")
        if path == b"/readyz":
            status, body = self._operations.health.report()
            return plain_reply(method, status, body, "application/json")
        return sentence_reply(header, 404, NOTHING)

    def is_known(self, header: bytes) -> bool:
        return self._passes.request(header)

    def is_known_hello(self, text: str | bytes) -> bool:
        return self._passes.hello(text)

    def origin(self, header: bytes, peer: str) -> str:
        return self._origins.of(peer, header)

    def http(self, header: bytes, peer: str, gone: Callable[[], None]) -> H11Protocol:
        scheme: Literal["http", "https"] = "http" if self._tls is None else "https"
        return _Http(self.config, self.server_state, self.lifespan.state, header, (scheme, peer), gone)

    def socket(self, header: bytes, network: str, gone: Callable[[], None]) -> SignallingSocket:
        return SignallingSocket(header, network, self._serve_socket, gone, self._public_url)

    async def _serve_socket(self, socket: SignallingSocket) -> None:
        self._sockets.add(socket)
        try:
            await self._rooms.serve(socket)
        finally:
            self._sockets.discard(socket)


class _Http(H11Protocol):
    """uvicorn's protocol, for a connection of which the header was read already."""

    def __init__(
        self,
        config: uvicorn.Config,
        state: Any,
        app_state: dict[str, Any],
        header: bytes,
        connection: tuple[Literal["http", "https"], str],
        gone: Callable[[], None],
    ) -> None:
        """connection: its scheme, and its peer's address; behind `server.call.tls` the transport's other end is our own."""
        super().__init__(config, state, app_state)
        self._header, self._connection, self._gone = header, connection, gone

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.scheme, self.client = self._connection[0], (self._connection[1], 0)

    def data_received(self, data: bytes) -> None:
        header, self._header = self._header, b""
        super().data_received(header + data)

    def _should_upgrade(self) -> bool:
        return False  # and no warning for each

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone()
        super().connection_lost(exc)


def _listen(config: ServerConfig) -> socket.socket:
    sock: socket.socket | None = None
    try:
        family = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0][0]
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((config.host, config.port))
        sock.listen(BACKLOG)
        return sock
    except OSError as error:
        if sock is not None:
            sock.close()
        reason = error.strerror or str(error)
        raise VisavisError(
            f"cannot listen on {config.host} port {config.port} ({reason}); choose another host or port"
        ) from error


def _certificate(config: ServerConfig) -> Certificate | None:
    if config.tls_certificate is not None and config.tls_key is not None:
        return certificate.from_files(config.tls_certificate, config.tls_key)
    return certificate.self_signed(config.state or state_folder()) if config.tls else None
