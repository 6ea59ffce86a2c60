"""A small fake of the REST API: guests, their avatars, and enrollments that follow a script."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from server.call.protocol import AvatarInfo
from tests.client_web.drawing import portrait

RUNNING = {"state": "running", "stage": "fitting the head", "progress": 0.35}
DONE = {"state": "done", "stage": "done", "progress": 1.0}


@dataclass
class FakeAvatar:
    id: str
    name: str
    owner: str
    state: str = "ready"
    shared: bool = False
    version: int = 1
    notes: list[str] = field(default_factory=list)

    def out(self, token: str) -> dict[str, Any]:
        return {**asdict(self), "quality": "instant", "mine": self.owner == token, "job": f"job-{self.id}"}


@dataclass
class Order:
    """What came with an enrollment."""

    fields: dict[str, str]
    photo: bytes
    key: str


class MockApi:
    """Everything a test may set or read is public."""

    def __init__(self) -> None:
        self.enrolls = False
        self.tokens: list[str] = []
        """Valid ones."""
        self.guests: list[dict[str, str]] = []
        self.avatars: list[FakeAvatar] = []
        self.orders: list[Order] = []
        self.problem: tuple[int, str] | None = None
        """What the next enrollment or change gets."""
        self.script: list[dict[str, Any]] = [{"state": "waiting", "ahead": 1}, RUNNING, DONE]
        """How a job is, one each time that it is asked for; the last stays."""
        self.notes: list[str] = []
        self.down = False
        self.web = b""
        """The web avatar of each."""

    def has(self, token: str) -> bool:
        return token in self.tokens

    def own(self, token: str) -> list[AvatarInfo]:
        """For the lobby."""
        mine = [a for a in self.avatars if self.has(token) and (a.owner == token or a.shared) and a.state == "ready"]
        return [AvatarInfo(a.id, a.name, f"/avatars/{a.id}.png") for a in mine]

    def routes(self) -> list[Route]:
        paths = {
            "/api/guests": (self._guest, ["POST"]),
            "/api/avatars": (self._avatars, ["GET", "POST"]),
            "/api/avatars/{id}": (self._avatar, ["GET", "PATCH", "DELETE"]),
            "/api/avatars/{id}/{what}": (self._file, ["GET"]),
            "/api/jobs/{id}": (self._job, ["GET"]),
            "/api/me": (self._erase, ["DELETE"]),
            "/api/me/export": (self._export, ["GET"]),
        }
        return [Route(path, self._guarded(work), methods=methods) for path, (work, methods) in paths.items()]

    def _guarded(self, work: Any) -> Any:
        async def answer(request: Request) -> Response:
            if self.down:
                return Response("upstream", 502)
            token = request.headers.get("authorization", "").removeprefix("Bearer ")
            if work != self._guest and not self.has(token):
                return problem(401, "a token of this server was expected; sign in again")
            found: Response = await work(request, token)
            return found

        return answer

    async def _guest(self, request: Request, _: str) -> Response:
        self.guests.append(await request.json())
        self.tokens.append(f"guest-{len(self.guests)}")
        return JSONResponse({"token": self.tokens[-1]}, 201)

    async def _avatars(self, request: Request, token: str) -> Response:
        if request.method == "GET":
            items = [a.out(token) for a in self.avatars if a.owner == token or a.shared]
            return JSONResponse({"items": items, "next": None})
        form = await request.form()
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        photo = form["photos"]
        assert not isinstance(photo, str)
        self.orders.append(Order(fields, await photo.read(), request.headers["idempotency-key"]))
        if self.problem is not None:
            refusal, self.problem = self.problem, None
            return problem(*refusal)
        made = FakeAvatar(f"own{len(self.orders)}", fields["name"], token, "waiting", notes=self.notes)
        self.avatars.append(made)
        return JSONResponse(made.out(token), 202)

    async def _avatar(self, request: Request, token: str) -> Response:
        avatar = next((a for a in self.avatars if a.id == request.path_params["id"] and a.owner == token), None)
        if avatar is None:
            return problem(404, "there is no such avatar, or it is not yours")
        if request.method == "DELETE":
            self.avatars.remove(avatar)
            return Response(status_code=204)
        if request.method == "PATCH":
            if self.problem is not None:
                refusal, self.problem = self.problem, None
                return problem(*refusal)
            if request.headers["if-match"] != f'"{avatar.version}"':
                return problem(412, "somebody else has changed this avatar meanwhile; read it again")
            change = await request.json()
            avatar.name, avatar.shared = change.get("name", avatar.name), change.get("shared", avatar.shared)
            avatar.version += 1
        return JSONResponse(avatar.out(token))

    async def _file(self, request: Request, _: str) -> Response:
        if request.path_params["what"] == "file":
            return Response(b"avatar", media_type="application/octet-stream")
        if request.path_params["what"] == "web":
            return Response(self.web, media_type="application/octet-stream")
        data = io.BytesIO()
        portrait(request.path_params["id"]).save(data, "png")
        return Response(data.getvalue(), media_type="image/png")

    async def _job(self, request: Request, _: str) -> Response:
        now = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        avatar = next((a for a in self.avatars if request.path_params["id"] == f"job-{a.id}"), None)
        if avatar is None:
            return problem(404, "there is no such job, or it is not yours")
        if now["state"] == "done":
            avatar.state = "ready"
        return JSONResponse({"id": "j", "avatar": avatar.id, "stage": "", "progress": 0.0, "ahead": 0, "error": "", **now})

    async def _erase(self, _: Request, token: str) -> Response:
        self.avatars = [a for a in self.avatars if a.owner != token]
        self.tokens.remove(token)
        return Response(status_code=204)

    async def _export(self, _request: Request, _: str) -> Response:
        return Response(b"PK", media_type="application/zip")


def problem(status: int, sentence: str) -> Response:
    """Problem details (RFC 9457)."""
    return JSONResponse({"status": status, "detail": sentence}, status, media_type="application/problem+json")
