"""How often somebody may ask, and how much a request may bring; told before it is read."""

from __future__ import annotations

import math
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.accounts.tokens import InvalidTokenError
from server.api.problems import ProblemError, reply

MAX_BODY = 64 << 10
"""Bytes of a request's body."""
MAX_UPLOAD = 64 << 20
"""Bytes of one that brings photos or a clip, in all."""
UPLOADS = re.compile(r"/api/avatars(/[^/]*/better)?")
"""Where those are posted to."""
MAX_KEPT = 4096


class RateLimit:
    """A token bucket for each key: `burst` at once, then one every `seconds`. Safe to use from several threads."""

    def __init__(self, burst: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._seconds, self._clock = burst, seconds, clock
        self._full_at: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: str = "") -> None:
        """One more. Raises `ProblemError` (429) with the time to wait."""
        with self._lock:
            now = self._clock()
            full_at = max(self._full_at.pop(key, now), now) + self._seconds
            wait = full_at - now - self._burst * self._seconds
            self._full_at[key] = full_at - self._seconds if wait > 0 else full_at
            while len(self._full_at) > MAX_KEPT:
                self._full_at.popitem(last=False)
        if wait > 0:
            raise ProblemError(429, "this was asked too often; try again in a moment", retry_after=math.ceil(wait))


class BodyLimit:
    """Refuses bodies that are too large, and large ones of somebody who is not signed in, before they are read."""

    def __init__(self, app: ASGIApp, identify: Callable[[str], object]) -> None:
        """identify: raises `InvalidTokenError` for a credential that is none; may block."""
        self._app, self._identify = app, identify

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        most = MAX_BODY
        if scope["method"] == "POST" and UPLOADS.fullmatch(scope["path"]):
            scheme, _, credential = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
            try:
                if scheme.lower() != "bearer":
                    raise InvalidTokenError("sign in first: a token was expected in the Authorization header")
                await run_in_threadpool(self._identify, credential.strip())
            except InvalidTokenError as error:
                await reply(401, str(error), {"www-authenticate": "Bearer"})(scope, receive, send)
                return
            most = MAX_UPLOAD
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:20]) > most:
            await reply(413, _sentence(most))(scope, receive, send)
            return
        left = most

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413, _sentence(most))
            return message

        await self._app(scope, counted, send)


def _sentence(most: int) -> str:
    size = f"{most >> 20} MB" if most >= 1 << 20 else f"{most >> 10} kB"
    return f"a request of at most {size} was expected; send a smaller one"
