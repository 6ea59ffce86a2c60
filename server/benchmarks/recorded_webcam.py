"""A webcam that was encoded before: a measuring page sends it without an encoder on the cores that are measured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import VIDEO_CLOCK_RATE, VIDEO_TIME_BASE, MediaStreamError

from realtime.encoder import FRAME_RATE, LiveVp8Encoder

BITRATE = 1_000_000
"""Bits a second: about what a browser spends on a face of 640x480."""
KEYFRAME_EVERY = 30
"""Frames; a keyframe that is asked for is at most so far away."""


@dataclass(frozen=True)
class RecordedClip:
    """Encoded VP8 frames to play round and round. frames: the bytes of each. keyframes: the indices of those that need no other;
    the first is 0."""

    frames: tuple[bytes, ...]
    keyframes: tuple[int, ...]

    @classmethod
    def encode(cls, pictures: Sequence[av.VideoFrame], bitrate: int = BITRATE) -> RecordedClip:
        """Encode yuv420p pictures of one size, which follow each other at `FRAME_RATE` and the first the last."""
        encoder = LiveVp8Encoder(bitrate)
        frames, keyframes = [], []
        for index, picture in enumerate(pictures):
            picture.pts, picture.time_base = index * VIDEO_CLOCK_RATE // FRAME_RATE, VIDEO_TIME_BASE
            compressed = encoder.compress(picture, index % KEYFRAME_EVERY == 0)
            frames.append(compressed.parts[0])
            if compressed.keyframe:
                keyframes.append(index)
        return cls(tuple(frames), tuple(keyframes))

    def keyframe_from(self, index: int) -> int:
        """The first keyframe at `index` or after it, round the end."""
        return next((keyframe for keyframe in self.keyframes if keyframe >= index), self.keyframes[0])


class RecordedWebcam(MediaStreamTrack):
    """Plays a clip at `FRAME_RATE` as packets, which aiortc's VP8 sender passes on. Lives on the event loop.

    A frame needs all before it back to a keyframe, so none is left out: whoever is late sends the next one late, and the clip
    goes on from there. A keyframe that the receiver asks for (PLI, RFC 4585, 6.3.1) is the next one of the clip, sent at once.
    """

    kind = "video"

    def __init__(self, clip: RecordedClip, begin: int = 0) -> None:
        """begin: number of the keyframe to begin with, round the end."""
        super().__init__()
        self._clip = clip
        self._next = clip.keyframes[begin % len(clip.keyframes)]
        self._packets = [av.Packet(data) for data in clip.frames]
        self._start = self._due = 0.0
        self._wants_keyframe = False

    def send_keyframe(self) -> None:
        """The next packet is a keyframe's."""
        self._wants_keyframe = True

    async def recv(self) -> av.Packet:
        """The next packet when it is due (aiortc calls this). Raises `MediaStreamError` once stopped."""
        if self.readyState != "live":
            raise MediaStreamError
        now = time.monotonic()
        if not self._start:
            self._start = self._due = now
        await asyncio.sleep(self._due - now)
        now = time.monotonic()
        self._due = max(self._due, now - 1 / FRAME_RATE) + 1 / FRAME_RATE
        if self._wants_keyframe:
            self._wants_keyframe, self._next = False, self._clip.keyframe_from(self._next)
        packet = self._packets[self._next]
        self._next = (self._next + 1) % len(self._packets)
        packet.pts, packet.time_base = int((now - self._start) * VIDEO_CLOCK_RATE), VIDEO_TIME_BASE
        return packet
