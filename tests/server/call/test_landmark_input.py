"""A private camera's landmarks on their way in: order, number and size; and a call that they drive."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from models.errors import ProtocolError
from models.exchange import drive_frames
from models.exchange.landmark_frames import LandmarkFrame, encode
from realtime.room.tracking import PRIVATE
from server.call.landmark_input import LandmarkInput, are_landmarks
from server.call.protocol import Failure, Join, Place
from tests.models.exchange.test_drive_frames import some_frame
from tests.models.exchange.test_landmark_frames import EMPTY, GOOD, some_face
from tests.server.call.serving import running, until
from tests.server.call.test_driving import brightness

pytestmark = pytest.mark.timeout(240)


def message(sequence: int, right: float = 0.5) -> bytes:
    """right: how far right the face is in the picture."""
    face = some_face(0)
    points = np.broadcast_to(np.float32([right * face.width, 100, 0]), face.points.shape)
    return encode(LandmarkFrame(replace(face, points=points), sequence))


def test_late_and_replayed_landmarks_are_dropped() -> None:
    given = LandmarkInput(3)
    times = [(5, 0.0), (6, 0.03), (6, 0.06), (5, 0.09), (7, 0.12), (65000, 0.15), (8, 0.18), (2, 1.5)]
    expected = [True, True, False, False, True, False, True, True]
    assert [given.take(message(s), now) is not None for s, now in times] == expected


def test_sixty_a_second_are_taken_and_a_flood_is_told() -> None:
    given, told, count = LandmarkInput(3), [], 0
    data = [message(i) for i in range(1000)]
    for i, sent in enumerate(data):
        try:
            count += given.take(sent, i / 1000) is not None
        except ProtocolError as error:
            told.append(str(error))
    assert count <= 60 + 15 and len(told) > 300 and all("at most 60" in sentence for sentence in told)


@pytest.mark.parametrize(
    ("data", "says"), [(b"\x01\x02", "2 bytes"), (b"\x07" + GOOD[1:], "version"), (GOOD[:-2], "whole"), (EMPTY + b"\0", "whole")]
)
def test_lies_are_refused_in_one_sentence(data: bytes, says: str) -> None:
    assert are_landmarks(data)
    with pytest.raises(ProtocolError, match=re.escape(says)) as caught:
        LandmarkInput(3).take(data, 0.0)
    assert "\n" not in str(caught.value)
    with pytest.raises(ProtocolError, match="viewer"):
        LandmarkInput(-1).take(GOOD, 0.0)


def test_other_messages_are_no_landmarks() -> None:
    assert not any(are_landmarks(data) for data in ("", "ab", b"", b"\x01", drive_frames.encode([some_frame(0)])))


async def test_landmarks_drive_the_avatar_and_go_before_a_webcam() -> None:
    async with (
        running() as server,
        server.page("viewer", place=Place(draws=True)) as eve,
        server.page("person", Join("Ada")) as ada,
    ):
        own, sequence = ada.welcome.participant, 0
        filmed = pytest.approx(server.brightness / 255, abs=0.03)
        await until(lambda: brightness(eve, own) == filmed)

        async def until_told(wanted: Callable[[], bool], right: float) -> float:
            """Returns the longest time between two frames, seconds."""
            nonlocal sequence
            longest, before = 0.0, time.monotonic()
            while not wanted():
                sequence += 1
                ada.drive.send(message(sequence, right))
                await asyncio.sleep(0.03)
                longest, before = max(longest, time.monotonic() - before), time.monotonic()
            return longest

        peers = server.room._peers.values()
        assert not any(peer.is_private for peer in peers)
        longest = PRIVATE
        while longest > PRIVATE / 2:  # or the machine had so much else to do that the webcam's turn came
            await until_told(lambda: brightness(eve, own) == pytest.approx(0.25, abs=0.01), 0.25)
            assert sum(peer.is_private for peer in peers) == 1, "admission counts one who sends landmarks"
            eve.driven.clear()
            end = time.monotonic() + 1.2 * PRIVATE
            longest = await until_told(lambda: time.monotonic() > end, 0.25)  # noqa: B023
        shown = [frame.drive.coefficients[0] for data in list(eve.driven) for frame in drive_frames.decode(data)]
        assert shown == pytest.approx([0.25] * len(shown), abs=0.02), "the webcam's pictures do not show through"
        ada.drive.send(GOOD[:-1])
        await until(lambda: Failure in ada.said)
        assert ada.said[Failure].code == "bad_message" and not ada.said[Failure].final
        await until(lambda: brightness(eve, own) == filmed)
