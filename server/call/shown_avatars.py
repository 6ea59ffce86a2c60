"""Which stored avatars the people of a room show, and how better ones take their place."""

from __future__ import annotations

import logging

from models.errors import VisavisError
from realtime.room.worker import RoomWorker
from server.call.stored_avatars import StoredAvatars

log = logging.getLogger(__name__)


class ShownAvatars:
    """Of one room. Lives on the event loop. taken: by participant."""

    def __init__(self, worker: RoomWorker, stored: StoredAvatars | None) -> None:
        self._worker, self._stored = worker, stored
        self.taken: dict[int, str] = {}
        self._versions: dict[int, str] = {}  # of the avatar that each participant shows, or that was tried last

    def seat(self, participant: int, avatar: str, version: str) -> None:
        """Somebody has taken an avatar. version: of its file."""
        self.taken[participant], self._versions[participant] = avatar, version

    def leave(self, participant: int) -> None:
        """Nothing happens when nobody sits there."""
        self.taken.pop(participant, None)
        self._versions.pop(participant, None)

    def improve(self) -> None:
        """Show the newest file of each stored avatar."""
        for participant, avatar in self.taken.items():
            entry = None if self._stored is None else self._stored.get(avatar)
            if entry is not None and entry.version not in ("", self._versions.get(participant, entry.version)):
                try:
                    self._worker.replace(participant, entry.data)
                except VisavisError as error:  # no memory: the next look tries again
                    log.warning("a better avatar cannot be shown now: %s", error)
                    continue
                self._versions[participant] = entry.version

    def replaced(self, _: int, sentence: str) -> None:
        """What has become of it; a sentence when it cannot be shown."""
        if sentence:
            log.warning("a better avatar cannot be shown, the one before stays: %s", sentence)
