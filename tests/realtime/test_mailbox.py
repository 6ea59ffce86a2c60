from __future__ import annotations

import asyncio
import threading

import pytest

from realtime.mailbox import AsyncMailbox, Mailbox


def test_the_newest_item_wins() -> None:
    box: Mailbox[int] = Mailbox()
    for item in (1, 2, 3):
        box.put(item)
    assert box.get(0) == 3


def test_an_item_is_taken_once() -> None:
    box: Mailbox[str] = Mailbox()
    box.put("only")
    assert box.get(0) == "only"
    assert box.get(0) is None


def test_get_wakes_for_an_item_from_another_thread() -> None:
    box: Mailbox[int] = Mailbox()
    found: list[int | None] = []
    reader = threading.Thread(target=lambda: found.append(box.get(10)))
    reader.start()
    box.put(7)
    reader.join(10)
    assert found == [7]


async def test_async_newest_item_wins() -> None:
    box: AsyncMailbox[int] = AsyncMailbox()
    for item in (1, 2, 3):
        box.put(item)
    assert await box.get() == 3


async def test_async_get_waits_for_the_next_item() -> None:
    box: AsyncMailbox[int] = AsyncMailbox()
    waiting = asyncio.create_task(box.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    box.put(5)
    assert await waiting == 5


async def test_a_cancelled_async_get_takes_nothing() -> None:
    box: AsyncMailbox[int] = AsyncMailbox()
    waiting = asyncio.create_task(box.get())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    box.put(9)
    assert await box.get() == 9
