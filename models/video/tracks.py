"""Which tracks of a recording are read: the first usable one of pictures, the first usable one of sound."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from models.errors import ClipError

MAX_SIDE = 8192
"""Pixels, checked before a picture is decoded."""
COVER = Disposition.attached_pic | Disposition.timed_thumbnails
TRIED = 16
"""Packets of a sound track in which something to hear must come."""


def decodable(container: InputContainer) -> list[Stream]:
    """The tracks of pictures and sound for which there is a decoder, covers left out."""
    return [s for s in (*container.streams.video, *container.streams.audio) if s.codec_context is not None and not is_cover(s)]


def is_cover(stream: Stream) -> bool:
    """Whether a picture track is a cover or holds thumbnails."""
    return bool(stream.disposition & COVER)


def picture_tracks(container: InputContainer, path: Path, counts: dict[int, int]) -> list[VideoStream]:
    """Tracks of pictures, the best first: those of one picture, which may be unmarked cover pictures, come last.

    counts: packets by stream, of `decodable` ones. Raises `ClipError` when there is none.
    """
    if not any(not is_cover(s) for s in container.streams.video):
        raise ClipError(f"a video was expected, {path.name} has no picture track; choose a recording of a face")
    tracks = [s for s in container.streams.video if s.index in counts]
    if not tracks:
        raise ClipError(
            f"a video that can be decoded was expected, the pictures of {path.name} are in a codec that is not known; "
            "convert it to H.264"
        )
    return sorted(tracks, key=lambda s: counts[s.index] <= 1)


def check_size(stream: VideoStream, path: Path) -> None:
    """Raises `ClipError` when the pictures are too large to be decoded."""
    width, height = stream.codec_context.width, stream.codec_context.height
    if max(width, height) > MAX_SIDE:
        raise too_large(width, height, path)


def too_large(width: int, height: int, path: Path) -> ClipError:
    """The error for pictures of that size."""
    most = f"{MAX_SIDE}x{MAX_SIDE}"
    return ClipError(f"a clip of at most {most} pixels was expected, {path.name} has {width}x{height}; scale it down")


def sound_track(container: InputContainer, counts: dict[int, int]) -> AudioStream | None:
    """The track that players would play: the first one marked as default that can be heard, else the first one that can.

    counts: packets by stream, of `decodable` ones. Reads on in `container`.
    """
    tracks = [s for s in container.streams.audio if counts.get(s.index)]
    tracks.sort(key=lambda s: not s.disposition & Disposition.default)
    return next((track for track in tracks if _heard(container, track)), None)


def notes(container: InputContainer, path: Path, sound: AudioStream | None) -> list[str]:
    """Sentences about parts left out: sound that cannot be decoded."""
    tracks = container.streams.audio
    if not tracks or (sound is not None and sound.index == tracks[0].index):
        return []
    if sound is None:
        return [f"the sound of {path.name} cannot be decoded and is left out"]
    if sound.disposition & Disposition.default and tracks[0].codec_context is not None:
        return []
    return [f"the first sound track of {path.name} cannot be decoded, its sound is that of track {sound.index + 1}"]


def _heard(container: InputContainer, track: AudioStream) -> bool:
    try:
        container.seek(0)
        for number, packet in enumerate(container.demux(track)):
            if any(frame.samples for frame in _sound_of(packet)):
                return True
            if number >= TRIED:
                return False
    except (av.FFmpegError, OSError, ValueError):
        pass
    return False


def _sound_of(packet: av.Packet) -> Iterable[av.AudioFrame]:
    try:
        return packet.decode()  # type: ignore[return-value]
    except av.FFmpegError:
        return ()
