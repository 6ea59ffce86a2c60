from __future__ import annotations

import av
import numpy as np
import pytest
from aiortc.codecs.base import Decoder
from aiortc.codecs.h264 import H264Decoder, h264_depayload
from aiortc.codecs.vpx import Vp8Decoder, vp8_depayload
from aiortc.jitterbuffer import JitterFrame
from aiortc.mediastreams import VIDEO_TIME_BASE

from realtime.encoder import LiveH264Encoder, LiveVp8Encoder

CODECS = [(LiveVp8Encoder, Vp8Decoder, vp8_depayload), (LiveH264Encoder, H264Decoder, h264_depayload)]


def picture(index: int) -> av.VideoFrame:
    y, x = np.mgrid[:128, :128]
    rgb = np.stack([(x * 2 + index * 4) % 256, (y * 2) % 256, (x + y) % 256], -1).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(rgb).reformat(format="yuv420p")
    frame.pts, frame.time_base = index * 3000, VIDEO_TIME_BASE
    return frame


def decode(decoder: Decoder, depayload, payloads: list[bytes], stamp: int) -> list[av.VideoFrame]:
    frames = decoder.decode(JitterFrame(b"".join(depayload(p) for p in payloads), stamp))
    return [frame for frame in frames if isinstance(frame, av.VideoFrame)]


@pytest.mark.parametrize(("make", "make_decoder", "depayload"), CODECS)
def test_what_is_encoded_can_be_seen(make, make_decoder, depayload) -> None:
    encoder, decoder = make(2_500_000), make_decoder()
    for index in range(10):
        frame = picture(index)
        payloads, stamp = encoder.encode(frame)
        assert stamp == index * 3000 and all(len(p) <= 1300 for p in payloads)
        (seen,) = decode(decoder, depayload, payloads, stamp)
        error = np.abs(seen.to_ndarray().astype(int) - frame.to_ndarray()).mean()
        assert error < 6


@pytest.mark.parametrize(("make", "make_decoder", "depayload"), CODECS)
def test_a_keyframe_comes_when_asked_for_and_only_then(make, make_decoder, depayload) -> None:
    encoder = make(2_500_000)
    for index in range(5):
        encoder.encode(picture(index))
    newcomer = make_decoder()
    payloads, stamp = encoder.encode(picture(5), True)
    assert decode(newcomer, depayload, payloads, stamp)
    repeated = picture(6)
    keyframe, _ = encoder.encode(repeated, True)
    repeated.pts += 3000
    delta, _ = encoder.encode(repeated)
    assert sum(map(len, delta)) < sum(map(len, keyframe)) / 2


def moving(index: int) -> av.VideoFrame:
    """A picture with much detail, some of it new each time."""
    rng = np.random.default_rng(index)
    y, x = np.mgrid[:256, :256]
    texture = 120 + 60 * np.sin(x / 3 + index / 4) * np.sin(y / 4) + rng.normal(0, 10, (256, 256))
    rgb = np.repeat(texture.clip(0, 255).astype(np.uint8)[..., None], 3, -1)
    frame = av.VideoFrame.from_ndarray(rgb).reformat(format="yuv420p")
    frame.time_base = VIDEO_TIME_BASE
    return frame


@pytest.mark.parametrize(("make", "make_decoder", "depayload"), CODECS)
def test_the_rate_is_kept_at_any_number_of_pictures_and_a_change_makes_no_keyframe(make, make_decoder, depayload) -> None:
    encoder, decoder = make(2_500_000), make_decoder()
    pictures, stamp = [moving(index) for index in range(45)], 0
    for rate, pause in ((1_500_000, 3000), (1_000_000, 4500), (700_000, 6000)):
        encoder.rate = rate
        sizes = []
        for frame in pictures:
            stamp += pause
            frame.pts = stamp
            payloads, given = encoder.encode(frame)
            assert given == frame.pts == stamp
            assert decode(decoder, depayload, payloads, stamp)
            sizes.append(sum(map(len, payloads)))
        sent = 8 * sum(sizes[15:]) / (30 * pause / 90_000)
        assert 0.6 * rate < sent < 1.15 * rate
        assert max(sizes[1:]) < 4 * np.mean(sizes)


@pytest.mark.parametrize(("make", "make_decoder", "depayload"), CODECS)
def test_few_pictures_at_the_highest_rate_make_no_new_codec(make, make_decoder, depayload) -> None:
    encoder, codecs = make(2_500_000), []
    for index in range(12):
        frame = moving(index)
        frame.pts = 9000 * index
        encoder.encode(frame)
        codecs.append(encoder.codec)
    assert len(set(codecs[4:])) == 1
