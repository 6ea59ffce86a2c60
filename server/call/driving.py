"""The data channel `drive`: a page's own drive frames or landmarks up, everybody's down to pages that draw (docs/protocol.md).

Frames go down as the render process shows them, packed once and sent to all who want them. Nothing waits and nothing queues:
whoever does not keep up misses frames, and what comes up too often or too late is dropped.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from aiortc import RTCDataChannel

from models.errors import ProtocolError
from models.exchange.drive_frames import SentFrame, addressed, decode, messages_of, pack_record
from realtime.room.record_table import Record
from server.call import light_channel
from server.call.arrivals import Arrivals
from server.call.landmark_input import LandmarkInput, are_landmarks

CHANNEL = "drive"
LEAST, MOST, EACH = 0.01, 1 / 31, 0.0002
"""Seconds between two messages down: one is for all people of a room, whose frames come at different times. At the least; at the
most, which is as often as pages show them; and in between for each page, so that sending takes no more than half of a core."""
BACKLOG = 4 * 1024
"""Bytes waiting on a channel above which a message is dropped: a few tenths of a second of a full room."""
FOLLOWED = 5.0
"""Seconds after its last landmarks for which a page counts as one that sends them: somebody who turns away for a moment."""
COMPLAIN_EVERY = 1.0
"""Seconds between two sentences about what comes on one channel."""


class DriveInput:
    """What one page says about its own avatar: a state machine without sockets. Times in seconds, any monotonic clock."""

    def __init__(self, participant: int) -> None:
        """participant: the page's own, -1 for one that has no seat."""
        self._participant = participant
        self._arrivals = Arrivals("drive frames")

    def take(self, data: str | bytes, now: float) -> bytes | None:
        """A message: the packed frame to show, or `None` when it is dropped, being late or one of too many. Raises
        `ProtocolError` for what is not a drive frame of the page's own, and for a flood."""
        if not self._arrivals.is_wanted(now):
            return None
        sent = self._own(data)
        return pack_record(sent) if self._arrivals.takes(sent.sequence, now) else None

    def _own(self, data: str | bytes) -> SentFrame:
        if self._participant < 0:
            raise ProtocolError("drive frames are expected from those with a seat, not from a viewer; send none")
        if isinstance(data, str):
            raise ProtocolError("a binary message was expected on the channel of drive frames, text came; send bytes")
        frames = decode(data)
        if len(frames) != 1 or frames[0].participant != self._participant:
            raise ProtocolError("one drive frame with the page's own number was expected, another came; send the own alone")
        return frames[0]


class DriveLine:
    """A page's channel. drive: told of each frame that is to be shown, and when it came; follow: of each message of landmarks.
    malformed: one sentence."""

    def __init__(
        self,
        channel: RTCDataChannel,
        participant: int,
        drive: Callable[[bytes, float], None],
        follow: Callable[[bytes, float], None],
        malformed: Callable[[str], None],
    ) -> None:
        self._channel = channel
        self._input, self._landmarks = DriveInput(participant), LandmarkInput(participant)
        self._drive, self._follow, self._malformed = drive, follow, malformed
        self._complained = self._followed = -math.inf
        channel.on("message", self._on_message)

    @property
    def is_open(self) -> bool:
        """Whether something can be sent."""
        return bool(self._channel.readyState == "open")

    @property
    def is_followed(self) -> bool:
        """Whether landmarks come."""
        return time.monotonic() - self._followed < FOLLOWED

    def send(self, message: bytes) -> None:
        """Send, or drop it when the page does not keep up."""
        if self.is_open and self._channel.bufferedAmount < BACKLOG:
            light_channel.send_now(self._channel, message)

    def _on_message(self, data: str | bytes) -> None:
        now = time.monotonic()
        try:
            if are_landmarks(data):
                taken, told = self._landmarks.take(data, now), self._follow
            else:
                taken, told = self._input.take(data, now), self._drive
        except ProtocolError as error:
            if now - self._complained >= COMPLAIN_EVERY:
                self._complained = now
                self._malformed(str(error))
            return
        if taken is not None:
            self._followed = now if told == self._follow else self._followed
            told(taken, now)


class DriveRelay:
    """Sends the frames that a room's avatars are shown with to the lines that are open. Lives on the event loop."""

    def __init__(self, shown: Callable[[], dict[int, Record]]) -> None:
        """shown: for each participant whose avatar is loaded, the packed frame and its count."""
        self._shown = shown
        self._lines: set[DriveLine] = set()
        self._told: dict[int, tuple[int, int]] = {}  # of each participant: count of the last frame that was sent, its sequence
        self._timer: asyncio.TimerHandle | None = None
        self._sent = -math.inf

    def __len__(self) -> int:
        return len(self._lines)

    def open(self, line: DriveLine) -> None:
        """A page draws by itself from now on: it gets the last frame of all at once."""
        if line not in self._lines:
            self._lines.add(line)
            for message in self._messages(only_new=False):
                line.send(message)

    def close(self, line: DriveLine) -> None:
        """A page does not want any more."""
        self._lines.discard(line)

    def moved(self) -> None:
        """There are new frames: send them now, or a moment after the last ones."""
        if self._lines and self._timer is None:
            wait = self._sent + min(MOST, max(LEAST, EACH * len(self._lines))) - time.monotonic()
            if wait <= 0:
                self._send()
            else:
                self._timer = asyncio.get_running_loop().call_later(wait, self._send)

    def repeat(self) -> None:
        """Send the last frame of all once more, so that a lost one heals; call it once a second."""
        self._relay(self._messages(only_new=False))

    def stop(self) -> None:
        """Nothing more is sent."""
        self._lines.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _send(self) -> None:
        self._timer, self._sent = None, time.monotonic()
        self._relay(self._messages(only_new=True))

    def _relay(self, messages: list[bytes]) -> None:
        for line in self._lines:
            for message in messages:
                line.send(message)

    def _messages(self, *, only_new: bool) -> list[bytes]:
        """The frames in as few messages as fit into one packet each; a frame that was sent before keeps its sequence number."""
        if not self._lines:
            return []
        shown = self._shown()
        self._told = {p: self._told.get(p, (0, -1)) for p in shown}
        records = []
        for participant, record in shown.items():
            count, sequence = self._told[participant]
            is_new = record.count != count
            if is_new:
                self._told[participant] = record.count, sequence + 1
            if is_new or not only_new:
                records.append(addressed(record.data, participant, sequence + is_new))
        return messages_of(records)
