"""A peer without a connection: what it does with what comes on its data channel."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from realtime.room.layout import MAX_DISTANCE, ViewRequest
from server.call import peer as peers
from server.call.actions import StartMedia
from server.call.peer import PeerEvents, RoomPeer
from server.call.protocol import Join, Label, Labels, Recalibrate, ViewerCamera, encode


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
        await asyncio.sleep(0.01)
    assert moved._view.look.call_count == 5, "not while it moves"
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
