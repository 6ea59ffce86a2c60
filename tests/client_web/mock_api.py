"""A small fake of the REST API: guests, their avatars, and enrollments that follow a script."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, field
from typing import Any

from PIL import Image
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
    report: list[dict[str, Any]] = field(default_factory=list)
    turntable: bool = False
    improving: str | None = None
    may_improve: bool = False
    quality: str = "instant"

    def out(self, token: str) -> dict[str, Any]:
        return {**asdict(self), "mine": self.owner == token, "job": f"job-{self.id}"}


@dataclass
class Order:
    """What came with an enrollment."""

    fields: dict[str, str]
    photo: bytes
    key: str
    clip: bytes = b""
    better: str = ""


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
        self.made: dict[str, Any] = {}
        """More of what is told of an avatar that is made."""
        self.cancelled: list[str] = []
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
            "/api/avatars/{id}/better": (self._better, ["POST"]),
            "/api/avatars/{id}/{what}": (self._file, ["GET"]),
            "/api/jobs/{id}": (self._job, ["GET"]),
            "/api/jobs/{id}/cancel": (self._cancel, ["POST"]),
            "/api/jobs/{id}/preview": (self._file, ["GET"]),
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
        fields = (await self._ordered(request)).fields
        if self.problem is not None:
            refusal, self.problem = self.problem, None
            return problem(*refusal)
        made = FakeAvatar(f"own{len(self.orders)}", fields["name"], token, "waiting", notes=self.notes)
        self.avatars.append(made)
        return JSONResponse(made.out(token), 202)

    async def _ordered(self, request: Request, better: str = "") -> Order:
        form = await request.form()
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        sent = {name: await value.read() for name, value in form.items() if not isinstance(value, str)}
        key = request.headers["idempotency-key"]
        self.orders.append(Order(fields, sent.get("photos", b""), key, sent.get("clip", b""), better))
        return self.orders[-1]

    async def _better(self, request: Request, token: str) -> Response:
        avatar = next(a for a in self.avatars if a.id == request.path_params["id"])
        await self._ordered(request, avatar.id)
        avatar.improving = f"job-{avatar.id}"
        return JSONResponse(avatar.out(token), 202)

    async def _cancel(self, request: Request, _: str) -> Response:
        self.cancelled.append(request.path_params["id"])
        for avatar in self.avatars:
            avatar.improving = None
        return JSONResponse({})

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
        what = request.path_params.get("what")
        if what == "file":
            return Response(b"avatar", media_type="application/octet-stream")
        if what == "turntable":
            return Response(turntable(), media_type="image/webp")
        if what == "web":
            return Response(self.web, media_type="application/octet-stream")
        data = io.BytesIO()
        portrait(request.path_params["id"]).save(data, "png")
        return Response(data.getvalue(), media_type="image/png")

    async def _job(self, request: Request, _: str) -> Response:
        now = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        avatar = next((a for a in self.avatars if request.path_params["id"] == f"job-{a.id}"), None)
        if avatar is None:
            return problem(404, "there is no such job, or it is not yours")
        if now["state"] in ("done", "failed"):
            avatar.improving = None
        if now["state"] == "done" or now.get("usable"):
            avatar.state = "ready"
        for name, value in (self.made if avatar.state == "ready" else {}).items():
            if name != "quality" or now["state"] == "done":
                setattr(avatar, name, value)
        return JSONResponse(
            {
                "id": "j",
                "avatar": avatar.id,
                "stage": "",
                "progress": 0.0,
                "ahead": 0,
                "error": "",
                "usable": False,
                "previews": 0,
                **now,
            }
        )

    async def _erase(self, _: Request, token: str) -> Response:
        self.avatars = [a for a in self.avatars if a.owner != token]
        self.tokens.remove(token)
        return Response(status_code=204)

    async def _export(self, _request: Request, _: str) -> Response:
        return Response(b"PK", media_type="application/zip")


def turntable() -> bytes:
    """A head from eight sides."""
    strip, data = Image.new("RGB", (8 * 160, 160), "white"), io.BytesIO()
    for i in range(8):
        strip.paste(portrait(f"turn {i}").resize((160, 160)).rotate(10 * i), (160 * i, 0))
    strip.save(data, "webp")
    return data.getvalue()


def problem(status: int, sentence: str) -> Response:
    """Problem details (RFC 9457)."""
    return JSONResponse({"status": status, "detail": sentence}, status, media_type="application/problem+json")
