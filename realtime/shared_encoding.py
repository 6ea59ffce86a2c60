"""One encoder for several pages that see the same pictures, on lines that take about as much.

Whoever has a new picture first has it encoded; the others take what came out, cut it into packets of their own and send them at
their own pace. A stream of a codec has no gaps: each member sends every picture from a keyframe on. So

- a page joins at a keyframe, which is made for all that wait, at most every `JOIN` seconds;
- who falls behind, whose line takes much less, who looks elsewhere, or who has lost something soon after a keyframe, leaves and
  goes on with its own encoder and a keyframe of its own. It comes back after a while.

So a poor line costs the others one keyframe at most every `HEAL` seconds. All of it lives on the event loop.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

import av
from aiortc.mediastreams import VIDEO_CLOCK_RATE, VIDEO_TIME_BASE

from realtime.encoder import Compressed, LiveH264Encoder, LiveVp8Encoder

Encoder = LiveVp8Encoder | LiveH264Encoder

SETTLED = 1.0
"""Seconds for which a page must have seen the same before it shares: who looks around has an encoder alone."""
JOIN, HEAL = 5.0, 3.0
"""Least seconds between two keyframes that are made for newcomers, when those are few beside the members, and since the last for
one that somebody has lost."""
APART, LONGEST_APART, STAYED = 10.0, 160.0, 30.0
"""Seconds that who has left stays alone; doubled when it had stayed for less than the last."""
BEHIND = 4
"""Pictures that a member may be behind; one more, and it leaves."""
KEPT = 16
"""Pictures that are kept for those behind."""
ALIKE, FAR_LOWER = 0.85, 0.75
"""Rates differ by no more than the first part when a page joins; a member leaves at less than the second part of the highest."""
CLIMBING = 0.5
"""The same for a rate that is low only because it is young: those who share it wait until it has grown, which takes seconds."""
GONE = 3.0
"""Seconds without a sign after which a member has gone."""


@dataclass(frozen=True)
class PictureStream:
    """Where a picture comes from: pictures of one room with equal keys are the same for all who see them."""

    groups: EncoderGroups
    key: Hashable


class PictureSource(Protocol):
    """What a sender takes its pictures from: see `realtime.tracks.AvatarTrack`."""

    @property
    def stream(self) -> PictureStream | None: ...

    async def next(self) -> av.VideoFrame: ...

    def stamp(self, when: float) -> int: ...


@dataclass(frozen=True)
class Line:
    """What a page's line takes now. rate: bits a second. interval: the least seconds between two pictures. is_full: whether
    packets wait in it. has_lost: whether a keyframe is asked for. climbs: whether it takes no more only because no more was tried
    yet."""

    rate: int
    interval: float = 0.0
    is_full: bool = False
    has_lost: bool = False
    climbs: bool = False


@dataclass(frozen=True)
class SharedPicture:
    """number: counts from 1. when: its picture was taken up, `time.monotonic`."""

    number: int
    when: float
    compressed: Compressed


class EncoderGroup:
    """The encoder that several pages share, and its newest pictures."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._pictures: deque[SharedPicture] = deque(maxlen=KEPT)
        self._members: dict[object, tuple[Line, float]] = {}  # with the time when it was told
        self._waiting: dict[object, tuple[int, float]] = {}  # newest picture when it began to wait, and when it was seen
        self._encoding: asyncio.Task[None] | None = None
        self._begin = time.monotonic()
        self._encoded_at = self._keyframe_at = -math.inf
        self._keyframe_wanted = False
        self.newest = 0
        """Number of the newest picture."""

    @property
    def is_empty(self) -> bool:
        """Whether nobody is here nor waits."""
        return not self._members and not self._waiting

    def wait(self, now: float) -> float:
        """Seconds until another picture may be encoded: as the slowest member takes them."""
        interval = max((line.interval for line, _ in self._members.values()), default=0.0)
        return self._encoded_at + interval - now

    def join(self, member: object, line: Line, now: float) -> int | None:
        """Ask to join; call it until it returns the number of the picture before the first one to send."""
        self._forget(now)
        if not all(_suits(line, other) for other, _ in self._members.values()):
            self._waiting.pop(member, None)
            return None
        since, _ = self._waiting.get(member, (self.newest, now))
        self._waiting[member] = since, now
        keyframe = max((p.number for p in self._pictures if p.compressed.keyframe), default=0)
        if keyframe > since and self.newest - keyframe < BEHIND:
            return self._take_in(member, line, now, keyframe - 1)
        everybody = len(self._members) + len(self._waiting)
        if everybody >= 2 and now - self._keyframe_at >= JOIN * len(self._members) / everybody:
            self._keyframe_wanted = True
            if not self._members:
                under_way = self._encoding is not None and not self._encoding.done()
                return self._take_in(member, line, now, self.newest + under_way)
        return None

    def _take_in(self, member: object, line: Line, now: float, before: int) -> int:
        self._waiting.pop(member, None)
        self._members[member] = line, now
        return before

    def stay(self, member: object, line: Line, sent: int, now: float) -> bool:
        """Whether a member that has sent the pictures up to `sent` may go on."""
        self._forget(now)
        self._members[member] = line, now
        highest = max(other.rate for other, _ in self._members.values())
        return self.newest - sent <= BEHIND and line.rate >= (CLIMBING if line.climbs else FAR_LOWER) * highest

    def heal(self, now: float) -> bool:
        """Make a keyframe for somebody who has lost something; False when the last one was made too short a time ago."""
        if now - self._keyframe_at < HEAL:
            return False
        self._keyframe_wanted = True
        return True

    def leave(self, member: object) -> None:
        """The member takes no more pictures, and waits for none."""
        self._members.pop(member, None)
        self._waiting.pop(member, None)

    def picture(self, number: int) -> SharedPicture | None:
        """The picture with that number, while it is kept."""
        return next((p for p in self._pictures if p.number == number), None)

    async def encode(self, frame: av.VideoFrame) -> None:
        """Encode a picture, unless one is being encoded: then wait for that."""
        if self._encoding is None or self._encoding.done():
            self._encoding = asyncio.create_task(self._encode(frame, time.monotonic()))
        await asyncio.shield(self._encoding)  # it is for all, whoever of them goes meanwhile

    async def _encode(self, frame: av.VideoFrame, when: float) -> None:
        self._encoded_at = when
        self._encoder.rate = min((line.rate for line, _ in self._members.values()), default=self._encoder.rate)
        keyframe, self._keyframe_wanted = self._keyframe_wanted, False
        frame.pts, frame.time_base = int((when - self._begin) * VIDEO_CLOCK_RATE), VIDEO_TIME_BASE
        loop = asyncio.get_running_loop()
        compressed = await loop.run_in_executor(None, self._encoder.compress, frame, keyframe)
        self._keyframe_at = when if compressed.keyframe else self._keyframe_at
        self.newest += 1
        self._pictures.append(SharedPicture(self.newest, when, compressed))

    def _forget(self, now: float) -> None:
        for there in (self._members, self._waiting):
            for member in [m for m, (_, seen) in there.items() if now - seen > GONE]:
                del there[member]


def _suits(newcomer: Line, member: Line) -> bool:
    """Whether the two may share: the newcomer takes about as much, or a little more than a member whose rate still grows."""
    return newcomer.rate >= ALIKE * member.rate and member.rate >= (CLIMBING if member.climbs else ALIKE) * newcomer.rate


class EncoderGroups:
    """The groups of a room, by what their members see and which codec they take."""

    def __init__(self) -> None:
        self._groups: dict[tuple[Hashable, type[Encoder], int], EncoderGroup] = {}

    def of(self, key: Hashable, encoder: Encoder) -> EncoderGroup:
        """The group for those who see `key` and would else encode with such an encoder."""
        kind = (key, type(encoder), encoder.most)
        if kind not in self._groups:
            self._groups = {k: group for k, group in self._groups.items() if not group.is_empty}
            self._groups[kind] = EncoderGroup(type(encoder)(encoder.most))
        return self._groups[kind]


class SharedEncoding:
    """A sender's part in it: whether it shares an encoder now, and its next picture while it does. own: its own encoder."""

    def __init__(self, own: Encoder) -> None:
        self._own = own
        self._stream: PictureStream | None = None
        self._since = self._alone_until = self._joined_at = -math.inf
        self._apart = APART / 2
        self._group: EncoderGroup | None = None
        self._joined = False
        self._sent = 0

    def shares(self, stream: PictureStream | None, line: Line, now: float) -> bool:
        """Call it before each picture. stream: of the newest picture. When it turns False, a keyframe is due."""
        if stream != self._stream:
            self._leave()
            self._stream, self._since = stream, now
        if self._group is not None and self._joined:
            may_stay = self._group.stay(self, line, self._sent, now)
            if may_stay and not (line.has_lost and not self._group.heal(now)):
                return True
            self._leave()
            stayed_long = now - self._joined_at > STAYED
            self._apart = APART if stayed_long else min(2 * self._apart, LONGEST_APART)
            self._alone_until = now + self._apart
        if stream is None or line.is_full or now - self._since < SETTLED or now < self._alone_until:
            self._leave()
            return False
        self._group = stream.groups.of(stream.key, self._own)
        before = self._group.join(self, line, now)
        if before is not None:
            self._joined, self._joined_at, self._sent = True, now, before
        return self._joined

    def _leave(self) -> None:
        if self._group is not None:
            self._group.leave(self)
        self._group, self._joined = None, False

    async def next(self, source: PictureSource) -> tuple[list[bytes], int] | None:
        """RTP payloads and 90 kHz time stamp of the next picture; `None` when there is none to send now."""
        group = self._group
        assert group is not None
        while group.newest <= self._sent and (wait := group.wait(time.monotonic())) > 0:
            await asyncio.sleep(wait)
        if group.newest <= self._sent:
            frame = await source.next()
            if source.stream != self._stream:
                return None
            if group.newest <= self._sent:
                await group.encode(frame)
        picture = group.picture(self._sent + 1)
        if picture is None:
            self._sent = -BEHIND - 1  # too far behind: `shares` turns False
            return None
        self._sent = picture.number
        self._own.times.add("encode", picture.compressed.milliseconds)
        return self._own.packetize(picture.compressed), source.stamp(picture.when)
