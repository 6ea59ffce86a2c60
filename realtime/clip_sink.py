"""Writing a clip: an MP4 with the source's sound, or a folder of numbered PNG pictures with transparency.

Either is there whole or not at all: it grows under a temporary name in the same folder and gets its own when the `with`
block ends well.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from models.atomic import atomic_write
from models.errors import StorageError
from realtime.clip import Clip, Pixels, opened
from realtime.clip_color import CAREFUL
from realtime.clip_sound import Sound

TICKS = 90_000
"""Clock of the written pictures, a second."""
H264 = {"crf": "16", "preset": "veryfast"}
BT709 = 1
PNG = [cv2.IMWRITE_PNG_COMPRESSION, 3]


class ClipSink(Protocol):
    """Takes the pictures of a clip in order."""

    def write(self, rgba: Pixels, seconds: float) -> None:
        """One picture, (H, W, 4) uint8 sRGB with straight alpha, shown from `seconds` on; times increase."""


def open_sink(out: Path | str, clip: Clip) -> AbstractContextManager[ClipSink]:
    """Where pictures of a clip's size and times go: into a folder when `out` is one or has no suffix, else into an MP4 with
    the clip's sound.

    Raises `StorageError` for another suffix than .mp4, and on entering when the place cannot be written to.
    """
    out = Path(out)
    if out.is_dir() or not out.suffix:
        return png_folder(out)
    if out.suffix.lower() != ".mp4":
        raise StorageError(f"an .mp4 file or a folder was expected to write to, not {out.name}; choose one of the two")
    return mp4(out, clip.width, clip.height, clip.fps, sound_of=clip)


@contextmanager
def png_folder(path: Path) -> Iterator[ClipSink]:
    """000000.png, 000001.png, ... in a new folder, or in place of one that holds nothing else; the times are not kept."""
    path = path.resolve()
    if path.exists() and not (path.is_dir() and all(_is_numbered(p) for p in path.iterdir())):
        raise StorageError(f"a new or empty folder was expected for the pictures, {path.name} holds other things; choose another")
    temporary = path.parent / f".{secrets.token_hex(8)}.tmp"
    try:
        try:
            temporary.mkdir()
        except OSError as error:
            raise _refused(path, error) from None
        yield _PngFolder(temporary, path)
        try:
            _swap(temporary, path)
        except OSError as error:
            raise _refused(path, error) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class _PngFolder:
    def __init__(self, folder: Path, path: Path) -> None:
        self._folder, self._path, self._count = folder, path, 0

    def write(self, rgba: Pixels, seconds: float) -> None:
        done, png = cv2.imencode(".png", cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA), PNG)
        if not done:
            raise ValueError(f"a picture of the shape (H, W, 4) was expected, not {rgba.shape}")
        try:
            (self._folder / f"{self._count:06d}.png").write_bytes(png.tobytes())
        except OSError as error:
            raise _refused(self._path, error) from None
        self._count += 1


def _swap(new: Path, path: Path) -> None:
    """`new` takes the name `path`; what had it is removed, and has it back when that fails."""
    old = new.with_suffix(".old")
    had_one = path.exists()
    if had_one:
        path.rename(old)
    try:
        new.rename(path)
    except OSError:
        if had_one:
            old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def mp4(path: Path, width: int, height: int, fps: float, sound_of: Clip | None = None) -> Iterator[ClipSink]:
    """H.264 in yuv420p (BT.709) over white, with the sound of another clip.

    H.264 in this format has even sides: an odd one grows by repeating the last row or column.
    """
    with atomic_write(path) as file, ExitStack() as stack:
        container = av.open(file, "w", format="mp4")
        stack.callback(_close_anyhow, container)
        video = _h264(container, width + width % 2, height + height % 2, fps)
        sound = None
        if sound_of is not None and sound_of.has_audio:
            sound = Sound(sound_of, stack.enter_context(opened(sound_of.path)), container)
        yield _Mp4(container, video, sound)
        container.mux(video.encode(None))
        if sound is not None:
            sound.mux_until(float("inf"))
        container.close()


class _Mp4:
    def __init__(self, container: OutputContainer, video: VideoStream, sound: Sound | None) -> None:
        self._container, self._video, self._sound = container, video, sound
        self._ticks = -1

    def write(self, rgba: Pixels, seconds: float) -> None:
        height, width = rgba.shape[:2]
        alpha = rgba[..., 3:].astype(np.uint16)
        over_white = ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
        even = np.pad(over_white, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(even, format="rgb24").reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709, interpolation=CAREFUL,
            src_color_range=ColorRange.JPEG, dst_color_range=ColorRange.MPEG,
        )  # fmt: skip
        self._ticks = max(round(seconds * TICKS), self._ticks + 1)
        frame.pts, frame.time_base = self._ticks, Fraction(1, TICKS)
        if self._sound is not None:
            self._sound.mux_until(seconds)
        self._container.mux(self._video.encode(frame))


def _h264(container: OutputContainer, width: int, height: int, fps: float) -> VideoStream:
    stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(10_000), options=H264)
    context = stream.codec_context
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base = Fraction(1, TICKS)
    context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
    context.color_primaries, context.color_trc = BT709, BT709
    return stream


def _close_anyhow(container: OutputContainer) -> None:
    """Give the codec's memory back; whether the file is whole was decided before."""
    with suppress(av.FFmpegError, OSError, ValueError):
        container.close()


def _is_numbered(path: Path) -> bool:
    return path.suffix == ".png" and path.stem.isdecimal()


def _refused(path: Path, error: OSError) -> StorageError:
    why = error.strerror or error
    return StorageError(f"{path.name} could not be written to {path.parent} ({why}); make room or choose another place")
