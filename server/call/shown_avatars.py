"""Which avatars the people of a room show, at which addresses their pages find them, and how better ones take their place."""

from __future__ import annotations

import logging

from models.errors import VisavisError
from realtime.room.worker import RoomWorker
from server.call.avatars import CatalogEntry
from server.call.rules import new_key
from server.call.stored_avatars import StoredAvatars

log = logging.getLogger(__name__)

WEB_AVATAR_PATH = "/web-avatars/"


class ShownAvatars:
    """Of one room. Lives on the event loop. taken: by participant."""

    def __init__(self, worker: RoomWorker, stored: StoredAvatars | None) -> None:
        self._worker, self._stored = worker, stored
        self.taken: dict[int, str] = {}
        self._versions: dict[int, str] = {}  # of the avatar that each participant shows, or that was tried last
        self._addresses: dict[int, str] = {}
        self._files: dict[str, CatalogEntry] = {}  # by address
        self._tried: dict[int, CatalogEntry] = {}  # the better ones that are on their way

    def seat(self, participant: int, avatar: str, entry: CatalogEntry | None) -> None:
        """Somebody has taken an avatar. entry: its file, `None` when it is gone."""
        self.taken[participant], self._versions[participant] = avatar, "" if entry is None else entry.version
        self._show(participant, entry)

    def leave(self, participant: int) -> None:
        """Nothing happens when nobody sits there."""
        self.taken.pop(participant, None)
        self._versions.pop(participant, None)
        self._tried.pop(participant, None)
        self._show(participant, None)

    def address(self, participant: int) -> str:
        """Where a page finds the participant's web avatar: another place for each seat and each file, which nobody can guess;
        empty without one."""
        found = self._addresses.get(participant)
        return "" if found is None else WEB_AVATAR_PATH + found

    def at(self, address: str) -> CatalogEntry | None:
        """What is at an address, its last part, now."""
        return self._files.get(address)

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
                self._tried[participant] = entry

    def replaced(self, participant: int, sentence: str) -> None:
        """What has become of it; a sentence when it cannot be shown."""
        better = self._tried.pop(participant, None)
        if sentence:
            log.warning("a better avatar cannot be shown, the one before stays: %s", sentence)
        elif better is not None:
            self._show(participant, better)

    def _show(self, participant: int, entry: CatalogEntry | None) -> None:
        self._files.pop(self._addresses.pop(participant, ""), None)
        if entry is not None:
            self._addresses[participant] = address = new_key()
            self._files[address] = entry
