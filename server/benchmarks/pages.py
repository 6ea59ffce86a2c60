"""The pages of a room that is measured, in a process of their own."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec

from server.benchmarks.measuring_page import DecodingPage, MeasuringPage
from server.benchmarks.recorded_webcam import RecordedClip, RecordedWebcam
from server.benchmarks.webcam_clip import Clip, load_clip, own_clip
from server.call.protocol import Join, ViewerCamera
from server.call_client import CallClient


@dataclass(frozen=True)
class Pages:
    """Who is in the room. people: with a webcam and an avatar each. viewers: who watch, each from elsewhere, or all from the
    front with `same_view`. decode: pictures are decoded and not only counted. size: of the webcam's pictures (width, height)."""

    people: int = 1
    viewers: int = 0
    same_view: bool = False
    decode: bool = False
    size: tuple[int, int] = (640, 480)

    @property
    def count(self) -> int:
        """Of all pages."""
        return self.people + self.viewers


class Arrived(msgspec.Struct, frozen=True):
    """All pages are in the room. joins, first_pictures: milliseconds from each page's first message to the answer to its offer,
    and to its first picture."""

    joins: list[float]
    first_pictures: list[float]


class Seen(msgspec.Struct, frozen=True):
    """pictures: of each page, in the seconds that were asked for. cpu: seconds that the pages' process took of the cores."""

    pictures: list[int]
    cpu: float


def run_pages(pipe: Connection, url: str, keys: tuple[str, str], clip: Clip | Path | None, avatar: Path, pages: Pages) -> None:
    """The process's entry point: join, say `Arrived`, then answer each number of seconds with what was `Seen` in that time, until
    None comes. keys: of people and of viewers. clip: as `bench_live`; `avatar` shows how it looks without one."""
    pictures = load_clip(own_clip(avatar, pages.size) if clip is None else clip, pages.size)
    recorded = RecordedClip.encode([*pictures, *pictures[-2:0:-1]])
    asyncio.run(_run(pipe, url, keys, recorded, pages))


async def _run(pipe: Connection, url: str, keys: tuple[str, str], clip: RecordedClip, pages: Pages) -> None:
    kind: type[CallClient] = DecodingPage if pages.decode else MeasuringPage
    there: list[CallClient] = []
    joined = Arrived([], [])
    try:
        for person in range(pages.people):
            there.append(kind(url, keys[0], Join(f"Person {person + 1}"), webcam=RecordedWebcam(clip, person)))
            await _join(there[-1], joined)
        for viewer in range(pages.viewers):
            there.append(kind(url, keys[1], Join(f"Viewer {viewer + 1}")))
            await _join(there[-1], joined)
            if not pages.same_view:
                there[-1].say(ViewerCamera(orbit=True, yaw=0.2 * (viewer + 1)))
        pipe.send(joined)
        while (seconds := await asyncio.to_thread(pipe.recv)) is not None:
            before, cpu = [page.pictures for page in there], time.process_time()
            await asyncio.sleep(seconds)
            pipe.send(Seen([page.pictures - old for page, old in zip(there, before, strict=True)], time.process_time() - cpu))
    finally:
        for page in there:
            await page.leave()


async def _join(page: CallClient, joined: Arrived) -> None:
    start = time.monotonic()
    await page.enter()
    await page.offer()
    joined.joins.append(1000 * (time.monotonic() - start))
    await page.until_open()
    while not page.pictures:
        await asyncio.sleep(0.005)
    joined.first_pictures.append(1000 * (time.monotonic() - start))
