"""/api/avatars/{id}/web: an avatar for the page's own renderer (`models.exchange.web_avatar`)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Response

from server.api.avatars import file_name
from server.api.latest import read_latest
from server.api.problems import ProblemError
from server.api.service import Me, ServiceDep
from server.web_avatar_files import MEDIA_TYPE, RETRY_AFTER, TooManyWaitError, etag, is_known

router = APIRouter(prefix="/api/avatars", tags=["avatars"])


@router.get("/{avatar_id}/web", response_class=Response)
def read_web_avatar(
    me: Me, service: ServiceDep, avatar_id: str, if_none_match: Annotated[str | None, Header(max_length=256)] = None
) -> Response:
    """The avatar as a browser draws it by itself, for whoever may take it into a call."""

    def read(name: str) -> bytes | None:
        if is_known(etag(name), if_none_match):
            return None
        try:
            return service.web_avatars.of(name, lambda: service.files.read(name))
        except TooManyWaitError as error:
            raise ProblemError(503, str(error), retry_after=RETRY_AFTER) from None

    name, data = read_latest(lambda: file_name(service, me, avatar_id), read)
    headers = {"etag": etag(name), "cache-control": "private, no-cache"}
    if data is None:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=MEDIA_TYPE, headers=headers)
