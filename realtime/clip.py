"""Reading a recorded clip: what it is, and its pictures upright with their times. Writing is in clip_sink.py.

Only the usual container formats are opened, and only as local files: FFmpeg's playlist formats could name other files or
addresses to be read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from models.errors import ClipError

Pixels = NDArray[np.uint8]

MAX_SIDE = 8192
"""Pixels, checked before a picture is decoded."""
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,ogg,gif,asf,mxf,wav,mp3,aac,flac,h264,hevc,ivf,mjpeg"
"""What a clip may be; formats without pictures are listed so that the message can say that the pictures are missing."""
CONTAINER_OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
DEFAULT_FPS = 30.0
CAREFUL = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
"""The fast conversion to RGB is 2 levels too dark on average and blurs the colours' edges."""
LEAST_STEP = 1e-4
"""Seconds; a picture whose time stamp does not come after the last one's is moved to this much after it."""


@dataclass(frozen=True)
class Clip:
    """A recording that has been opened once and found good.

    width, height: pixels, upright. fps: pictures a second, the mean where the rate varies. frame_count: as the file states
    it, None where it does not. has_audio: whether there is sound. turns: quarter turns counterclockwise that make a stored
    picture upright. start: seconds of the first picture on the file's clock; the times of `frames` count from it.
    """

    path: Path
    width: int
    height: int
    fps: float
    frame_count: int | None
    has_audio: bool
    turns: int
    start: float

    def frames(self) -> Iterator[tuple[Pixels, float]]:
        """Each picture upright, (height, width, 3) uint8 sRGB, with its time in seconds from the first; times increase.

        A picture of another size than the first is scaled to it. Raises `ClipError` where the recording is damaged.
        """
        reformatter, seconds, count = VideoReformatter(), -LEAST_STEP, 0
        stored = (self.height, self.width) if self.turns % 2 else (self.width, self.height)
        with opened(self.path) as container:
            for frame in _decoded(container, self.path):
                rgb = reformatter.reformat(frame, *stored, format="rgb24", interpolation=CAREFUL).to_ndarray()
                stamp = frame.time - self.start if frame.time is not None else count / self.fps
                seconds = max(stamp, seconds + LEAST_STEP)
                count += 1
                yield np.ascontiguousarray(np.rot90(rgb, self.turns)), seconds
        if self.frame_count is not None and count < self.frame_count and _breaks_off(self.path):
            raise _damaged(self.path, f"it breaks off after {count} of {self.frame_count} pictures")


def open_clip(path: Path | str) -> Clip:
    """Look at the recording at `path`: its streams and its first picture.

    Raises `ClipError` when there is no such file, when it is no video or holds no pictures, when it is damaged, and when
    a side is longer than `MAX_SIDE`.
    """
    path = Path(path)
    with opened(path) as container:
        stream = video_stream(container, path)
        first = next(_decoded(container, path), None)
        if first is None:
            raise ClipError(f"a clip with pictures was expected, {path.name} has a picture track without any; record it again")
        turns = round(first.rotation / 90) % 4
        width, height = (first.height, first.width) if turns % 2 else (first.width, first.height)
        fps = float(stream.average_rate or stream.guessed_rate or DEFAULT_FPS)
        return Clip(
            path, width, height, fps if math.isfinite(fps) and fps > 0 else DEFAULT_FPS, stream.frames or None,
            bool(container.streams.audio), turns, first.time or 0.0,
        )  # fmt: skip


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The first track of moving pictures; a cover picture is none. Raises `ClipError` when there is none or it is too large."""
    stream = next((s for s in container.streams.video if not s.disposition & Disposition.attached_pic), None)
    if stream is None:
        raise ClipError(f"a video was expected, {path.name} has no picture track; choose a recording of a face")
    width, height = stream.codec_context.width, stream.codec_context.height
    if max(width, height) > MAX_SIDE:
        most = f"{MAX_SIDE}x{MAX_SIDE}"
        raise ClipError(f"a clip of at most {most} pixels was expected, {path.name} has {width}x{height}; scale it down")
    return stream


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """The file at `path` for reading, within the limits above. Raises `ClipError` when it cannot be."""
    if not path.is_file():
        raise ClipError(f"a video file was expected at {path}, there is none; check the name")
    try:
        container = av.open(f"file:{path}", container_options=CONTAINER_OPTIONS)
    except PermissionError:
        raise ClipError(f"a video file was expected at {path}, which may not be read; check its permissions") from None
    except (av.FFmpegError, OSError, ValueError):
        raise ClipError(
            f"a video was expected, {path.name} is none or is damaged; choose an MP4, MOV, MKV, WebM or AVI file"
        ) from None
    with container:
        yield container


def _decoded(container: InputContainer, path: Path) -> Iterator[av.VideoFrame]:
    stream = video_stream(container, path)
    stream.thread_type = "AUTO"
    try:
        for frame in container.decode(stream):
            if max(frame.width, frame.height) > MAX_SIDE:
                raise _damaged(path, f"a picture in it claims {frame.width}x{frame.height} pixels")
            yield frame
    except (av.FFmpegError, OSError) as error:
        raise _damaged(path, str(getattr(error, "strerror", None) or error)) from None


def _breaks_off(path: Path) -> bool:
    """Whether the file ends before the pictures that its index lists (fewer may also be shown because the owner cut it)."""
    with opened(path) as container:
        stream = video_stream(container, path)
        listed = [entry for entry in stream.index_entries if entry.pos >= 0]
        return any(entry.pos + entry.size > container.size for entry in listed)


def _damaged(path: Path, how: str) -> ClipError:
    return ClipError(f"{path.name} is damaged ({how}); export or record it again")
