"""What the mock server sends: drawn pictures and a tone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import numpy as np
from aiortc import MediaStreamTrack, VideoStreamTrack
from aiortc.mediastreams import AudioStreamTrack
from av import AudioFrame, VideoFrame

from realtime.room.framing import BACKGROUNDS
from server.call.protocol import Participant, Place, ViewerCamera
from tests.client_web.drawing import draw_room, with_mask


class RoomTrack(VideoStreamTrack):
    """The drawn room, 512 x 512, or 512 x 496 with a mask below. The faces turn with the page's camera and blink; there are no
    pictures while nobody looks. shown: who a camera sees; pause: more seconds between two pictures."""

    def __init__(self, shown: Callable[[ViewerCamera], list[Participant]], pause: Callable[[], float]) -> None:
        super().__init__()
        self.camera = ViewerCamera()
        self.place = Place()
        self._shown, self._pause = shown, pause

    async def recv(self) -> VideoFrame:
        await asyncio.sleep(self._pause())
        while not self.place.seen:
            await asyncio.sleep(0.02)
        pts, time_base = await self.next_timestamp()
        behind = f"rgb{BACKGROUNDS[self.place.background]}"
        picture = draw_room(self._shown(self.camera), self.camera, pts * float(time_base), behind)
        picture = with_mask(picture) if self.place.mask else picture
        frame = VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = pts, time_base
        return frame


class Tone(AudioStreamTrack):
    """A quiet tone of 440 Hz, 8 kHz mono."""

    async def recv(self) -> AudioFrame:
        frame = await super().recv()
        assert isinstance(frame, AudioFrame)
        wave = 2000 * np.sin(2 * np.pi * 440 / frame.sample_rate * (frame.pts + np.arange(frame.samples)))
        frame.planes[0].update(wave.astype(np.int16).tobytes())
        return frame


async def drain(track: MediaStreamTrack) -> None:
    """Takes what the page sends, so that nothing piles up."""
    with contextlib.suppress(Exception):
        while True:
            await track.recv()
