"""NVENC as PyAV shows it, on the processor: x264 makes the pictures.

It refuses options, choices and formats that the real `h264_nvenc` of the installed libavcodec does not list, sizes and numbers of
streams that a GPU does not take, and like the real one begins anew with a keyframe when its rate changes.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import pytest
from av.video.frame import PictureType

from realtime import nvenc

_create: Any = av.CodecContext.create
LEAST = (145, 49)


class FakeNvenc:
    """See the module. `gpu`: what all streams of it share."""

    __slots__ = (
        "_inner", "_rate", "bit_rate", "framerate", "gop_size", "gpu", "height", "is_open", "max_b_frames", "name", "options",
        "pix_fmt", "time_base", "width",
    )  # fmt: skip

    pix_fmt: str
    time_base: Fraction
    framerate: Fraction
    gop_size: int
    max_b_frames: int

    def __init__(self, gpu: Gpu) -> None:
        self.gpu, self.name, self.is_open = gpu, nvenc.NAME, False
        self.width = self.height = self.bit_rate = 0
        self.options: dict[str, str] = {}

    def open(self) -> None:
        real = _create(nvenc.NAME, "w")
        assert self.pix_fmt in {f.name for f in real.codec.video_formats} and self.max_b_frames == 0
        assert isinstance(self.framerate, Fraction) and isinstance(self.gop_size, int)
        known = {option.name: option for option in (*real.supported_options.generic, *real.supported_options.private)}
        for name, value in self.options.items():
            choices = {choice.name for choice in known[name].choices}
            assert isinstance(value, str) and (value in choices or known[name].min <= float(value) <= known[name].max), name
        if self.gpu.streams >= self.gpu.most or self.width < LEAST[0] or self.height < LEAST[1]:
            raise av.error.ExternalError(542398533, "Generic error in an external library")
        self.gpu.streams += 1
        self._inner: Any = _create("libx264", "w")
        self._inner.width, self._inner.height, self._inner.pix_fmt = self.width, self.height, self.pix_fmt
        self._inner.time_base, self._inner.framerate, self._inner.gop_size = self.time_base, self.framerate, self.gop_size
        self._inner.profile, self._inner.bit_rate, self._rate = "Baseline", self.bit_rate, self.bit_rate
        self._inner.options = {"preset": "superfast", "tune": "zerolatency", "forced-idr": "1"}
        self._inner.options |= {name: self.options[name] for name in ("maxrate", "bufsize")}
        self.is_open = True

    def encode(self, frame: av.VideoFrame) -> list[av.Packet]:
        assert self.is_open and (frame.width, frame.height, frame.format.name) == (self.width, self.height, self.pix_fmt)
        if self.gpu.is_gone:
            raise av.error.ExternalError(542398533, "Generic error in an external library")
        if self.bit_rate != self._rate:
            self._inner.bit_rate = self._rate = self.bit_rate
            frame.pict_type = PictureType.I
            self.gpu.changes += 1
        return list(self._inner.encode(frame))


class Gpu:
    """most: streams that it takes. streams: that were opened. changes: of rates, so far. is_gone: it answers no more."""

    def __init__(self, most: int = 8) -> None:
        self.most, self.streams, self.changes, self.is_gone = most, 0, 0, False


def install(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    """Let PyAV open NVENC on a GPU, which one stream has tried already; clear `nvenc.problem` when done."""
    gpu = Gpu()

    class Context:
        @staticmethod
        def create(codec: str, mode: str) -> Any:
            return FakeNvenc(gpu) if codec == nvenc.NAME else _create(codec, mode)

    monkeypatch.setattr(av, "CodecContext", Context)
    nvenc.problem.cache_clear()
    assert nvenc.problem() is None
    gpu.streams = 0
    return gpu
