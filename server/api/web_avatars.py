"""/api/avatars/{id}/web: an avatar for the page's own renderer (`models.exchange.web_avatar`)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Response

from server.api.avatars import file_name
from server.api.latest import read_latest
from server.api.service import Me, ServiceDep

router = APIRouter(prefix="/api/avatars", tags=["avatars"])

MEDIA_TYPE = "application/octet-stream"


@router.get("/{avatar_id}/web", response_class=Response)
def read_web_avatar(
    me: Me, service: ServiceDep, avatar_id: str, if_none_match: Annotated[str | None, Header(max_length=256)] = None
) -> Response:
    """The avatar as a browser draws it by itself, for whoever may take it into a call."""
    asked = {part.strip().removeprefix("W/") for part in (if_none_match or "").split(",")}

    def read(name: str) -> bytes | None:
        return None if _tag(name) in asked else service.web_avatars.of(service, name)

    name, data = read_latest(lambda: file_name(service, me, avatar_id), read)
    headers = {"etag": _tag(name), "cache-control": "private, no-cache"}
    if data is None:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=MEDIA_TYPE, headers=headers)


def _tag(name: str) -> str:
    return f'"{name.rpartition("/")[2]}"'
