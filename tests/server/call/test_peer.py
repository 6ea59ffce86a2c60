"""A peer without a connection: what it does with what comes on its data channel."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from realtime.room.framing import NAMES, Framing
from realtime.room.layout import MAX_DISTANCE, ViewRequest
from realtime.sending import LiveSender
from server.call import peer as peers
from server.call.actions import StartMedia
from server.call.peer import PeerEvents, RoomPeer
from server.call.protocol import Join, Label, Labels, PictureHeld, Place, Recalibrate, ViewerCamera, ViewerFrame, encode
from tests.server.call.serving import until


def peer(participant: int) -> tuple[Any, Mock]:
    """One whose picture and data channel are open, and what it shares with the others."""
    room = Mock()
    room.labels.side_effect = lambda request: Labels([Label(1, 0.0, 0.0, 1.0, 1.0)])
    made: Any = RoomPeer(StartMedia(1, 2, participant, ""), room, PeerEvents(Mock(), Mock(), Mock()))
    made._view, made._channel = Mock(), Mock(readyState="open", bufferedAmount=0)
    return made, room


async def test_a_camera_that_rests_snaps_to_what_others_nearby_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "SETTLE", 0.05)
    moved, _ = peer(-1)
    for i in range(5):
        moved._on_message(encode(ViewerCamera(orbit=True, yaw=0.01 * i)))
    assert moved._view.look.call_count == 5, "not while it moves"
    await until(lambda: moved._view.look.call_count > 5)
    await asyncio.sleep(0.1)
    assert moved._view.look.call_count == 6 and moved._view.look.call_args[0][0].yaw == pytest.approx(np.radians(2))
    moved._on_message(encode(ViewerCamera(orbit=True, yaw=0.3)))
    await moved.close()
    await asyncio.sleep(0.1)
    assert moved._view.look.call_count == 7, "nothing moves any more"


async def test_a_camera_that_moves_without_end_has_its_labels_worked_out_now_and_then() -> None:
    moved, room = peer(-1)
    for i in range(200):
        moved._on_message(encode(ViewerCamera(orbit=True, yaw=0.01 * i, distance=1e300)))
    assert moved._view.look.call_count == 200 and 1 <= room.labels.call_count < 20
    assert moved._view.look.call_args[0][0] == ViewRequest(-1, True, yaw=1.99, distance=MAX_DISTANCE)
    moved.send_labels()
    assert moved._channel.send.call_count == 1, "what has not changed is not told again"


def test_only_a_participant_recalibrates_and_the_rest_of_the_protocol_is_refused() -> None:
    for participant, times in ((5, 1), (-1, 0)):
        page, room = peer(participant)
        page._on_message(encode(Recalibrate()))
        assert room.worker.recalibrate.call_count == times and page._events.malformed.call_count == 1 - times
        for text in (encode(Join()), "x", b"\xff"):
            page._on_message(text)
        assert page._events.malformed.call_count == 4 - times


def test_a_page_says_that_it_holds_its_picture_back_for_the_voices() -> None:
    page, _ = peer(5)
    page._on_message(encode(PictureHeld(True)))  # it is sent none yet
    page._sender = Mock(LiveSender)
    for held in (True, False):
        page._on_message(encode(PictureHeld(held)))
        assert page._sender.hold_pictures.call_args[0][0] is held
    assert page._events.malformed.call_count == 0


def test_a_page_says_how_it_shows_its_picture_and_a_hidden_one_gets_none() -> None:
    page, _ = peer(5)
    page._view.request, page._track = ViewRequest(5), Mock()
    page._on_message(encode(ViewerFrame(Place(640, 360, "sand", mask=True))))
    wanted = ViewRequest(5, frame=Framing(640, 360, NAMES.index("sand"), mask=True))
    assert page._view.look.call_args[0][0] == wanted and not page._track.paused
    page._on_message(encode(ViewerCamera(orbit=True, yaw=0.0)))
    assert page._view.look.call_args[0][0].frame == wanted.frame, "a camera that moves keeps it"
    assert not page._view.pause.called
    page._on_message(encode(ViewerFrame(Place(seen=False))))
    assert page._view.pause.called and page._track.paused
    for wrong in ('"width":-1', '"width":99999', '"width":1.5', '"height":"x"', '"background":"#fff"', '"mask":1'):
        page._on_message('{"type":"viewer_frame","place":{' + wrong + "}}")
    assert page._events.malformed.call_count == 6
