"""The HTTP application: the page, avatars' previews, new rooms, and what every response carries."""

from __future__ import annotations

import gzip
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope
from starlette.types import Send as SendEvent

from models.errors import VisavisError
from server.call.addresses import links_of
from server.call.config import ServerConfig
from server.call.embedding import COMPONENT, Embedding
from server.call.passes import Passes
from server.call.rooms import Rooms
from server.call.shown_avatars import WEB_AVATAR_PATH
from server.call.web_avatar_route import web_avatar_routes
from server.call.whip import whip_routes

NOTHING = "There is nothing at this address."
API, DOCS = "/api/", "/docs"
PACKED = (".css", ".js", ".svg")
"""Built files that are sent compressed."""
ADMIN, SETUP = "/admin", "/setup/"
"""Where the page is served to whoever asks: the admins' desk, and making the first admin."""
HEADERS = {
    # CSP3. Styles may be inline (the pages set positions); WebAssembly is for the browser's own renderer.
    "content-security-policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "permissions-policy": "camera=(self), microphone=(self), fullscreen=(self), xr-spatial-tracking=(self), geolocation=()",
    "referrer-policy": "no-referrer",  # the addresses hold the keys
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
}


def create_app(
    config: ServerConfig,
    rooms: Rooms,
    passes: Passes,
    base_url: str,
    api: ASGIApp | None = None,
    setup_status: Callable[[str], int] = lambda _: 404,
) -> ASGIApp:
    """The ASGI application around the rooms; its shutdown closes them. base_url: of the links that it gives out. api: answers
    below `API`. setup_status: HTTP status for the key of a set-up link; may block."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await rooms.close()

    def page(_: Request) -> Response:
        return _page(config.web_dir, passes.cookie)  # the key was checked at the door

    def admin(_: Request) -> Response:
        return _page(config.web_dir)

    def setup(request: Request) -> Response:
        return _page(config.web_dir, status=setup_status(request.path_params["key"]))

    def preview(request: Request) -> Response:
        name = request.path_params["name"]
        entry = rooms.catalog.get(name) or (None if rooms.stored is None else rooms.stored.get(name))
        if entry is None or not entry.preview:
            return PlainTextResponse(NOTHING, 404)
        return Response(entry.preview, media_type="image/png")

    async def create(request: Request) -> Response:
        if (wait := rooms.retry_after) is not None:
            return PlainTextResponse("The server restarts; ask again in a while.", 503, {"retry-after": str(math.ceil(wait))})
        try:
            host = request.headers["authorization"].partition(" ")[2].strip()  # a host's key, says the door
            made = await rooms.create(most=rooms.most_for(host))
        except VisavisError as error:
            return PlainTextResponse(f"{error}.", 409)
        return JSONResponse(links_of(base_url, made.keys), 201)

    routes = [
        Route("/room/{key}", page),
        Route("/connection-test/{key}", page),
        Route(ADMIN, admin),
        Route(SETUP + "{key:path}", setup),
        Route("/avatars/{name}.png", preview),
        Route("/rooms", create, methods=["POST"]),
        *whip_routes(rooms),
        *web_avatar_routes(rooms),
        Mount("/assets", _Assets(directory=config.web_dir / "assets", check_dir=False)),
        Mount(COMPONENT.rstrip("/"), _Assets(directory=config.web_dir / "embed", check_dir=False)),
    ]
    pages = Starlette(routes=routes, lifespan=lifespan)

    async def choose(scope: Scope, receive: Receive, send: SendEvent) -> None:
        chosen = api if api is not None and scope["type"] == "http" and is_apis(scope["path"]) else pages
        await chosen(scope, receive, send)

    return _SecurityHeaders(choose, Embedding(config.embed_from, rooms.role_of))


def is_apis(path: str) -> bool:
    """Whether the REST API answers there."""
    return path.startswith(API) or path == DOCS


class _SecurityHeaders:
    """Adds `HEADERS` to every response, ends the connection with it (see `server.call.door`), and keeps pages out of caches.

    Files under /assets have their hash in the name, so those are kept; the component is asked for again with its ETag; web
    avatars say themselves how long.
    """

    def __init__(self, app: ASGIApp, embedding: Embedding) -> None:
        self._app, self._embedding = app, embedding

    async def __call__(self, scope: Scope, receive: Receive, send: SendEvent) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in (self._embedding.framed(scope, HEADERS) | self._embedding.shared(scope)).items():
                    headers[name] = value
                headers["connection"] = "close"
                if not scope["path"].startswith(WEB_AVATAR_PATH):
                    headers["cache-control"] = _kept(scope["path"], message["status"])
            await send(message)

        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = self._embedding.preflight(scope)
        app = self._app if asked is None else Response(status_code=204, headers=asked)
        await app(scope, receive, send_with_headers)


def _kept(path: str, status: int) -> str:
    """How long caches keep a response (RFC 9111)."""
    if path.startswith("/assets/") and status == 200:
        return "public, max-age=31536000, immutable"
    return "public, no-cache" if path.startswith(COMPONENT) and status in (200, 304) else "no-store"


class _Assets(StaticFiles):
    """Built files; none of them is found while nothing is built. Text goes compressed to who takes gzip (RFC 9110, 12.5.3)."""

    async def check_config(self) -> None:
        """The folder may be missing."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file, or its absence."""
        response = await super().get_response(path, scope)
        asked = Headers(scope=scope)
        is_whole = isinstance(response, FileResponse) and scope["method"] == "GET" and "range" not in asked
        if not is_whole or Path(path).suffix not in PACKED or "gzip" not in asked.get("accept-encoding", ""):
            return response
        assert isinstance(response, FileResponse)
        body = await run_in_threadpool(_packed, str(response.path), response.headers["etag"])
        kept = {"etag": f"W/{response.headers['etag']}", "last-modified": response.headers["last-modified"]}  # RFC 9110, 8.8.1
        return Response(body, 200, {**kept, "content-encoding": "gzip", "vary": "accept-encoding"}, response.media_type)


@lru_cache(maxsize=64)
def _packed(path: str, version: str) -> bytes:
    """A file, compressed. version: changes with the file, whose name may not: an embedding page's component."""
    return gzip.compress(Path(path).read_bytes(), mtime=0)


def plain_reply(
    method: bytes, status: int, text: str, media_type: str = "text/plain; charset=utf-8", extra: dict[str, str] | None = None
) -> bytes:
    """A whole HTTP response, as the application would give it. extra: further header fields."""
    body = text.encode()
    own = {"content-type": media_type, "content-length": str(len(body)), "connection": "close", "cache-control": "no-store"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in (own | HEADERS | (extra or {})).items())
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ndate: {formatdate(usegmt=True)}\r\n{lines}\r\n".encode()
    return head + (b"" if method == b"HEAD" else body)


def _page(web_dir: Path, cookie: str = "", status: int = 200) -> Response:
    index, headers = web_dir / "index.html", {"set-cookie": cookie} if cookie else {}
    if not index.is_file():
        return PlainTextResponse("The pages are not built yet: run `make web`, then reload this page.", 503, headers)
    return FileResponse(index, status, headers=headers, media_type="text/html")
