"""/api/avatars/{id}/web: an avatar for the page's own renderer (`models.exchange.web_avatar`)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Annotated

from fastapi import APIRouter, Header, Response

from models import avatar_file
from models.exchange import web_avatar
from models.heads.registry import by_name
from server.api.problems import ProblemError
from server.api.service import Me, Service, ServiceDep, may_read
from server.store.tables import StoredAvatar

router = APIRouter(prefix="/api/avatars", tags=["avatars"])

KEPT = 16
"""Web avatars that stay in memory, 1 to 2 MB each."""
MEDIA_TYPE = "application/octet-stream"


class WebAvatars:
    """Makes them, one at a time, and keeps the last few in memory. For several threads."""

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, service: Service, name: str) -> bytes:
        """The web avatar of an avatar's file in the store. Raises `StorageError`, `AvatarFileError`."""
        with self._lock:
            found = self._kept.pop(name, None)
            if found is None:
                avatar = avatar_file.loads(service.files.read(name), "the avatar")
                model = by_name(avatar.head)
                avatar_file.check(avatar, model)
                found = web_avatar.encode(web_avatar.WebAvatar.of_avatar(avatar, model))
            self._kept[name] = found
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
            return found


_made = WebAvatars()


@router.get("/{avatar_id}/web", response_class=Response)
def read_web_avatar(
    me: Me, service: ServiceDep, avatar_id: str, if_none_match: Annotated[str | None, Header(max_length=256)] = None
) -> Response:
    """The avatar as a browser draws it by itself, for whoever may take it into a call."""
    with service.database.reading() as session:
        name = may_read(me, session.get(StoredAvatar, avatar_id)).file
    if not name:
        raise ProblemError(404, "this avatar is not made yet; wait for its job")
    tag = f'"{name.rpartition("/")[2]}"'
    headers = {"etag": tag, "cache-control": "private, no-cache"}
    if if_none_match is not None and tag in {part.strip().removeprefix("W/") for part in if_none_match.split(",")}:
        return Response(status_code=304, headers=headers)
    return Response(_made.of(service, name), media_type=MEDIA_TYPE, headers=headers)
