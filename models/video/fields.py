"""Interlaced pictures, whose even and odd rows were taken one after the other, as whole ones: by FFmpeg's `bwdif`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

import av
from av.filter import Graph

WEAVE = "mode=send_frame:parity=auto:deint=interlaced"
"""One picture for each that came; those that are not interlaced stay as they are."""


def progressive(frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """The frames with unchanged times, in another time base; unchanged up to the first interlaced one."""
    graph: Graph | None = None
    kind: object = None
    for frame in frames:
        if graph is None and not frame.interlaced_frame:
            yield frame
            continue
        this = (frame.width, frame.height, frame.format.name)
        if kind != this:
            if graph is not None:
                yield from _through(graph, None)
            graph, kind = _deinterlacer(frame), this
        assert graph is not None
        yield from _through(graph, frame)
    if graph is not None:
        yield from _through(graph, None)


def _deinterlacer(like: av.VideoFrame) -> Graph:
    graph = Graph()
    source = graph.add_buffer(width=like.width, height=like.height, format=like.format, time_base=like.time_base)
    graph.link_nodes(source, graph.add("bwdif", WEAVE), graph.add("buffersink")).configure()
    return graph


def _through(graph: Graph, frame: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
    graph.vpush(frame)
    with suppress(av.BlockingIOError, EOFError):
        while True:
            yield graph.vpull()
