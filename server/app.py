"""The HTTP side: the pages, the signalling socket, and health; and the process that serves them.

`run(config)` serves until SIGTERM or Ctrl-C: then unready, media closed, sockets hung up, render process stopped.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import ifaddr
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope
from starlette.types import Send as SendEvent
from starlette.websockets import WebSocket, WebSocketDisconnect

from models.errors import VisavisError
from server.config import ServerConfig
from server.protocol import MAX_MESSAGE
from server.rooms import Room

log = logging.getLogger(__name__)

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
HEADERS = {
    # CSP3. Styles may be inline (the pages set positions); WebAssembly is for the browser's own renderer.
    "content-security-policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self' ws: wss:; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "permissions-policy": "camera=(self), microphone=(self), fullscreen=(self), xr-spatial-tracking=(self), geolocation=()",
    "referrer-policy": "no-referrer",  # the addresses hold the keys
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
}


@dataclass(frozen=True)
class Addresses:
    """Where the pages are. Both hold secrets: show them to the person, keep them out of logs."""

    person: str
    viewer: str


def create_app(config: ServerConfig, room: Room) -> ASGIApp:
    """The ASGI application around a room; starting it starts the room, and its shutdown closes it."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await room.close()

    def page(key: str) -> Callable[[Request], Response]:
        def serve(request: Request) -> Response:
            if not secrets.compare_digest(request.path_params["key"].encode(), key.encode()):
                return PlainTextResponse("There is no call at this address; ask for a new link.", 404)
            return _page(config.web_dir)

        return serve

    def home(request: Request) -> Response:
        here = request.client is not None and request.client.host in LOCAL_NAMES
        if here and request.url.hostname in LOCAL_NAMES:  # the name too: a proxy on this machine also comes from here
            return RedirectResponse(f"/call/{config.person_key}", 303)
        return PlainTextResponse("This is a Visavis server; open the address that it printed when it started.")

    def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    def readyz(_: Request) -> Response:
        state = "ready" if room.ready else "failed" if room.worker.failure else "loading"
        return JSONResponse({"status": state}, 200 if room.ready else 503)

    async def signalling(websocket: WebSocket) -> None:
        if not _same_origin(websocket):
            await websocket.close(1008)
            return
        await websocket.accept()
        await room.serve(_Wire(websocket))

    routes = [
        Route("/", home),
        Route("/call/{key}", page(config.person_key)),
        Route("/view/{key}", page(config.viewer_key)),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        WebSocketRoute("/ws", signalling),
        Mount("/assets", _Assets(directory=config.web_dir / "assets", check_dir=False)),
    ]
    return _SecurityHeaders(Starlette(routes=routes, lifespan=lifespan))


def run(config: ServerConfig, announce: Callable[[Addresses], None] = lambda _: None) -> None:
    """Serve until asked to stop. `announce` gets the addresses once the port is open; the avatar may still be loading.

    Raises `VisavisError` when the port cannot be had or the render process says that it can never work.
    """
    asyncio.run(serve(config, announce))


async def serve(
    config: ServerConfig,
    announce: Callable[[Addresses], None] = lambda _: None,
    on_room: Callable[[Room, Callable[[], None]], None] = lambda _room, _stop: None,
) -> None:
    """As `run`, on the running loop. `on_room` gets the room and a function that stops the server."""
    sock = _listen(config)
    addresses = _addresses(config, sock.getsockname()[1])
    room = Room(config, addresses.viewer)
    server = _Server(
        uvicorn.Config(
            create_app(config, room),
            ws="websockets-sansio",
            ws_max_size=MAX_MESSAGE,
            access_log=False,  # paths hold the keys
            log_config=None,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=5,
        ),
        room,
    )

    def stop() -> None:
        server.should_exit = True

    try:
        await room.start(on_failure=stop)
        on_room(room, stop)
        announce(addresses)
        await server.serve(sockets=[sock])
    finally:
        await room.close()
        sock.close()
    if room.worker.failure:
        raise VisavisError(room.worker.failure)


class _Server(uvicorn.Server):
    """Stops as our pages need it: the room first, because its sockets stay open until it is closed."""

    def __init__(self, config: uvicorn.Config, room: Room) -> None:
        super().__init__(config)
        self._room = room

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM and Ctrl-C end the server cleanly, with status 0; a second one does not wait for anybody."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._room.close()
        await super().shutdown(sockets)


class _SecurityHeaders:
    """Adds `HEADERS` to every response, and keeps pages out of caches (files under /assets have their hash in the name)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: SendEvent) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                is_asset = scope["path"].startswith("/assets/") and message["status"] == 200
                headers["cache-control"] = "public, max-age=31536000, immutable" if is_asset else "no-store"
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class _Assets(StaticFiles):
    """Built files; none of them is found while nothing is built."""

    async def check_config(self) -> None:
        """The folder may be missing."""


def _page(web_dir: Path) -> Response:
    index = web_dir / "index.html"
    if not index.is_file():
        return PlainTextResponse("The pages are not built yet: run `make web`, then reload this page.", 503)
    return FileResponse(index, media_type="text/html")


def _same_origin(websocket: WebSocket) -> bool:
    """Pages elsewhere may not use the socket (RFC 6455, 10.2); programs send no origin and need the key all the same."""
    origin = websocket.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == websocket.headers.get("host")


class _Wire:
    """A Starlette WebSocket as `server.rooms.Wire`."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def receive(self) -> str | bytes | None:
        try:
            event = await self._websocket.receive()
        except (RuntimeError, WebSocketDisconnect):
            return None
        if event["type"] != "websocket.receive":
            return None
        text: str | bytes | None = event.get("text")
        return text if text is not None else event.get("bytes") or b""

    async def send(self, text: str) -> None:
        try:
            await self._websocket.send_text(text)
        except (RuntimeError, WebSocketDisconnect) as error:
            raise ConnectionError("the socket has closed") from error

    async def close(self, code: int = 1000) -> None:
        try:
            await self._websocket.close(code)
        except (RuntimeError, WebSocketDisconnect) as error:
            raise ConnectionError("the socket has closed") from error


def _listen(config: ServerConfig) -> socket.socket:
    sock: socket.socket | None = None
    try:
        family = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0][0]
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((config.host, config.port))
        return sock
    except OSError as error:
        if sock is not None:
            sock.close()
        reason = error.strerror or str(error)
        raise VisavisError(
            f"cannot listen on {config.host} port {config.port} ({reason}); choose another host or port"
        ) from error


def _addresses(config: ServerConfig, port: int) -> Addresses:
    """The person's page by localhost where possible, because webcams need a secure page; the viewers' by the network."""
    everywhere = config.host in ("", "0.0.0.0", "::")
    local = everywhere or config.host in LOCAL_NAMES
    public = config.public_url.rstrip("/")
    here = public or f"http://{'localhost' if local else _bracketed(config.host)}:{port}"
    others = public or (f"http://{_bracketed(_network_address())}:{port}" if everywhere else here)
    return Addresses(f"{here}/call/{config.person_key}", f"{others}/view/{config.viewer_key}")


def _network_address() -> str:
    """This machine's first IPv4 address that others may reach, or localhost."""
    found = [ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if isinstance(ip.ip, str)]
    return next((ip for ip in found if not ip.startswith(("127.", "169.254."))), "localhost")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
