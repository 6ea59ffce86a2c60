"""Pages that see the same share an encoder, and none pays for the poor line of another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import av
import numpy as np
import pytest
from aiortc import RTCPeerConnection
from aiortc.codecs.vpx import Vp8Decoder, vp8_depayload
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtp import RTCP_PSFB_PLI, RtcpPsfbPacket, RtpPacket, is_rtcp
from av import VideoFrame

from realtime import shared_encoding
from realtime.encoder import Compressed, LiveVp8Encoder
from realtime.sending import LiveSender, make_live
from realtime.shared_encoding import EncoderGroup, EncoderGroups, Line, PictureStream, SharedPicture
from realtime.tracks import AvatarTrack
from tests.realtime.test_sending import CODEC, MOST, Wire

pytestmark = pytest.mark.timeout(240)


class Page:
    """A sender on a wire, and what a browser behind it would show."""

    def __init__(self, groups: EncoderGroups, key: str, rate: int) -> None:
        self.pc, self.wire, self.track, self.key = RTCPeerConnection(), Wire(), AvatarTrack(), key
        self.sender: LiveSender = make_live(self.pc.addTransceiver(self.track).sender, "VP8", MOST)
        self.sender.setTransport(self.wire)  # type: ignore[arg-type]
        self.sender.control._rate = rate
        self._groups = groups
        self._tasks = [asyncio.create_task(self.sender._run_rtp(CODEC)), asyncio.create_task(self.sender._run_rtcp())]

    def show(self, planes: np.ndarray) -> None:
        frame = av.VideoFrame.from_numpy_buffer(planes, format="yuv420p")
        frame.opaque = PictureStream(self._groups, self.key)
        self.track.deliver(frame)

    async def lose(self) -> None:
        await self.sender._handle_rtcp_packet(RtcpPsfbPacket(RTCP_PSFB_PLI, 1, self.sender._ssrc))

    @property
    def shares(self) -> bool:
        return self.sender._shared

    def packets(self) -> list[RtpPacket]:
        return [RtpPacket.parse(data) for _, data in self.wire.left if not is_rtcp(data)]

    def keyframes(self) -> int:
        starts = [p.payload for p in self.packets() if p.payload[0] & 0x10]
        return sum(not payload[4] & 1 for payload in starts)

    def seen(self) -> list[np.ndarray]:
        """The pictures that come out of a decoder: nothing is missing and nothing comes twice in the stream."""
        decoder, parts, pictures = Vp8Decoder(), [], []
        packets = self.packets()
        assert all((b.sequence_number - a.sequence_number) % 65536 == 1 for a, b in pairwise(packets))
        stamps = [p.timestamp for p in packets if p.marker]
        assert all(0 < (b - a) % (1 << 32) < 1 << 31 for a, b in pairwise(stamps))
        numbers = [int.from_bytes(p.payload[2:4], "big") & 0x7FFF for p in packets if p.marker]
        assert all((b - a) % (1 << 15) == 1 for a, b in pairwise(numbers))
        for packet in packets:
            parts.append(vp8_depayload(packet.payload))
            if packet.marker:
                pictures += [
                    f.to_ndarray()
                    for f in decoder.decode(JitterFrame(b"".join(parts), packet.timestamp))
                    if isinstance(f, VideoFrame)
                ]
                parts = []
        assert len(pictures) == len(stamps)
        return pictures

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        await self.pc.close()


class Room:
    def __init__(self) -> None:
        self.groups, self.pages, self.count = EncoderGroups(), list[Page](), 0
        self.planes = np.zeros((192, 128), np.uint8)

    def page(self, key: str = "all", rate: int = MOST) -> Page:
        self.pages.append(Page(self.groups, key, rate))
        return self.pages[-1]

    async def show(self, pictures: int = 1) -> None:
        """A moving stripe over grey, for everybody."""
        for _ in range(pictures):
            self.count += 1
            self.planes = np.full((192, 128), 128, np.uint8)
            self.planes[:128, self.count % 100 : self.count % 100 + 20] = 220
            for page in self.pages:
                page.show(self.planes)
            await asyncio.sleep(1 / 60)

    async def all_see_it(self) -> None:
        """The newest picture comes to everybody as it is."""
        waiting = list(self.pages)
        while waiting:
            await asyncio.sleep(0.3)
            waiting = [page for page in waiting if np.abs(page.seen()[-1].astype(int) - self.planes).mean() >= 3]

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self.show()


@asynccontextmanager
async def a_room(monkeypatch: pytest.MonkeyPatch, **constants: float) -> AsyncIterator[Room]:
    for name, value in {"SETTLED": 0.1, "JOIN": 0.3, "HEAL": 0.5, "APART": 1.0, **constants}.items():
        monkeypatch.setattr(shared_encoding, name, value)
    room = Room()
    try:
        yield room
    finally:
        for page in room.pages:
            await page.close()


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each picture that is encoded."""
    calls, compress = [], LiveVp8Encoder.compress

    def counted(self, frame, force_keyframe=False):  # type: ignore[no-untyped-def]
        calls.append(0)
        return compress(self, frame, force_keyframe)

    monkeypatch.setattr(LiveVp8Encoder, "compress", counted)
    return calls


@pytest.mark.parametrize("rate", [MOST, 300_000])
async def test_pages_that_see_the_same_cost_one_encoder_and_each_sees_every_picture(
    monkeypatch: pytest.MonkeyPatch, encoded: list[int], rate: int
) -> None:
    async with a_room(monkeypatch) as room:
        pages = [room.page(rate=rate) for _ in range(5)]
        await room.until(lambda: all(page.shares for page in pages))
        del encoded[:]
        shown, sent = room.count, [len(page.seen()) for page in pages]
        await room.show(40)
        assert len(encoded) <= 2 * (room.count - shown), "each alone would be five for a picture"
        assert all(len(page.seen()) - before > 5 for page, before in zip(pages, sent, strict=True))
        await room.all_see_it()


async def test_lines_whose_rates_still_grow_share_though_they_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who came one after the other."""
    async with a_room(monkeypatch) as room:
        pages = [room.page(rate=rate) for rate in (450_000, 500_000)]
        await room.until(lambda: all(page.shares for page in pages))
        pages.append(room.page(rate=700_000))
        await room.until(lambda: all(page.shares for page in pages))
        await room.show(20)
        assert all(page.shares for page in pages)
        await room.all_see_it()


@pytest.mark.parametrize(
    ("rate", "other", "climbs", "shares"),
    [
        (900, 1000, False, True),
        (700, 1000, True, False),
        (1000, 700, True, True),
        (1000, 700, False, False),
        (1000, 400, True, False),
    ],
)
def test_who_may_join_whom(rate: int, other: int, climbs: bool, shares: bool) -> None:
    """A newcomer takes about as much as the members, or a little more than those whose rates still grow."""
    group, here, comes = EncoderGroup(LiveVp8Encoder(MOST)), object(), object()
    group._members[here] = Line(other, climbs=climbs), 0.0
    group._pictures.append(SharedPicture(1, 0.0, Compressed([b""], keyframe=True, milliseconds=0.0)))
    group.newest, group._waiting[comes] = 1, (0, 0.0)
    assert (group.join(comes, Line(rate, climbs=climbs), 0.1) is not None) == shares


@pytest.mark.parametrize(
    ("rate", "climbs", "stays"), [(700, False, False), (700, True, True), (400, True, False), (800, False, True)]
)
def test_who_leaves(rate: int, climbs: bool, stays: bool) -> None:
    """Who takes much less, and who grows far behind the others."""
    group = EncoderGroup(LiveVp8Encoder(MOST))
    group._members[object()] = Line(1000), 0.0
    assert group.stay(object(), Line(rate, climbs=climbs), 0, 0.1) == stays


async def test_many_newcomers_wait_less_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = []
    for count in (1, 8):
        async with a_room(monkeypatch, JOIN=2.0) as room:
            first = [room.page() for _ in range(2)]
            await room.until(lambda: all(page.shares for page in first))  # noqa: B023
            later, start = [room.page() for _ in range(count)], time.monotonic()
            await room.until(lambda: all(page.shares for page in later))  # noqa: B023
            waited.append(time.monotonic() - start)
    assert waited[1] < waited[0]


async def test_who_comes_later_joins_at_a_keyframe_and_newcomers_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_room(monkeypatch, JOIN=1.0) as room:
        first = [room.page() for _ in range(2)]
        await room.until(lambda: all(page.shares for page in first))
        before, start = first[0].keyframes(), time.monotonic()
        later = [room.page() for _ in range(3)]
        await room.until(lambda: all(page.shares for page in later))
        assert first[0].keyframes() - before <= 2 + 2 * (time.monotonic() - start)
        await room.all_see_it()


async def test_who_looks_elsewhere_or_alone_has_an_own_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_room(monkeypatch) as room:
        pages, alone = [room.page() for _ in range(3)], room.page("other")
        await room.until(lambda: all(page.shares for page in pages))
        assert not alone.shares
        keyframes = pages[0].keyframes()
        pages[0].key = "third"
        await room.until(lambda: not pages[0].shares)
        await room.show(5)
        assert pages[0].keyframes() > keyframes
        await room.until(lambda: pages[1].shares and pages[2].shares and not pages[0].shares)
        await room.all_see_it()


async def test_a_line_that_takes_less_leaves_and_the_others_keep_their_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_room(monkeypatch) as room:
        pages = [room.page() for _ in range(3)]
        await room.until(lambda: all(page.shares for page in pages))
        poor, *others = pages
        poor.sender.control._rate = poor.sender.control._most = 0.4 * MOST
        await room.until(lambda: not poor.shares)
        await room.show(20)
        await room.until(lambda: not poor.shares and all(page.shares for page in others))
        group = others[0].sender._sharing._group
        assert group is not None and group._encoder.rate == MOST
        await room.all_see_it()


async def test_who_loses_much_gets_keyframes_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_room(monkeypatch, HEAL=1.0, APART=30.0) as room:
        poor, other, _ = [room.page() for _ in range(3)]
        await room.until(lambda: all(page.shares for page in room.pages))
        keyframes = other.keyframes()
        for _ in range(30):
            await poor.lose()
            await room.show(2)
        assert not poor.shares and other.keyframes() - keyframes <= 4 and len(poor.seen()) > 10
        await room.until(lambda: other.shares)
        await room.all_see_it()


async def test_a_page_that_stops_reading_leaves_and_one_that_goes_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_room(monkeypatch) as room:
        slow, gone, *others = [room.page() for _ in range(4)]
        await room.until(lambda: all(page.shares for page in room.pages))
        slow.sender._pacer.pause(0.5, asyncio.get_running_loop().time())
        await gone.close()
        room.pages.remove(gone)
        await room.show(60)
        await room.until(lambda: all(page.shares and len(page.seen()) > 10 for page in others))
        await room.all_see_it()


async def test_an_encoding_goes_on_when_who_began_it_is_gone() -> None:
    group = EncoderGroup(LiveVp8Encoder(MOST))
    frames = [av.VideoFrame.from_numpy_buffer(np.full((192, 128), 128, np.uint8), format="yuv420p") for _ in range(2)]
    first = asyncio.create_task(group.encode(frames[0]))
    await asyncio.sleep(0)
    second = asyncio.create_task(group.encode(frames[1]))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert group.newest == 1 and group.picture(1) is not None
