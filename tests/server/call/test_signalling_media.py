"""What becomes of a seat when its peer connection ends."""

from __future__ import annotations

import pytest

from server.call.actions import FreeSeat, StartMedia, StopMedia
from server.call.protocol import Offer, Welcome
from tests.server.call.test_signalling import KEYS, Table, only, said


@pytest.mark.parametrize("order", ["media, socket", "socket, media", "media"])
def test_media_that_end_keep_the_seat_for_the_page_that_comes_back(order: str) -> None:
    """A page that tries again closes both; which of them is heard of first, and whether before its hello, is chance."""
    table = Table(dead_after=3.0)
    socket, welcome = table.enter()
    media = next(iter(table.room.media))
    for event in order.split(", "):
        table.do(table.room.media_ended(media) if event == "media" else table.room.disconnected(socket))
    assert StopMedia(media) in table.done and [p.id for p in table.state.people] == [welcome.participant]
    table.now = 2.0
    socket, actions = table.hello(KEYS.person, resume=welcome.resume)
    assert said(actions, Welcome, socket).participant == welcome.participant
    table.offer(socket)
    media = next(iter(table.room.media))
    table.do(table.room.media_ended(media) + table.room.disconnected(socket))
    table.now = 4.9
    assert only(table.do(table.room.tick(table.now)), FreeSeat) == []
    table.now = 5.1
    assert only(table.do(table.room.tick(table.now)), FreeSeat) == [FreeSeat(welcome.participant)]


def test_media_that_were_never_alive_keep_no_seat_without_a_socket() -> None:
    table = Table()
    socket, welcome = table.enter(media=False)
    media = only(table.say(socket, Offer("sdp")), StartMedia)[0].media
    table.do(table.room.disconnected(socket))
    assert only(table.do(table.room.media_ended(media)), FreeSeat) == [FreeSeat(welcome.participant)]
