"""Decoding a page's webcam and microphone without falling behind, and without blocking the event loop.

aiortc decodes in a thread of each receiver, behind a queue without bound: a webcam that is too large for this machine makes
the delay grow for ever, fills the memory with pictures, and when its page leaves, the event loop waits until all of them are
decoded. Here a `LiveDecoder` takes the place of that queue and decodes in a thread of its own. When encoded frames wait too
long, all are dropped up to the newest keyframe, or a new keyframe is asked for; decoded ones wait in a `NewestFrames`, which
keeps the last of them; at the end all waiting frames are dropped. Sizes are checked before a picture is decoded.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import av
from aiortc.codecs import get_decoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcrtpparameters import RTCRtpCodecParameters

log = logging.getLogger(__name__)

MAX_PIXELS = 4096 * 2304
"""Of a webcam's picture: a little above 4K. A VP8 header of ten bytes could otherwise ask for 400 MB a frame."""
LATE = 0.15
"""Seconds that an encoded frame may wait, unless no more than `FEW` do."""
FEW, MOST = 3, 16
"""Frames that may wait however long, and at all."""
ASK_EVERY = 0.3
"""Seconds between two requests for a keyframe."""
GIVE_UP = 2.0
"""Seconds after which a sender that makes no keyframe is decoded without one: a torn picture heals, none does not."""

Task = tuple[RTCRtpCodecParameters, JitterFrame]


class KeyframeRequests:
    """Requests of a keyframe, at most one in `ASK_EVERY` seconds; `request` from any thread, `take` on the event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._requested = threading.Event()
        self._last = -ASK_EVERY

    def request(self) -> None:
        """Ask for a keyframe."""
        self._requested.set()

    def take(self) -> bool:
        """Whether to send a PLI now."""
        now = self._clock()
        if not self._requested.is_set() or now - self._last < ASK_EVERY:
            return False
        self._requested.clear()
        self._last = now
        return True


class NewestFrames:
    """The last `most` decoded frames; stands in for the `asyncio.Queue` of a remote track. `None` is its end."""

    def __init__(self, most: int) -> None:
        """Call it on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._frames: deque[Any] = deque(maxlen=most)
        self._lock = threading.Lock()
        self._filled = asyncio.Event()
        self._ended = False

    def offer(self, frame: Any) -> None:
        """Add a frame, in place of the oldest when there are too many. From any thread."""
        with self._lock:
            was_empty = not self._frames
            self._frames.append(frame)
        if was_empty:
            with suppress(RuntimeError):  # the loop has closed
                self._loop.call_soon_threadsafe(self._filled.set)

    async def put(self, frame: Any) -> None:
        """As aiortc's decoder thread calls it, with `None` when there will be no more frames."""
        if frame is not None:
            self.offer(frame)
            return
        self._ended = True
        self._filled.set()

    async def get(self) -> Any:
        """The oldest frame that is left; waits for one."""
        while not self._ended:
            with self._lock:
                if self._frames:
                    return self._frames.popleft()
            self._filled.clear()
            await self._filled.wait()
        return None


class LiveDecoder:
    """Stands in for the `queue.Queue` of a receiver's decoder: `put` takes encoded frames, on the event loop.

    aiortc's own decoder thread calls `get` once, which starts the thread that decodes, and waits in it for the end.
    """

    def __init__(
        self, output: NewestFrames, keyframes: KeyframeRequests | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """keyframes: how to ask for a keyframe; `None` for sound, of which every frame stands alone."""
        self._output, self._keyframes, self._clock = output, keyframes, clock
        self._waiting: deque[tuple[float, bool, Task]] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._starved_since: float | None = None
        self._complained = False

    def put(self, task: Task | None) -> None:
        """An encoded frame with its codec, or `None` at the end; then waiting frames are dropped. Never blocks."""
        with self._changed:
            if task is None or self._ended:
                self._ended = True
                self._waiting.clear()
            elif self._keyframes is None:
                self._waiting.append((self._clock(), True, task))
                while len(self._waiting) > MOST:
                    self._waiting.popleft()
            else:
                self._admit(task, self._keyframes)
            self._changed.notify_all()

    def get(self) -> None:
        """Decode until the end."""
        threading.Thread(target=self._decode, name="decoder", daemon=True).start()
        with self._changed:
            self._changed.wait_for(lambda: self._ended)

    def __len__(self) -> int:
        return len(self._waiting)

    def _admit(self, task: Task, keyframes: KeyframeRequests) -> None:
        codec, frame = task
        now, key = self._clock(), is_keyframe(codec.name, frame.data)
        if self._starved_since is not None:
            if not key and now - self._starved_since < GIVE_UP:
                keyframes.request()
                return
            self._starved_since = None
        if key and codec.name.upper() == "VP8" and _vp8_pixels(frame.data) > MAX_PIXELS:
            self._complain(f"pictures of at most {MAX_PIXELS} pixels are decoded, a larger one came")
            self._starved_since = now
            return
        self._waiting.append((now, key, task))
        if self._is_late(now):
            newest = max((i for i, (_, is_key, _) in enumerate(self._waiting) if is_key), default=0)
            for _ in range(newest):
                self._waiting.popleft()
        if self._is_late(now):
            self._waiting.clear()
            self._starved_since = now
            keyframes.request()

    def _is_late(self, now: float) -> bool:
        count = len(self._waiting)
        return count > MOST or (count > FEW and now - self._waiting[0][0] > LATE)

    # The decoder's own thread

    def _decode(self) -> None:
        decoder: Any = None
        name = ""
        while (task := self._next()) is not None:
            codec, encoded = task
            try:
                if codec.name != name:
                    decoder, name = self._new_decoder(codec), codec.name
                frames = decoder.decode(encoded)
            except Exception as error:  # a page may send anything, and the thread goes on whatever it was
                self._complain(f"media from a page could not be decoded ({type(error).__name__})")
                if self._keyframes is not None:
                    self._keyframes.request()
                continue
            for frame in frames:
                if not self._ended and not (isinstance(frame, av.VideoFrame) and frame.width * frame.height > MAX_PIXELS):
                    self._output.offer(frame)

    def _new_decoder(self, codec: RTCRtpCodecParameters) -> Any:
        decoder: Any = get_decoder(codec)
        if self._keyframes is not None:
            context = decoder.codec
            context.thread_count = 1  # enough for 1080p at 60/s, and the renderer needs the other cores
            context.options = {"max_pixels": str(MAX_PIXELS)}
        return decoder

    def _next(self) -> Task | None:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._waiting)
            return None if self._ended else self._waiting.popleft()[2]

    def _complain(self, sentence: str) -> None:
        if not self._complained:  # once a connection, or a page could fill the log
            self._complained = True
            log.warning("%s", sentence)


def is_keyframe(codec: str, data: bytes) -> bool:
    """Whether an encoded picture needs no other: VP8 (RFC 6386, 9.1) or H.264 with start codes (ITU-T H.264, 7.4.1)."""
    if codec.upper() == "VP8":
        return len(data) > 0 and not data[0] & 1
    start = data.find(b"\0\0\1")
    while start >= 0 and start + 3 < len(data):
        kind = data[start + 3] & 0x1F
        if 1 <= kind <= 5:  # the first slice decides; the units before it are small
            return kind == 5
        start = data.find(b"\0\0\1", start + 3)
    return False


def _vp8_pixels(data: bytes) -> int:
    """Of a keyframe whose header is whole, else 0, as the decoder will refuse it."""
    if len(data) < 10 or data[3:6] != b"\x9d\x01\x2a":
        return 0
    return (int.from_bytes(data[6:8], "little") & 0x3FFF) * (int.from_bytes(data[8:10], "little") & 0x3FFF)
