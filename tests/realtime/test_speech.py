from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc import RTCPeerConnection
from aiortc.codecs.opus import OpusDecoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtp import RtpPacket

from realtime.speech import BITRATE, DirectBuffer, SpeechEncoder, make_direct, make_speech_sender


@pytest.mark.parametrize("layout", ["mono", "stereo"])
def test_speech_is_small_and_can_be_heard(layout: str) -> None:
    encoder, decoder = SpeechEncoder(), OpusDecoder()
    wave = 8000 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    size, loudest = 0, 0
    for index in range(50):
        part = wave[960 * index : 960 * (index + 1)].astype(np.int16)
        samples = np.repeat(part, 2)[None] if layout == "stereo" else part[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = 48_000, 960 * index, Fraction(1, 48_000)
        payloads, stamp = encoder.encode(frame)
        for payload in payloads:
            size += len(payload)
            for heard in decoder.decode(JitterFrame(payload, stamp)):
                loudest = max(loudest, int(np.abs(heard.to_ndarray()).max()))  # type: ignore[attr-defined]
    assert 0.3 * BITRATE < 8 * size < 1.3 * BITRATE and 6000 < loudest < 10_000


def packet(number: int) -> RtpPacket:
    made = RtpPacket(sequence_number=number % (1 << 16), timestamp=960 * number)
    made._data = b"%d" % number  # type: ignore[attr-defined]
    return made


def test_sound_leaves_as_it_comes_also_after_a_loss_and_never_backwards() -> None:
    buffer, heard = DirectBuffer(), []
    for number in (65_534, 65_535, 65_536, 65_539, 65_538, 65_539, 65_540):  # over the end of the numbers; two are lost
        pli, frame = buffer.add(packet(number))
        assert not pli
        heard += [] if frame is None else [int(frame.data)]
    assert heard == [65_534, 65_535, 65_536, 65_539, 65_540]


async def test_aiortc_still_has_the_places_we_put_ours_in() -> None:
    pc = RTCPeerConnection()
    transceiver = pc.addTransceiver("audio")
    make_speech_sender(transceiver.sender)
    make_direct(transceiver.receiver)
    assert isinstance(vars(transceiver.sender)["_RTCRtpSender__encoder"], SpeechEncoder)
    assert isinstance(vars(transceiver.receiver)["_RTCRtpReceiver__jitter_buffer"], DirectBuffer)
    await pc.close()
