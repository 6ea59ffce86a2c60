"""H.264 by NVENC, which is played: who gets it, what a change of the rate costs, what comes when it fails."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from types import SimpleNamespace

import av
import numpy as np
import pytest
from aiortc.codecs.h264 import H264Decoder, h264_depayload
from aiortc.mediastreams import VIDEO_TIME_BASE

from realtime import nvenc
from realtime.encoder import LiveH264Encoder
from tests.gpu import fake_nvenc
from tests.gpu.fake_nvenc import Gpu
from tests.realtime.test_encoder import decode

RATE = 1_500_000


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    nvenc.problem.cache_clear()


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    return fake_nvenc.install(monkeypatch)


def picture(index: int, side: int = 160) -> av.VideoFrame:
    y, x = np.mgrid[: 3 * side // 2, :side]
    frame = av.VideoFrame.from_ndarray(((x + 2 * y + 5 * index) % 200).astype(np.uint8), format="yuv420p")
    frame.pts, frame.time_base = 3000 * index, VIDEO_TIME_BASE
    return frame


def keyframes(encoder: LiveH264Encoder, rates: list[int], start: int = 0) -> list[bool]:
    """Of a picture at each rate."""
    found = []
    for index, rate in enumerate(rates):
        encoder.rate = rate
        found.append(encoder.compress(picture(start + index)).keyframe)
    return found


def test_what_it_encodes_can_be_seen(gpu: Gpu) -> None:
    encoder, decoder = LiveH264Encoder(RATE), H264Decoder()
    for index in range(4):
        payloads, stamp = encoder.encode(picture(index), index == 2)
        (seen,) = decode(decoder, h264_depayload, payloads, stamp)
        assert np.abs(seen.to_ndarray().astype(int) - picture(index).to_ndarray()).mean() < 8
    assert nvenc.is_nvenc(encoder.codec) and gpu.streams == 1


def test_a_rate_that_wavers_makes_no_keyframe_one_that_falls_makes_one_and_one_that_rises_waits(gpu: Gpu) -> None:
    encoder = LiveH264Encoder(RATE)
    assert keyframes(encoder, [RATE] * 20)[5:] == [False] * 15
    gpu.changes = 0
    wavering = [round(RATE * factor) for factor in (1.0, 0.93, 1.05, 0.9, 1.1) * 4]
    assert not any(keyframes(encoder, wavering, 20)) and not gpu.changes
    fallen = keyframes(encoder, [RATE // 2] * 5, 40)
    assert fallen[0] and not any(fallen[1:]) and gpu.changes == 1
    risen = keyframes(encoder, [RATE] * 130, 45)
    assert sum(risen) == 1 and risen.index(True) >= nvenc.PATIENCE * 30 - 10


def test_streams_that_the_gpu_does_not_take_are_encoded_by_the_processor(gpu: Gpu, caplog: pytest.LogCaptureFixture) -> None:
    gpu.most = 1
    first, second, small = (LiveH264Encoder(RATE) for _ in range(3))
    with caplog.at_level(logging.INFO, "realtime"):
        assert all(e.compress(picture(0, side)).keyframe for e, side in ((first, 160), (second, 160), (small, 144)))
    assert [nvenc.is_nvenc(e.codec) for e in (first, second, small)] == [True, False, False]
    assert caplog.text.count("NVENC takes no other") == 2


def test_a_gpu_that_fails_hands_over_with_a_keyframe(gpu: Gpu) -> None:
    encoder, decoder = LiveH264Encoder(RATE), H264Decoder()
    encoder.encode(picture(0))
    gpu.is_gone = True
    payloads, stamp = encoder.encode(picture(1))
    assert decode(decoder, h264_depayload, payloads, stamp) and not nvenc.is_nvenc(encoder.codec)
    assert not encoder.compress(picture(2)).keyframe


def test_h264_comes_first_only_where_nvenc_encodes_it(gpu: Gpu, caplog: pytest.LogCaptureFixture) -> None:
    codecs = [SimpleNamespace(mimeType=name) for name in ("video/VP8", "video/rtx", "video/H264", "video/H264")]
    assert [c.mimeType for c in nvenc.preferred(codecs)] == ["video/H264", "video/H264", "video/VP8", "video/rtx"]
    with caplog.at_level(logging.INFO, "realtime"):
        nvenc.announce()
    assert "as H.264 by NVENC" in caplog.text


def test_without_one_all_is_as_before_and_the_log_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(nvenc, "NAME", "no_such_encoder")
    nvenc.problem.cache_clear()
    codecs = [SimpleNamespace(mimeType=name) for name in ("video/VP8", "video/H264")]
    assert nvenc.preferred(codecs) == codecs
    encoder = LiveH264Encoder(RATE)
    assert encoder.compress(picture(0)).keyframe and encoder.codec is not None and encoder.codec.name == "libx264"
    with caplog.at_level(logging.INFO, "realtime"):
        nvenc.announce()
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("pictures are encoded by the processor; NVENC is not used: it cannot be opened (")
