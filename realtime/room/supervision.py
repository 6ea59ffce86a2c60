"""What the supervisor of a room's render process (realtime/room/worker.py) works with: whom it tells, and who is seated."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from av.video.reformatter import VideoReformatter

from models.errors import VisavisError


@dataclass(frozen=True)
class RoomEvents:
    """Called on the event loop. changed: `ready` or `failure` of the worker. joined: a participant's avatar sits in the room.
    refused: a participant's avatar cannot be shown; one sentence."""

    changed: Callable[[], None] = lambda: None
    joined: Callable[[int], None] = lambda _: None
    refused: Callable[[int, str], None] = lambda _participant, _sentence: None


@dataclass
class Seated:
    slot: int
    order: int
    avatar: int  # an open handle of the avatar file's bytes
    size: int
    told: bool = False
    joined: bool = False
    to_rgb: VideoReformatter = field(default_factory=VideoReformatter)


def handle_of(data: bytes) -> int:
    """An open handle of memory that holds `data`. Raises `VisavisError` when there is not enough."""
    try:
        handle = os.memfd_create("visavis-avatar")
        try:
            with open(handle, "wb", closefd=False) as file:
                file.write(data)
        except BaseException:
            os.close(handle)
            raise
        return handle
    except OSError as error:
        raise VisavisError(
            f"{len(data) >> 20} MB of memory were expected for an avatar, but the system refused ({error})"
        ) from None
