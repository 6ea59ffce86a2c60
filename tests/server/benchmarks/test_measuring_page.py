from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Iterator

import av
import numpy as np
import pytest
from aiortc.codecs import depayload
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtpPacket

from realtime.decoding import ASK_EVERY
from realtime.encoder import LiveH264Encoder, LiveVp8Encoder
from realtime.receiving import REORDER_WAIT
from server.benchmarks.measuring_page import MeasuringPage, PictureCounter, begins
from server.benchmarks.recorded_webcam import KEYFRAME_EVERY, RecordedClip, RecordedWebcam
from server.call.protocol import Join
from tests.server.call.serving import running, until

pytestmark = pytest.mark.timeout(240)
CODECS = {
    "VP8": (LiveVp8Encoder, RTCRtpCodecParameters("video/VP8", 90000, payloadType=96)),
    "H264": (LiveH264Encoder, RTCRtpCodecParameters("video/H264", 90000, payloadType=97)),
}
STEP = 1 / 30
Sent = tuple[bool, list[RtpPacket]]


def noise(seed: int) -> av.VideoFrame:
    """A picture of several packets."""
    rgb = np.random.default_rng(seed).integers(0, 255, (96, 128, 3), np.uint8)
    return av.VideoFrame.from_ndarray(np.repeat(np.repeat(rgb, 2, 0), 2, 1), format="rgb24").reformat(format="yuv420p")


def stream(name: str, count: int) -> Iterator[Sent]:
    """Whether each picture is a keyframe, and its packets as a receiver has them when they are parsed; every tenth is one."""
    kind, codec = CODECS[name]
    encoder, sequence = kind(2_500_000), 65_520  # it wraps soon
    for index in range(count):
        frame = noise(index)
        frame.pts = index * 3000
        compressed = encoder.compress(frame, force_keyframe=index % 10 == 0)
        payloads, packets = encoder.packetize(compressed), []
        for place, payload in enumerate(payloads):
            packet = RtpPacket(codec.payloadType, place == len(payloads) - 1, sequence, index * 3000, payload=payload)
            packet._data = depayload(codec, payload)  # type: ignore[attr-defined]
            packets.append(packet)
            sequence = (sequence + 1) % (1 << 16)
        yield compressed.keyframe, packets


class Page:
    """A counter that is given packets at times."""

    def __init__(self) -> None:
        self.now, self.counted, self.asked = 0.0, 0, 0
        self._counter = PictureCounter(self._count, lambda: self.now)

    def _count(self) -> None:
        self.counted += 1

    def take(self, packets: list[RtpPacket]) -> None:
        for packet in packets:
            ask, frame = self._counter.add(packet)
            self.asked += ask
            assert frame is None


@pytest.mark.parametrize("codec", CODECS)
def test_on_a_line_without_loss_every_picture_counts_however_its_packets_are_ordered(codec: str) -> None:
    page, rng = Page(), random.Random(1)
    for _, packets in stream(codec, 25):
        page.now += STEP
        assert len(packets) > 2
        page.take(packets[:1] + rng.sample(packets[1:], len(packets) - 1))
    assert (page.counted, page.asked) == (25, 0)


@pytest.mark.parametrize("codec", CODECS)
def test_on_a_lossy_line_as_many_count_as_a_decoder_could_show(codec: str) -> None:
    """With a first, a middle or a last packet lost, or a whole picture, at known places; what follows does not count up to the
    next keyframe, which is asked for."""
    for lost in ("first", "middle", "last", "all"):
        page, expected, whole = Page(), 0, True
        for index, (keyframe, packets) in enumerate(stream(codec, 50)):
            page.now += STEP
            hit = index in (13, 30)  # a picture between two keyframes, and a keyframe
            whole = not hit and (whole or keyframe)
            expected += whole
            kept = {"first": packets[1:], "middle": [*packets[:1], *packets[2:]], "last": packets[:-1], "all": []}[lost]
            page.take(kept if hit else packets)
        assert expected == 33
        assert page.counted == expected, lost
        assert 2 <= page.asked <= 2 * (10 * STEP / ASK_EVERY + 2), lost


def test_a_packet_that_is_sent_again_in_time_costs_no_picture() -> None:
    page, late = Page(), []
    for index, (_, packets) in enumerate(stream("VP8", 20)):
        page.now += STEP
        if index == 4:
            late = [packets.pop(1)]
        if index == 4 + int(REORDER_WAIT / STEP) - 1:
            page.take(late)
        page.take(packets)
    assert page.counted >= 19 and page.asked == 0  # the counter gives one away with each packet


def test_what_comes_before_the_first_keyframe_does_not_count() -> None:
    page = Page()
    pictures = list(stream("VP8", 15))
    page.take(pictures[0][1][1:])  # the rest of a keyframe
    for _, packets in pictures[1:]:
        page.now += STEP
        page.take(packets)
    assert page.counted == 5 and page.asked


def test_what_a_decoder_can_begin_with() -> None:
    for name in CODECS:
        pictures = list(stream(name, 2))
        datas = [b"".join(p._data for p in packets) for _, packets in pictures]  # type: ignore[attr-defined]
        assert [begins(data) for data in datas] == [True, False]
        assert not begins(datas[0][40:]) and not begins(b"")


def test_a_recorded_clip_decodes_round_and_round_and_its_webcam_answers_with_a_keyframe() -> None:
    clip = RecordedClip.encode([noise(i) for i in range(KEYFRAME_EVERY + 10)])
    assert clip.keyframes == (0, KEYFRAME_EVERY) and len(clip.frames) == KEYFRAME_EVERY + 10

    async def play() -> list[tuple[int, bytes]]:
        webcam, seen = RecordedWebcam(clip, begin=1), []
        for index in range(14):
            if index == 12:
                webcam.send_keyframe()
            packet = await webcam.recv()
            assert packet.pts is not None
            seen.append((packet.pts, bytes(packet)))
        return seen

    seen = asyncio.run(play())
    at = [clip.frames.index(data) for _, data in seen]
    assert at == [*range(KEYFRAME_EVERY, KEYFRAME_EVERY + 10), 0, 1, KEYFRAME_EVERY, KEYFRAME_EVERY + 1]
    assert all(after > before for (before, _), (after, _) in itertools.pairwise(seen))
    decoder = av.CodecContext.create("vp8", "r")
    assert sum(len(decoder.decode(av.Packet(data))) for _, data in seen) == len(seen)


async def test_a_measuring_page_sees_what_a_page_that_decodes_sees() -> None:
    """In one room: as many pictures; and its webcam drives the avatar."""
    clip = RecordedClip.encode([noise(i) for i in range(30)])
    async with running() as server:
        counting = MeasuringPage(server.socket, server.key("person"), Join("Counts"), webcam=RecordedWebcam(clip))
        async with counting, server.page("viewer") as decoding:
            await until(lambda: bool(counting.pictures and decoding.pictures and server.room.worker.driven))
            before = counting.pictures, decoding.pictures

            def agree() -> bool:
                counted, decoded = counting.pictures - before[0], decoding.pictures - before[1]
                return counted > 15 and abs(counted - decoded) <= 0.3 * decoded + 2

            await until(agree)
            assert counting.last_picture is None
