from __future__ import annotations

import time

import av
import numpy as np
import pytest
from aiortc import RTCPeerConnection
from aiortc.codecs.base import Decoder
from aiortc.codecs.h264 import H264Decoder, h264_depayload
from aiortc.codecs.vpx import Vp8Decoder, vp8_depayload
from aiortc.jitterbuffer import JitterFrame
from aiortc.mediastreams import VIDEO_TIME_BASE

from realtime.encoder import CLIMB, BitrateLadder, LiveH264Encoder, LiveVp8Encoder, own_encoder

Encoder = LiveVp8Encoder | LiveH264Encoder
CODECS = [(LiveVp8Encoder, Vp8Decoder, vp8_depayload), (LiveH264Encoder, H264Decoder, h264_depayload)]


def picture(index: int) -> av.VideoFrame:
    y, x = np.mgrid[:128, :128]
    rgb = np.stack([(x * 2 + index * 4) % 256, (y * 2) % 256, (x + y) % 256], -1).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(rgb).reformat(format="yuv420p")
    frame.pts, frame.time_base = index * 3000, VIDEO_TIME_BASE
    return frame


def decode(decoder: Decoder, depayload, payloads: list[bytes], stamp: int) -> list[av.VideoFrame]:
    return decoder.decode(JitterFrame(b"".join(depayload(p) for p in payloads), stamp))


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


@pytest.mark.parametrize(("make", "make_decoder", "depayload"), CODECS)
def test_the_picture_goes_on_when_the_bitrate_falls(make, make_decoder, depayload) -> None:
    encoder, decoder = make(2_500_000), make_decoder()
    for index in range(12):
        if index == 6:
            encoder.ladder.sent(1_000_000, time.monotonic())
            encoder.target_bitrate = 300_000
            assert encoder.target_bitrate == 200_000
        payloads, stamp = encoder.encode(picture(index))
        assert decode(decoder, depayload, payloads, stamp)


def send(ladder: BitrateLadder, bitrate: int, until: float) -> None:
    """Frames at 30 a second for the two seconds before `until`."""
    for frame in range(60):
        ladder.sent(bitrate // 240, until - 2 + frame / 30)


def test_the_ladder_falls_at_once_and_climbs_a_rung_at_a_time() -> None:
    ladder = BitrateLadder(2_500_000)
    assert ladder.rung == 2_500_000
    send(ladder, 2_500_000, until=10.0)
    ladder.estimate(700_000, now=10.0)
    assert ladder.rung == 600_000
    ladder.estimate(9_000_000, now=10.0 + CLIMB / 2)
    assert ladder.rung == 600_000
    seen = []
    for step in range(1, 5):
        ladder.estimate(9_000_000, now=10.0 + CLIMB * step)
        seen.append(ladder.rung)
    assert seen == [1_000_000, 1_600_000, 2_500_000, 2_500_000]
    send(ladder, 2_500_000, until=100.0)
    ladder.estimate(1, now=100.0)
    assert ladder.rung == 200_000


def test_a_low_estimate_of_a_still_picture_says_nothing() -> None:
    ladder = BitrateLadder(2_500_000)
    for second in range(2, 20, 2):
        send(ladder, 40_000, until=float(second))
        ladder.estimate(60_000, now=float(second))
        assert ladder.rung == 2_500_000


def test_an_estimate_near_what_is_sent_changes_nothing() -> None:
    ladder = BitrateLadder(2_500_000)
    send(ladder, 2_500_000, until=10.0)
    ladder.estimate(1_100_000, now=10.0)
    assert ladder.rung == 1_000_000
    send(ladder, 1_000_000, until=20.0)
    ladder.estimate(1_000_000, now=20.0)
    assert ladder.rung == 1_000_000


@pytest.mark.parametrize("most", [250_000, 1_234_567, 6_000_000, 9_000_000])
def test_the_ladder_ends_at_the_most_that_is_allowed(most: int) -> None:
    assert BitrateLadder(most).rung == most


async def test_aiortc_still_has_the_place_we_put_our_encoder_in() -> None:
    pc = RTCPeerConnection()
    transceiver = pc.addTransceiver("video")
    assert isinstance(own_encoder(transceiver.sender, "VP8"), LiveVp8Encoder)
    assert isinstance(own_encoder(transceiver.sender, "H264"), LiveH264Encoder)
    await pc.close()
