"""Reading a recorded clip: its properties, and its pictures upright, in sRGB, with their times. Writing is in writer.py.

Only the usual container formats are opened, and only as local files: FFmpeg's playlist formats could name other files or
addresses to be read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from models.errors import ClipError
from models.video import times, tracks
from models.video.color import ToSrgb, UnknownColorsError
from models.video.fields import progressive
from models.video.rotation import Turning, square
from models.video.times import Clock, steady

Pixels = NDArray[np.uint8]

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,ogg,gif,apng,asf,mxf,wav,mp3,aac,flac,h264,hevc,ivf,mjpeg"
"""Container formats that are opened; those without pictures are listed so that the message can be that pictures are missing."""
CONTAINER_OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
DEFAULT_FPS = 30.0
MOST_PACKETS = 4_000_000
"""Looked at for their times, about a day of pictures and sound."""
MOST_FPS = 1000.0


@dataclass(frozen=True)
class Clip:
    """A recording that has been opened once and found good.

    width, height: pixels, upright and square. fps: pictures a second, the mean where the rate varies. frame_count: as the file
    states it, else its packets. turning: from the stored picture to the upright one. start: seconds of the first picture on
    `clock`; the times of `frames` count from it. picture, sound: numbers of the tracks that are read; sound is None where none
    can be decoded. notes: sentences about parts left out; `frames` adds to them.
    """

    path: Path
    width: int
    height: int
    fps: float
    frame_count: int
    turning: Turning
    start: float
    picture: int
    sound: int | None
    clock: Clock = field(repr=False)
    notes: list[str] = field(default_factory=list, compare=False)

    @property
    def has_audio(self) -> bool:
        """Whether there is sound."""
        return self.sound is not None

    def frames(self, every: int = 1) -> Iterator[tuple[Pixels, float]]:
        """Each picture upright, (height, width, 3) uint8 sRGB, with its time in seconds from the first; times increase. every:
        only the first, and each so many further on; the others cost less.

        A picture of another size than the first is scaled to it. Damaged ones are left out. Raises `ClipError` where the
        recording breaks off.
        """
        to_srgb, count, damaged = ToSrgb(*self.turning.size(self.width, self.height)), 0, 0
        with opened(self.path) as container:
            stream = container.streams[self.picture]
            assert isinstance(stream, VideoStream)
            reading = _Reading(stream, self.path, self.clock, 1 / self.fps)
            for frame, seconds in reading.pictures():
                if count % every == 0:
                    yield self.turning(_colored(to_srgb, frame, self.path)), seconds - self.start
                count += 1
            damaged = reading.damaged
            if count < self.frame_count and _breaks_off(stream):
                raise _damaged(self.path, f"it breaks off after {count} of {self.frame_count} pictures")
        note = f"damaged parts of {self.path.name} were skipped"
        if damaged and note not in self.notes:
            self.notes.append(note)


def open_clip(path: Path | str) -> Clip:
    """Look at the recording at `path`: its tracks, the times of all packets, and its first picture.

    Raises `ClipError` when there is no such file, when it is no video or holds no pictures, when it is damaged, and when
    a side is longer than `MAX_SIDE`.
    """
    path = Path(path)
    with opened(path) as container:
        scanned = times.scan(container, tracks.decodable(container), MOST_PACKETS)
        counts = {number: len(track) for number, track in scanned.items()}
        pictures = [stream.index for stream in tracks.picture_tracks(container, path, counts)]
        heard = tracks.sound_track(container, counts)
        sound = None if heard is None else heard.index
        notes = tracks.notes(container, path, heard)
    failed: ClipError | None = None
    for number in pictures:
        clock = Clock.of({n: scanned[n] for n in (number, sound) if n is not None})
        try:
            return _opened_at(path, number, sound, clock, notes)
        except ClipError as error:
            failed = failed or error
            notes = [*notes, f"a picture track of {path.name} that cannot be decoded was left out"]
    assert failed is not None
    raise failed


def _opened_at(path: Path, number: int, sound: int | None, clock: Clock, notes: list[str]) -> Clip:
    """The clip with that track's pictures. Raises `ClipError` when none can be decoded."""
    with opened(path) as container:
        stream = container.streams[number]
        assert isinstance(stream, VideoStream)
        tracks.check_size(stream, path)
        fps = clock.rate(number) or float(stream.average_rate or stream.guessed_rate or DEFAULT_FPS)
        fps = fps if math.isfinite(fps) and 0 < fps <= MOST_FPS else DEFAULT_FPS
        reading = _Reading(stream, path, clock, 1 / fps)
        first, start = next(reading.pictures(), (None, 0.0))
        if first is None:
            if reading.damaged:
                raise _damaged(path, "none of its pictures can be decoded")
            raise ClipError(f"a clip with pictures was expected, {path.name} has a picture track without any; record it again")
        turning, size = Turning.of(first), square(first.width, first.height, stream.sample_aspect_ratio)
        width, height = turning.size(*size)
        if max(size) > tracks.MAX_SIDE:
            raise tracks.too_large(*size, path)
        _colored(ToSrgb(*size), first, path)
        count = stream.frames or len(clock.tracks[number])
        return Clip(path, width, height, fps, count, turning, start, number, sound, clock, notes)


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


class _Reading:
    """One track's pictures, once. damaged: how often something could not be decoded."""

    def __init__(self, stream: VideoStream, path: Path, clock: Clock, step: float) -> None:
        self._stream, self._path, self._clock, self._step = stream, path, clock, step
        self._shown = clock.tracks[stream.index].says_when_shown
        stream.thread_type = "AUTO"  # type: ignore[assignment]
        self.damaged = 0

    def pictures(self) -> Iterator[tuple[av.VideoFrame, float]]:
        """Whole pictures as they are stored with their seconds on the clock, which increase."""
        return steady(((frame, frame.time) for frame in progressive(self._decoded())), self._step)

    def _decoded(self) -> Iterator[av.VideoFrame]:
        packets = self._clock.packets(self._stream.container, self._stream)  # type: ignore[arg-type]
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError):
                self.damaged += 1
                packet = None
            try:
                frames = self._stream.decode(packet)
            except (av.FFmpegError, OSError):
                self.damaged += 1
                frames = []
            for frame in frames:
                if max(frame.width, frame.height) > tracks.MAX_SIDE:
                    raise _damaged(self._path, f"a picture in it claims {frame.width}x{frame.height} pixels")
                if not self._shown:
                    frame.pts = frame.dts
                yield frame
            if packet is None or times.is_end(packet):
                return


def _colored(to_srgb: ToSrgb, frame: av.VideoFrame, path: Path) -> Pixels:
    try:
        return to_srgb(frame)
    except UnknownColorsError as error:
        raise ClipError(
            f"colours as YCbCr by BT.601, BT.709 or BT.2020 were expected, {path.name} has them in another way "
            f"(matrix {error.args[0]} of H.273); convert it to H.264"
        ) from None
    except (av.FFmpegError, OSError, ValueError):
        raise _damaged(path, f"a picture in it cannot be shown, its format is {frame.format.name}") from None


def _breaks_off(stream: VideoStream) -> bool:
    """Whether the file ends before the pictures that its index lists (fewer may also be shown because the owner cut it)."""
    listed = [entry for entry in stream.index_entries if entry.pos >= 0]
    return any(entry.pos + entry.size > stream.container.size for entry in listed)  # type: ignore[attr-defined]


def _damaged(path: Path, how: str) -> ClipError:
    return ClipError(f"{path.name} is damaged ({how}); export or record it again")
