"""Pages of other sites that may show a room to viewers, and draw avatars (`embed_from`): which headers let browsers do it.

Only a viewers' page may stand in a frame (CSP3, frame-ancestors): it asks for no camera and no microphone, and has nothing that a
click could be stolen for. The component `<visavis-avatar>` and web avatars are shared by CORS (Fetch standard).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from server.call.protocol import Role

COMPONENT = "/embed/"
"""Where the component is served."""
PREFLIGHT = {
    "access-control-allow-methods": "GET, HEAD, OPTIONS",
    "access-control-allow-headers": "Authorization, If-None-Match, Range",
    "access-control-max-age": "7200",
}
_ROOM = "/room/"
_SHARED = re.compile(r"/embed/[\w.-]+|/api/avatars/[\w-]+/web")
MOST_ORIGINS = 64
_PORTS = {"http": 80, "https": 443}


def check_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    """Origins as browsers write them (RFC 6454, 6.2). Raises `ValueError` for anything else, also for patterns."""
    if len(origins) > MOST_ORIGINS:
        raise ValueError(f"at most {MOST_ORIGINS} origins were expected, {len(origins)} came")
    return tuple(dict.fromkeys(_origin(text) for text in origins))


def _origin(text: str) -> str:
    expected = ValueError(f"an origin such as https://www.example.org was expected, {text[:120]!r} came")
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except (ValueError, UnicodeError):
        raise expected from None
    address = f"[{host}]" if ":" in host else host
    is_plain = parts.path in ("", "/") and not parts.query and not parts.fragment and "@" not in parts.netloc
    if parts.scheme not in _PORTS or not is_plain or not host or quote(host, safe=".-:_") != host:
        raise expected
    return f"{parts.scheme}://{address}" + ("" if port in (None, _PORTS[parts.scheme]) else f":{port}")


class Embedding:
    """What origins may do here. role_of: what a room's key or token allows."""

    def __init__(self, origins: tuple[str, ...], role_of: Callable[[str], Role | None]) -> None:
        self._origins, self._role_of = origins, role_of

    def framed(self, scope: Scope, headers: dict[str, str]) -> dict[str, str]:
        """The headers of a response, changed where the pages of our origins may show it in a frame."""
        path = scope["path"]
        if not self._origins or not path.startswith(_ROOM) or self._role_of(path.removeprefix(_ROOM)) != "viewer":
            return headers
        policy = headers["content-security-policy"].replace(
            "frame-ancestors 'none'", f"frame-ancestors {' '.join(self._origins)}"
        )
        return {name: value for name, value in headers.items() if name != "x-frame-options"} | {"content-security-policy": policy}

    def shared(self, scope: Scope) -> dict[str, str]:
        """Further headers, for what the pages of our origins may read."""
        if not self._origins or not _SHARED.fullmatch(scope["path"]):
            return {}
        origin = Headers(scope=scope).get("origin", "")
        if origin not in self._origins:
            return {"vary": "Origin"}
        return {"vary": "Origin", "access-control-allow-origin": origin, "cross-origin-resource-policy": "cross-origin",
                "access-control-expose-headers": "ETag, Accept-Ranges, Content-Range"}  # fmt: skip

    def preflight(self, scope: Scope) -> dict[str, str] | None:
        """The answer's headers where a browser asks before it asks (OPTIONS); `None` for other requests."""
        if scope["method"] != "OPTIONS":
            return None
        shared = self.shared(scope)
        return shared | PREFLIGHT if "access-control-allow-origin" in shared else None
