"""One-slot mailboxes: the reader gets the newest item, and nothing queues up.

Everything live goes through one of them. A reader that is slower than the writer skips items instead of falling behind,
so the delay of a stream is bounded by the cost of one item.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """A one-slot mailbox between threads."""

    def __init__(self) -> None:
        self._item: T | None = None
        self._changed = threading.Condition()

    def put(self, item: T) -> None:
        """Put `item` in the slot, in place of an item that was not taken."""
        with self._changed:
            self._item = item
            self._changed.notify()

    def get(self, timeout: float | None = None) -> T | None:
        """Take the item; wait for one at most `timeout` seconds (for ever when `None`). `None` when none came."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None, timeout)
            item, self._item = self._item, None
            return item


class AsyncMailbox(Generic[T]):
    """A one-slot mailbox on an event loop: `put` from the loop's thread, `get` from one task at a time."""

    def __init__(self) -> None:
        self._item: T | None = None
        self._filled = asyncio.Event()

    def put(self, item: T) -> None:
        """Put `item` in the slot, in place of an item that was not taken."""
        self._item = item
        self._filled.set()

    async def get(self) -> T:
        """Take the item; wait until there is one. A cancelled `get` takes nothing."""
        while self._item is None:
            self._filled.clear()
            await self._filled.wait()
        item, self._item = self._item, None
        return item
