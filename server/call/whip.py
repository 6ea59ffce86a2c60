"""WHIP in (RFC 9725) and WHEP out (draft-ietf-wish-whep-03): media for whoever speaks only HTTP.

    POST   /whip[/KEY]           an SDP offer -> 201 with the answer, Location, ETag, Link (ICE servers); a camera takes a seat
    POST   /whep[/KEY]           the same for a player, which becomes a viewer
    PATCH  /whip/session/ID      trickle ICE -> 204; ICE restarts -> 422
    DELETE /whip/session/ID      the end -> 200
    OPTIONS, GET                 CORS, and nothing

WHIP takes `name` and `avatar` (id or name) as query. Errors are problem details (RFC 9457). Pages of other sites may use it:
what opens a room is in the request, never a cookie.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from models.errors import ProtocolError
from server.api.problems import ProblemError, reply
from server.call.admission import Admission, admit, bearer_of
from server.call.http_session import HttpSession
from server.call.offer import MAX_FRAGMENT, MAX_OFFER, check_fragment
from server.call.protocol import MAX_NAME, Answer, Failure, IceServer
from server.call.rooms import Rooms

PLACES = ("/whip", "/whep")
CORS = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "Location, ETag, Link, Retry-After, Accept-Post, Accept-Patch",
}
PREFLIGHT = CORS | {
    "access-control-allow-methods": "POST, PATCH, DELETE, OPTIONS, GET",
    "access-control-allow-headers": "Authorization, Content-Type, If-Match",
    "access-control-max-age": "86400",
    "accept-post": "application/sdp",
    "accept-patch": "application/trickle-ice-sdpfrag",
}
SYNTHETIC = '<http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia>; rel="type"'
"""Says of the pictures that a model made them (IPTC's digital source types), in a `Link` of each answer."""
BODY_TIMEOUT = 10.0
"""Seconds for a body."""
STATUS = {"full": 503, "busy": 503, "internal": 503, "locked": 403, "not_allowed": 403, "removed": 403, "ended": 403,
          "not_found": 404, "bad_message": 400}  # fmt: skip
"""HTTP status for the code of a `Failure`; 422 for others."""
DEFAULT_NAME = "Camera"

Answering = Callable[[Request], Awaitable[Response]]


def whip_routes(rooms: Rooms) -> list[Route]:
    """What to serve at `PLACES`."""
    return _Endpoints(rooms).routes()


class _Endpoints:
    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._sessions: dict[str, HttpSession] = {}
        self._serving: set[asyncio.Task[None]] = set()

    def routes(self) -> list[Route]:
        """Of both protocols."""
        methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
        return [
            Route(place + path, answer, methods=methods)
            for place in PLACES
            for path, answer in (
                ("", _answered(self._endpoint)),
                ("/session/{id}", _answered(self._session)),
                ("/{key}", _answered(self._endpoint)),
            )
        ]

    async def _endpoint(self, request: Request) -> Response:
        if request.method in ("GET", "HEAD"):
            return Response(status_code=204)
        if request.method != "POST":
            raise _NotAllowedError("POST, OPTIONS, GET")
        watch = request.url.path.startswith("/whep")
        admission = await admit(self._rooms, request.path_params.get("key", ""), request.headers.get("authorization", ""))
        if not watch and admission.role == "viewer":
            raise ProblemError(403, "a host's or a participant's key was expected, this one is for viewers; use /whep")
        return await self._begin(request, admission, watch=watch)

    async def _begin(self, request: Request, admission: Admission, *, watch: bool) -> Response:
        name, avatar = request.query_params.get("name", DEFAULT_NAME), request.query_params.get("avatar", "")
        if len(name) > MAX_NAME or len(avatar) > 256:
            raise ProblemError(400, f"a name of at most {MAX_NAME} characters was expected, a longer one came")
        sdp = await _body(request, "application/sdp", MAX_OFFER)
        session = HttpSession(admission.hello, sdp, watch=watch, name=name, avatar=avatar, credential=admission.credential)
        task = asyncio.create_task(self._serve(session, only_sends=not watch))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        outcome = await asyncio.shield(session.outcome)
        if isinstance(outcome, Failure):
            raise _problem(outcome, is_out_of_ports=session.is_out_of_ports)
        return self._created(session, outcome, "/whep" if watch else "/whip")

    async def _serve(self, session: HttpSession, *, only_sends: bool) -> None:
        self._sessions[session.id] = session
        try:
            await self._rooms.serve(session, session.make_peer, only_sends=only_sends)
        finally:
            self._sessions.pop(session.id, None)
            await session.close()

    def _created(self, session: HttpSession, answer: Answer, place: str) -> Response:
        headers = {"location": f"{place}/session/{session.id}", "etag": session.etag,
                   "accept-patch": PREFLIGHT["accept-patch"]}  # fmt: skip
        response = Response(answer.sdp, 201, headers, media_type="application/sdp")
        for link in [SYNTHETIC, *(link for server in session.ice_servers for link in _links(server))]:
            response.headers.append("link", link)
        return response

    async def _session(self, request: Request) -> Response:
        session = self._sessions.get(request.path_params["id"])
        if session is None or session.ended.is_set():
            raise ProblemError(404, "there is no session at this address any more; begin a new one")
        if request.method in ("GET", "HEAD"):
            return Response(status_code=204)
        if request.method not in ("PATCH", "DELETE"):
            raise _NotAllowedError("PATCH, DELETE, OPTIONS, GET")
        if not session.is_shown(bearer_of(request.headers.get("authorization", ""))):
            raise ProblemError(401, "the bearer token that the session began with was expected, another one or none came")
        if request.method == "DELETE":
            session.end()
            await session.ended.wait()
            return Response(status_code=200)
        await _trickle(session, request)
        return Response(status_code=204)


async def _trickle(session: HttpSession, request: Request) -> None:
    """RFC 9725, 4.3.1. Raises `ProblemError`."""
    fragment = check_fragment(await _body(request, "application/trickle-ice-sdpfrag", MAX_FRAGMENT))
    tags = {tag.strip() for tag in request.headers.get("if-match", "").split(",") if tag.strip()}
    if not tags:
        raise ProblemError(428, "an If-Match header with the session's ETag was expected, none came")
    if session.is_restart(fragment):
        raise ProblemError(422, "ICE restarts are not possible here; end this session and begin a new one")
    if not tags & {"*", '"*"', session.etag}:
        raise ProblemError(412, "the ETag of this session was expected in If-Match, another one came")
    await session.trickle(fragment)


class _NotAllowedError(ProblemError):
    def __init__(self, allowed: str) -> None:
        super().__init__(405, f"one of the methods {allowed} was expected at this address")
        self.allowed = allowed


def _answered(answer: Answering) -> Answering:
    """An endpoint whose errors are problem details, and that pages of other sites may use."""

    async def answered(request: Request) -> Response:
        try:
            response = await answer(request)
        except ProblemError as error:
            headers = {"retry-after": str(error.retry_after)} if error.retry_after else {}
            if error.status == 401:
                headers["www-authenticate"] = "Bearer"
            if isinstance(error, _NotAllowedError):
                headers["allow"] = error.allowed
            response = reply(error.status, _sentence(error), headers)
        except ProtocolError as error:
            response = reply(400, _sentence(error))
        response.headers.update(CORS)
        return response

    return answered


def _sentence(error: Exception) -> str:
    return str(error).rstrip(".")


def _problem(failure: Failure, *, is_out_of_ports: bool) -> ProblemError:
    status = 503 if is_out_of_ports else STATUS.get(failure.code, 422)
    wait = math.ceil(failure.retry_after) or 5
    return ProblemError(status, failure.message, retry_after=wait if status == 503 or failure.code == "locked" else 0)


async def _body(request: Request, media_type: str, most: int) -> str:
    """A body of text. Raises `ProblemError`: 415, 413, 408, 400."""
    came = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if came != media_type:
        raise ProblemError(415, f"a body of type {media_type} was expected, another type came")
    body = b""
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            async for part in request.stream():
                body += part
                if len(body) > most:
                    raise ProblemError(413, f"a body of at most {most} bytes was expected, more came")
    except TimeoutError:
        raise ProblemError(408, "the whole body was expected at once, it came too slowly") from None
    except ClientDisconnect:
        raise ProblemError(400, "the whole body was expected, the connection ended before") from None
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise ProblemError(400, "text in UTF-8 was expected, something else came") from None


def _links(server: IceServer) -> list[str]:
    """RFC 9725, 4.6: how to reach STUN and TURN servers."""
    secret = ""
    if server.username:
        user, credential = (text.replace("\\", "\\\\").replace('"', '\\"') for text in (server.username, server.credential))
        secret = f'; username="{user}"; credential="{credential}"; credential-type="password"'
    return [f'<{url}>; rel="ice-server"{secret}' for url in server.urls]
