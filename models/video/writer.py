"""Writing a clip: an MP4 with the source's sound, or a folder of numbered PNG pictures with transparency.

Either is written completely or not at all: it has a temporary name in its folder, and gets its own when the `with` block ends
without an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from models import credentials, png, provenance
from models.atomic import atomic_folder, atomic_write, explained
from models.errors import ClipError, StorageError
from models.video.color import CAREFUL
from models.video.reader import Clip, Pixels, opened
from models.video.sound import Sound

TICKS = 90_000
"""Clock of the written pictures, a second."""
H264 = {"crf": "16", "preset": "veryfast"}
BT709 = 1
COMPRESSION = 3
"""Of the PNGs: quick."""
MADE_BY = "made with Visavis"
"""The comment in the files."""


class ClipWriter(Protocol):
    """Writes the pictures of a clip in order."""

    def write(self, rgba: Pixels, seconds: float) -> None:
        """One picture, (H, W, 4) uint8 sRGB with straight alpha, shown from `seconds` on; times increase."""


def open_writer(out: Path | str, clip: Clip) -> AbstractContextManager[ClipWriter]:
    """A writer of pictures of a clip's size and times: to a folder when `is_for_folder`, else to an MP4 with the clip's sound.

    Raises `StorageError` for another suffix than .mp4, and on entering when the place cannot be written to.
    """
    return open_writer_of(out, clip.width, clip.height, clip.fps, sound_of=clip)


def open_writer_of(
    out: Path | str, width: int, height: int, fps: float, sound_of: Clip | None = None
) -> AbstractContextManager[ClipWriter]:
    """As `open_writer`, of pictures of that size and about that many a second, without sound or with that of a clip."""
    out = Path(out)
    if is_for_folder(out):
        return png_folder(out)
    if out.suffix.lower() != ".mp4" and not out.exists():
        raise StorageError(f"an .mp4 file or a folder was expected to write to, not {out.name}; choose one of the two")
    return mp4(out, width, height, fps, sound_of=sound_of)


def is_for_folder(out: Path) -> bool:
    """Whether `out` means a folder of pictures: it is one, or is not there and has no suffix."""
    return out.is_dir() or not (out.suffix or out.exists())


@contextmanager
def png_folder(path: Path) -> Iterator[ClipWriter]:
    """000000.png, 000001.png, ... in a new folder, or in place of those of an older one; the times are not kept."""
    with atomic_folder(path, is_our_picture) as folder:
        yield _PngFolder(folder, path)


class _PngFolder:
    def __init__(self, folder: Path, path: Path) -> None:
        self._folder, self._path, self._count = folder, path, 0

    def write(self, rgba: Pixels, seconds: float) -> None:
        data = png.encode(rgba, COMPRESSION)
        try:
            (self._folder / f"{self._count:06d}.png").write_bytes(data)
        except OSError as error:
            raise explained(error, self._path) from None
        self._count += 1


def is_our_picture(path: Path) -> bool:
    """Whether `path` is a picture that `png_folder` wrote."""
    return path.suffix == ".png" and path.stem.isdecimal() and png.is_ours(path)


def is_our_clip(path: Path) -> bool:
    """Whether `path` is a recording that `mp4` wrote."""
    try:
        with opened(path) as container:
            return container.metadata.get("comment") == MADE_BY
    except ClipError:
        return False


@contextmanager
def mp4(path: Path, width: int, height: int, fps: float, sound_of: Clip | None = None) -> Iterator[ClipWriter]:
    """H.264 in yuv420p (BT.709) over white, with the sound of another clip.

    H.264 in this format has even sides: an odd one grows by repeating the last row or column.
    """
    with atomic_write(path) as whole, credentials.signed(whole, "video/mp4") as file, ExitStack() as stack:
        container = av.open(file, "w", format="mp4", options={"movflags": "use_metadata_tags"})
        stack.callback(_close_quietly, container)
        container.metadata["comment"] = MADE_BY
        container.metadata["DigitalSourceType"] = provenance.SOURCE_TYPE
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


def _close_quietly(container: OutputContainer) -> None:
    """Give the codec's memory back; whether the file is whole was decided before."""
    with suppress(av.FFmpegError, OSError, ValueError):
        container.close()
