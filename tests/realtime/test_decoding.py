from __future__ import annotations

import asyncio
import logging
import threading
import time

import numpy as np
import pytest
from aiortc.codecs import get_decoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcrtpparameters import RTCRtpCodecParameters

from realtime import decoding
from realtime.decoding import ASK_EVERY, FEW, GIVE_UP, LATE, MOST, KeyframeRequests, LiveDecoder, NewestFrames, is_keyframe
from realtime.receiving import make_prompt
from tests.realtime.webcams import Webcam, encoded

VP8 = RTCRtpCodecParameters("video/VP8", 90_000)
KEY, DELTA = b"\x00" + bytes(20), b"\x01" + bytes(20)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Queue:
    """A decoder of which the thread does not run, frames that are numbered, and what it asks for."""

    def __init__(self, *, sound: bool = False) -> None:
        self.clock = Clock()
        self.keyframes = KeyframeRequests(self.clock)
        self.decoder = LiveDecoder(NewestFrames(1), None if sound else self.keyframes, self.clock)

    def put(self, kinds: str, interval: float = 1 / 30) -> None:
        """K: a keyframe, d: another."""
        for kind in kinds:
            self.decoder.put((VP8, JitterFrame(KEY if kind == "K" else DELTA, 0)))
            self.clock.now += interval

    @property
    def waiting(self) -> str:
        return "".join("K" if key else "d" for _, key, _ in self.decoder._waiting)


async def test_frames_that_are_few_or_have_not_waited_long_all_stay() -> None:
    queue = Queue()
    queue.put("K" + "d" * (MOST - 1), interval=0.0)
    assert len(queue.waiting) == MOST
    queue = Queue()
    queue.put("K" + "d" * (FEW - 1), interval=1.0)
    assert queue.waiting == "K" + "d" * (FEW - 1) and not queue.keyframes.take()


async def test_late_frames_are_dropped_up_to_the_newest_keyframe() -> None:
    queue = Queue()
    queue.put("KddKdKd" + "d" * FEW)
    assert queue.waiting.startswith("K") and len(queue.waiting) <= MOST and not queue.keyframes.take()
    assert queue.waiting.count("K") == 1


async def test_without_a_keyframe_all_are_dropped_and_one_is_asked_for_until_it_comes() -> None:
    queue = Queue()
    queue.put("K" + "d" * int(LATE * 60 + FEW), interval=1 / 60)
    assert queue.waiting == "" and queue.keyframes.take()
    queue.put("d" * 30, interval=1 / 60)
    assert queue.waiting == "" and queue.keyframes.take() and not queue.keyframes.take()
    queue.clock.now += ASK_EVERY
    queue.put("d")
    assert queue.keyframes.take()
    queue.put("Kd")
    assert queue.waiting == "Kd"


async def test_a_sender_that_makes_no_keyframes_is_shown_all_the_same() -> None:
    queue = Queue()
    queue.put("K" + "d" * 10)
    assert queue.waiting == ""
    queue.clock.now += GIVE_UP
    queue.put("dd")
    assert queue.waiting == "dd"


@pytest.mark.parametrize("sound", [False, True])
async def test_no_more_than_a_few_ever_wait_and_none_after_the_end(sound: bool) -> None:
    queue = Queue(sound=sound)
    for kinds in ("K" * 500, "d" * 500, "Kddd" * 100):
        queue.put(kinds, interval=0.0)
        assert len(queue.decoder) <= MOST
    if sound:
        assert len(queue.decoder) == MOST
    queue.decoder.put(None)
    queue.put("Kd")
    assert queue.waiting == ""


@pytest.mark.parametrize(("codec", "width", "height"), [("VP8", 64, 48), ("H264", 64, 48)])
def test_keyframes_are_told_from_others(codec: str, width: int, height: int) -> None:
    first, *others = encoded(codec, width, height)
    assert is_keyframe(codec, first) and not any(is_keyframe(codec, other) for other in others)
    for size in range(12):
        is_keyframe(codec, first[:size])


async def test_a_picture_of_400_megabytes_is_refused_before_it_is_decoded(caplog: pytest.LogCaptureFixture) -> None:
    queue = Queue()
    bomb = b"\x10\x00\x00\x9d\x01\x2a" + (16_383).to_bytes(2, "little") * 2 + bytes(40)
    for _ in range(3):
        queue.decoder.put((VP8, JitterFrame(bomb, 0)))
    assert queue.waiting == "" and [r.levelno for r in caplog.records] == [logging.WARNING]
    decoder = get_decoder(RTCRtpCodecParameters("video/H264", 90_000))
    assert decoder.decode(JitterFrame(encoded("H264", 128, 96)[0], 0))[0].width == 128  # type: ignore[attr-defined]


async def test_h264_that_is_too_large_is_refused_by_its_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MAX_PIXELS", 200 * 200)
    for width, expected in ((480, 0), (96, 1)):
        decoder = LiveDecoder(NewestFrames(1), KeyframeRequests())._new_decoder(RTCRtpCodecParameters("video/H264", 90_000))
        try:
            frames = decoder.decode(JitterFrame(encoded("H264", width, 96)[0], 0))
        except ValueError:
            frames = []
        assert len(frames) == expected


async def test_only_the_newest_decoded_frames_wait_and_the_end_comes_at_once() -> None:
    frames = NewestFrames(2)
    await asyncio.to_thread(lambda: [frames.offer(i) for i in range(1000)])
    assert [await frames.get(), await frames.get()] == [998, 999]
    waiting = asyncio.create_task(frames.get())
    await asyncio.sleep(0)
    await asyncio.to_thread(frames.offer, 1)
    assert await waiting == 1
    frames.offer(2)
    await frames.put(None)
    assert await frames.get() is None and await frames.get() is None


def test_a_loop_that_has_closed_is_no_error_for_the_decoder() -> None:
    async def make() -> NewestFrames:
        return NewestFrames(1)

    asyncio.run(make()).offer(1)


@pytest.mark.parametrize(("codec", "width", "height", "rate"), [("VP8", 3840, 2160, 60), ("H264", 1920, 1080, 60)])
async def test_a_webcam_that_is_too_much_neither_piles_up_nor_blocks(codec: str, width: int, height: int, rate: int) -> None:
    """The attack: without this, the queue has a hundred pictures after two seconds, and stopping waits for all of them."""
    webcam = Webcam(codec, width, height, rate)
    make_prompt(webcam.receiver)
    await webcam.start()
    queue: LiveDecoder = webcam.receiver._RTCRtpReceiver__decoder_queue  # type: ignore[attr-defined]
    delays: list[float] = []
    longest = most = 0.0

    async def watch() -> None:
        while True:
            frame = await webcam.receiver.track.recv()
            assert frame.pts is not None
            delays.append(time.monotonic() - webcam.sent[frame.pts])

    async def pulse() -> None:
        nonlocal longest, most
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            longest, most = max(longest, time.monotonic() - before), max(most, len(queue))

    tasks = [asyncio.create_task(watch()), asyncio.create_task(pulse())]
    await webcam.send(1.5)
    assert most <= MOST and delays and delays[-1] < 1.5
    longest = 0.0
    await webcam.receiver.stop()
    await asyncio.sleep(0.05)
    assert longest < 1.5
    for task in tasks:
        task.cancel()
    while any(thread.name in ("decoder", "video-decoder") for thread in threading.enumerate()):
        await asyncio.sleep(0.01)


async def test_nonsense_from_a_page_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    webcam = Webcam("VP8", 64, 48, 60)
    make_prompt(webcam.receiver)
    await webcam.start()
    rng = np.random.default_rng(1)
    queue: LiveDecoder = webcam.receiver._RTCRtpReceiver__decoder_queue  # type: ignore[attr-defined]
    for size in (1, 2, 9, 10, 11, 200) * 10:
        queue.put((VP8, JitterFrame(rng.bytes(size), 0)))
        await asyncio.sleep(0.002)
    receiving = asyncio.create_task(webcam.receiver.track.recv())
    while not receiving.done():
        await webcam.send(0.1)
    assert receiving.result().width == 64
    assert len(caplog.records) <= 1
    await webcam.receiver.stop()
