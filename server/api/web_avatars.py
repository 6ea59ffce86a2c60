"""/api/avatars/{id}/web: an avatar for the page's own renderer (`models.exchange.web_avatar`)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Response

from server.api.problems import ProblemError
from server.api.service import Me, ServiceDep, may_read
from server.store.tables import StoredAvatar
from server.web_avatar_files import MEDIA_TYPE, WEB_AVATARS, etag, is_known

router = APIRouter(prefix="/api/avatars", tags=["avatars"])


@router.get("/{avatar_id}/web", response_class=Response)
def read_web_avatar(
    me: Me, service: ServiceDep, avatar_id: str, if_none_match: Annotated[str | None, Header(max_length=256)] = None
) -> Response:
    """The avatar as a browser draws it by itself, for whoever may take it into a call."""
    with service.database.reading() as session:
        name = may_read(me, session.get(StoredAvatar, avatar_id)).file
    if not name:
        raise ProblemError(404, "this avatar is not made yet; wait for its job")
    headers = {"etag": etag(name), "cache-control": "private, no-cache"}
    if is_known(headers["etag"], if_none_match):
        return Response(status_code=304, headers=headers)
    return Response(WEB_AVATARS.of(name, lambda: service.files.read(name)), media_type=MEDIA_TYPE, headers=headers)
