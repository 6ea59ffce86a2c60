"""The sound of a clip, put into a written one alongside its pictures: copied, or encoded anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import groupby

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.filter import Graph

from models.video.reader import Clip

MP4_TAKES = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus"})
"""Copied as they are; other sound is encoded as AAC."""
LEAST_MP3_RATE = 16_000
"""Samples a second of MP3 in MP4, for MPEG-1 and MPEG-2."""
GAPLESS = 0.01
"""Seconds of silence, or of repeated sound, that may lie between two packets that are copied."""
AAC_RATE = 48_000
AAC_FRAME = 1024
FILL = "async=1:min_hard_comp=0.01"
"""FFmpeg's resampler keeps to the stamps: where sound is missing silence is inserted, repeated sound is dropped."""


class Sound:
    """Sound that is handed over bit by bit, each as late as its time. `clip.start` is 0 in the container."""

    def __init__(self, clip: Clip, source: InputContainer, into: OutputContainer) -> None:
        """source: the clip's file, opened for the sound alone. The clip has sound."""
        assert clip.sound is not None
        stream = source.streams[clip.sound]
        assert isinstance(stream, AudioStream)
        self._clip, self._source, self._stream, self._into = clip, source, stream, into
        self._packets = self._copied() if self._as_it_is() else self._encoded()
        self._waiting = next(self._packets, None)

    def mux_until(self, seconds: float) -> None:
        """Write the sound before `seconds`."""
        while self._waiting is not None and _seconds(self._waiting) < seconds:
            self._into.mux(self._waiting)
            self._waiting = next(self._packets, None)

    def _as_it_is(self) -> bool:
        """Whether the packets can be copied: MP4 takes them, and they follow each other without a gap."""
        context = self._stream.codec_context
        taken = context.name in MP4_TAKES and (context.name != "mp3" or context.sample_rate >= LEAST_MP3_RATE)
        return taken and self._clip.clock.largest_gap(self._stream.index) < GAPLESS

    def _on_clock(self) -> Iterator[av.Packet]:
        """The packets of the sound; where the file is damaged it ends."""
        try:
            yield from self._clip.clock.packets(self._source, self._stream)
        except (av.FFmpegError, OSError):
            return

    def _copied(self) -> Iterator[av.Packet]:
        target = self._into.add_stream_from_template(self._stream)
        for packet in self._on_clock():
            if packet.pts is None or packet.time_base is None or not self._whole(packet):
                continue
            shift = round(self._clip.start / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, (packet.dts if packet.dts is not None else packet.pts) - shift
            packet.stream = target
            yield packet

    def _whole(self, packet: av.Packet) -> bool:
        try:
            self._stream.decode(packet)
        except (av.FFmpegError, OSError):
            return False
        return True

    def _encoded(self) -> Iterator[av.Packet]:
        layout = "mono" if self._stream.codec_context.channels == 1 else "stereo"
        target = self._into.add_stream("aac", rate=AAC_RATE, layout=layout)
        for frame in self._resampled(layout):
            yield from target.encode(frame)
        yield from target.encode(None)

    def _resampled(self, layout: str) -> Iterator[AudioFrame]:
        """Samples without a gap from the clip's first picture on."""
        done = 0
        for _, frames in groupby(self._decoded(), lambda frame: (frame.format.name, frame.layout.name, frame.sample_rate)):
            graph: Graph | None = None
            for frame in frames:
                graph = graph or _resampler(frame, layout, done)
                if frame.pts is not None and frame.time_base is not None:
                    frame.pts = round((frame.pts * frame.time_base - self._clip.start) * frame.sample_rate)
                    frame.time_base = Fraction(1, frame.sample_rate)
                for ready in _through(graph, frame):
                    ready.pts, done = done, done + ready.samples
                    yield ready
            for ready in _through(graph, None) if graph else ():
                ready.pts, done = done, done + ready.samples
                yield ready

    def _decoded(self) -> Iterator[AudioFrame]:
        """Frames that the decoder gives; damaged packets are skipped."""
        for packet in self._on_clock():
            try:
                yield from self._stream.decode(packet)
            except (av.FFmpegError, OSError):
                continue


def _resampler(like: AudioFrame, layout: str, first: int) -> Graph:
    """first: number of the first output sample; earlier sound is dropped, missing sound is silence."""
    graph = Graph()
    kind = f"sample_rate={like.sample_rate}:sample_fmt={like.format.name}:channel_layout={like.layout.name}"
    nodes = [
        graph.add("abuffer", f"{kind}:time_base=1/{like.sample_rate}"),
        graph.add("aresample", f"{AAC_RATE}:{FILL}:first_pts={first}"),
        graph.add("aformat", f"sample_fmts=fltp:sample_rates={AAC_RATE}:channel_layouts={layout}"),
        graph.add("abuffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    graph.set_audio_frame_size(AAC_FRAME)
    return graph


def _through(graph: Graph, frame: AudioFrame | None) -> Iterator[AudioFrame]:
    graph.push(frame)
    with suppress(av.BlockingIOError, EOFError):
        while True:
            yield graph.pull()  # type: ignore[misc]


def _seconds(packet: av.Packet) -> float:
    return float(packet.pts * packet.time_base) if packet.pts is not None and packet.time_base is not None else 0.0
