"""/web-avatars/ADDRESS: what a page needs to draw somebody in its room, for as long as that person has the seat."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from models.errors import VisavisError
from server.call.avatars import CatalogEntry
from server.call.rooms import Rooms
from server.call.shown_avatars import WEB_AVATAR_PATH
from server.web_avatar_files import MEDIA_TYPE, WEB_AVATARS, etag, is_known

log = logging.getLogger(__name__)

MAKERS = 2
"""Web avatars that are made at the same time."""
GONE = "There is no avatar at this address any more."


def shown_at(rooms: Rooms, address: str) -> CatalogEntry | None:
    """The avatar that somebody in a room shows now, by the last part of its address (`Participant.web_avatar`)."""
    return next((entry for room in rooms.open if (entry := room.shown.at(address)) is not None), None)


def web_avatar_routes(rooms: Rooms) -> list[Route]:
    """The route, for the application."""
    makers = ThreadPoolExecutor(MAKERS, "web-avatar")
    making: dict[str, asyncio.Future[bytes]] = {}

    async def made(version: str, data: bytes) -> bytes:
        """Who waits for the same file takes no thread."""
        found = WEB_AVATARS.get(version)
        if found is not None:
            return found
        future = making.get(version)
        if future is None:
            future = making[version] = asyncio.get_running_loop().run_in_executor(makers, WEB_AVATARS.of, version, lambda: data)
            future.add_done_callback(lambda _: making.pop(version))
        return await asyncio.shield(future)

    async def read(request: Request) -> Response:
        entry = shown_at(rooms, request.path_params["address"])
        if entry is None:
            return PlainTextResponse(GONE, 404)
        version = entry.version or entry.id
        # Kept by the browser for when the page is loaded again, and asked for each time: it ends with the seat.
        headers = {"etag": etag(version), "cache-control": "private, no-cache"}
        if is_known(headers["etag"], request.headers.get("if-none-match")):
            return Response(status_code=304, headers=headers)
        try:
            return Response(await made(version, entry.data), media_type=MEDIA_TYPE, headers=headers)
        except VisavisError as error:
            log.warning("a web avatar cannot be made: %s", type(error).__name__)
            return PlainTextResponse("This avatar cannot be drawn by browsers: let the server draw.", 422)

    return [Route(WEB_AVATAR_PATH + "{address}", read)]
