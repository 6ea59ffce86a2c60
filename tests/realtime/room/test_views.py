"""Memory for the pictures of a room's views is there while the process draws them, and only then."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import av
import pytest

from models.errors import VisavisError
from realtime.room import memory as room_memory
from realtime.room.layout import ViewRequest
from realtime.room.memory import MemoryLayout, RoomMemory
from realtime.room.views import KEPT, RoomViews
from realtime.timing import StageTimes

SIDE = 256
PICTURE = 3 * SIDE * SIDE * 3
FRONT = ViewRequest()


@pytest.fixture
def memory() -> Iterator[RoomMemory]:
    made = RoomMemory(MemoryLayout(1, 3, SIDE, SIDE, 300))
    yield made
    made.close()


@pytest.fixture
def views(memory: RoomMemory) -> RoomViews:
    return RoomViews(memory, threading.Lock(), StageTimes())


def ignore(_: av.VideoFrame) -> None:
    """A viewer."""


def pictures(memory: RoomMemory, least: int) -> int:
    """For how many views there is memory."""
    return round((memory.taken - least) / PICTURE)


def later(views: RoomViews) -> float:
    """A time at which nothing is kept any more."""
    return max(views._resting.values(), default=0.0) + KEPT


def test_a_page_that_draws_takes_no_memory_until_it_asks_for_pictures(memory: RoomMemory, views: RoomViews) -> None:
    least = memory.taken
    view = views.open(ignore, FRONT, drawn=False)
    views.tidy(later(views))
    assert memory.taken == least and not memory.requests.open_views()[0].drawn
    view.look(FRONT)
    assert pictures(memory, least) == 1 and memory.requests.open_views()[0].drawn
    view.look(FRONT, drawn=False)
    views.tidy(later(views) - KEPT / 2)
    assert pictures(memory, least) == 1, "the process may still be at one"
    views.tidy(later(views))
    assert memory.taken == least


@pytest.mark.parametrize("act", ["pause", "close"])
def test_a_view_that_nobody_sees_gives_its_memory_back(memory: RoomMemory, views: RoomViews, act: str) -> None:
    least = memory.taken
    view = views.open(ignore, FRONT, drawn=True)
    other = views.open(ignore, FRONT, drawn=True)
    getattr(view, act)()
    views.tidy(later(views))
    assert pictures(memory, least) == 1 and other.slot == 1
    again = view if act == "pause" else views.open(ignore, FRONT, drawn=True)
    again.look(FRONT)
    views.tidy(later(views))
    assert pictures(memory, least) == 2 and len(memory.requests.open_views()) == 2


def test_memory_that_is_missing_is_one_sentence_and_is_tried_again(
    memory: RoomMemory, views: RoomViews, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(12, "Cannot allocate memory")

    view = views.open(ignore, FRONT, drawn=False)
    with monkeypatch.context() as patch:
        patch.setattr(room_memory, "take", refuse)
        with pytest.raises(VisavisError, match="1 MB of memory were expected"):
            views.open(ignore, FRONT, drawn=True)
        for _ in range(3):
            view.look(FRONT)
            views.tidy(later(views))
        assert [row.drawn for row in memory.requests.open_views()] == [False] and len(caplog.records) == 1
    views.tidy(later(views))
    assert [row.drawn for row in memory.requests.open_views()] == [True]
