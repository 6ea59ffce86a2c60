"""Recordings whose clock breaks: pictures and sound come on one clock, together."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from models.video.reader import open_clip
from models.video.times import NOWHERE, Clock, Track, steady
from models.video.writer import open_writer
from tests.models.video import clips

TICK = 1e-3
FPS = 25
LOUD, LIT = 0.1, 128


def track(dts: Iterable[float | None], places: Iterable[int], late: float = 0.0, length: float = 0.04) -> Track:
    """Packets with these seconds; shown `late` seconds after."""
    ticks = [NOWHERE if t is None else round(t / TICK) for t in dts]
    shown = [t if t == NOWHERE else t + round(late / TICK) for t in ticks]
    same = [round(length / TICK)] * len(ticks)
    return Track(TICK, array("q", ticks), array("q", shown), array("q", same), array("q", places))


def on_clock(*tracks: Track) -> list[np.ndarray]:
    clock = Clock.of(dict(enumerate(tracks)))
    return [t.stamps() + clock.shifts.get(i, 0.0) for i, t in enumerate(tracks)]


EVEN = [i / FPS for i in range(50)]


@pytest.mark.parametrize("again", [0.0, -7.5, 3600.0, 26.5 * 3600, 1.0])
def test_a_second_recording_follows_the_first(again: float) -> None:
    """Sound and picture are shifted by the same seconds, whatever the second clock begins with."""
    second = [again + t for t in EVEN]
    picture = track([*EVEN, *second], range(0, 200, 2))
    sound = track([t + 0.01 for t in [*EVEN, *second]], range(1, 201, 2))
    shown, heard = on_clock(picture, sound)
    np.testing.assert_allclose(heard - shown, 0.01, atol=1e-9)
    np.testing.assert_allclose(np.diff(shown), 0.04, atol=0.011)


def test_each_part_has_its_own_start_of_the_sound() -> None:
    """The second part's sound begins later than its picture, and the first part's ends later."""
    picture = track([*EVEN, *EVEN], range(0, 200, 2))
    sound = track([*EVEN, 2.0, 2.04, 2.08, *(t for t in EVEN if t >= 0.6)], [*range(1, 101, 2), 99, 99, 99, *range(131, 201, 2)])
    shown, heard = on_clock(picture, sound)
    assert shown[50] == pytest.approx(2.12, abs=1e-6), "after the end of the sound before"
    assert heard[53] - shown[50] == pytest.approx(0.6)


def test_one_track_alone() -> None:
    np.testing.assert_allclose(on_clock(track([*EVEN, *EVEN, *EVEN], range(150)))[0], np.arange(150) / FPS, atol=1e-6)


def test_one_clock_is_left_alone() -> None:
    """Rates that change, pauses, late sound, and a slow slide show beside sound are no jumps."""
    uneven = [0, 0.04, 0.2, 0.21, 5.0, 5.04, 12.0]
    assert not Clock.of({0: track(uneven, range(7))}).shifts
    assert not Clock.of({0: track(EVEN, range(50)), 1: track([t + 60 for t in EVEN], range(50, 100))}).shifts
    slides = track([0, 60, 120, 180], [0, 1501, 3002, 4503])
    sound = track([i / FPS for i in range(4500)], [i + 1 + i // 1500 for i in range(4500)])
    assert not Clock.of({0: slides, 1: sound}).shifts
    slides = track([0, 0.04, 60, 60.04], [0, 1, 1502, 1503])
    sound = track([i / FPS for i in range(3000)], [i + 2 + 2 * (i // 1500) for i in range(3000)])
    assert not Clock.of({0: slides, 1: sound}).shifts


@pytest.mark.parametrize("wrong", [-5.0, 0.0, 17.0, 40_000.0])
@pytest.mark.parametrize("count", [1, 3])
def test_a_few_wrong_stamps_are_mended(wrong: float, count: int) -> None:
    picture = list(EVEN)
    picture[20 : 20 + count] = [wrong + i / 100 for i in range(count)]
    shown, heard = on_clock(track(picture, range(0, 100, 2)), track(EVEN, range(1, 101, 2)))
    np.testing.assert_allclose(shown, EVEN, atol=0.001)
    np.testing.assert_allclose(heard, EVEN, atol=1e-9)


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_a_clock_that_leaps_by_hours(tmp_path: Path, ending: str) -> None:
    """In pictures that are decoded in another order than shown."""
    pictures = [np.full((48, 64, 3), 20 + 6 * i, np.uint8) for i in range(30)]
    clip = open_clip(clips.write(tmp_path / f"a{ending}", pictures, [i / 25 + (7200 if i >= 15 else 0) for i in range(30)]))
    assert clip.fps == pytest.approx(25, abs=1)
    read = list(clip.frames())
    assert [t for _, t in read] == pytest.approx([i / 25 for i in range(30)], abs=0.021)
    assert np.abs([rgb.mean() - picture.mean() for (rgb, _), picture in zip(read, pictures, strict=True)]).max() < 4


def test_missing_stamps_are_filled() -> None:
    with_holes = [None if i in (0, 5, 6, 49) else t for i, t in enumerate(EVEN)]
    np.testing.assert_allclose(on_clock(track(with_holes, range(50)))[0][1:], EVEN[1:], atol=1e-6)
    np.testing.assert_allclose(np.diff(track([None] * 5, range(5)).stamps()), 1 / 30)


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ([0, 1, 2, 3], [0, 1, 2, 3]),
        ([-3, -2, -1], [-3, -2, -1]),
        ([0, 1, 90, 3, 4], [0, 1, 2, 3, 4]),
        ([0, 1, -90, 3, 4], [0, 1, 2, 3, 4]),
        ([0, 1, None, 3, None], [0, 1, 2, 3, 4]),
        ([None, None, None], [0, 1, 2]),
        ([None, 5, 6], [4, 5, 6]),
        ([90, 1, 2], [0, 1, 2]),
        ([0, 1, 1, 2], [0, 0.5, 1, 2]),
        ([7], [7]),
        ([], []),
    ],
)
def test_times_increase(stamps: list[float | None], expected: list[float]) -> None:
    assert [t for _, t in steady(enumerate(stamps), 1.0)] == pytest.approx(expected)


def flashes(path: Path, lit: int, count: int, begin: float, late: float = 0.0, codec: str = "aac") -> Path:
    """A recording of a dark picture, that is bright from picture `lit` on for three, with a tone as long. Its clock begins at
    `begin`, its sound `late` seconds after its pictures."""
    rate = 48_000
    with av.open(path, "w", container_options={"muxdelay": "0", "avoid_negative_ts": "disabled"}) as container:
        video = container.add_stream("libx264", rate=FPS, options={"g": "10", "bf": "2"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream(codec, rate=rate, layout="mono")
        wave = np.zeros(rate * count // FPS, np.float32)
        on = slice(rate * lit // FPS, rate * (lit + 3) // FPS)
        wave[on] = np.sin(2 * np.pi * 1000 * np.arange(on.stop - on.start) / rate) * 0.8
        frame = av.AudioFrame.from_ndarray(wave[None, round(late * rate) :], format="fltp", layout="mono")
        frame.rate, frame.pts, frame.time_base = rate, round((begin + late) * rate), Fraction(1, rate)
        for part in av.AudioResampler(sound.codec_context.format, "mono", rate, 1024).resample(frame):
            container.mux(sound.encode(part))
        for i in range(count):
            picture = np.full((48, 64, 3), 220 if lit <= i < lit + 3 else 20, np.uint8)
            shot = av.VideoFrame.from_ndarray(picture, format="rgb24")
            shot.pts, shot.time_base = round(begin * FPS) + i, Fraction(1, FPS)
            container.mux(video.encode(shot))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
    return path


def rises(values: np.ndarray, threshold: float) -> np.ndarray:
    """Where values begin to be over the threshold."""
    over = values > threshold
    return np.flatnonzero(over & ~np.concatenate([[False], over[:-1]]))


def when(path: Path) -> tuple[np.ndarray, np.ndarray, float]:
    """Seconds at which pictures get bright, and at which sound begins; and the last picture's."""
    read = [(float(rgb.mean()), seconds) for rgb, seconds in open_clip(path).frames()]
    times = np.array([seconds for _, seconds in read])
    lit = times[rises(np.array([level for level, _ in read]), LIT)]
    with av.open(path) as container:
        origin = float(next(container.decode(video=0)).time)
    with av.open(path) as container:
        resampler = av.AudioResampler("fltp", "mono", 48_000)
        wave, stamps = [], []
        for frame in container.decode(audio=0):
            for ready in resampler.resample(frame):
                wave.append(np.abs(ready.to_ndarray()[0]))
                stamps.append(float(frame.time) - origin + np.arange(ready.samples) / 48_000)
    level = np.convolve(np.concatenate(wave), np.ones(96) / 96, "same")
    heard = np.concatenate(stamps)[rises(level, LOUD)]
    return lit, heard, times[-1]


@pytest.mark.parametrize(
    ("begins", "late", "ending", "codec"),
    [
        ((1.4, 1.4), (0.0, 0.0), ".ts", "aac"),
        ((1.4, 90_000.0), (0.0, 0.3), ".ts", "aac"),
        ((2**33 / 90_000 - 1, 700.0), (0.2, 0.0), ".ts", "mp2"),
        ((5.0, 2.0, 0.5), (0.0, 0.5, 0.1), ".ts", "aac"),
    ],
)
def test_joined_recordings_stay_in_sync(
    tmp_path: Path, begins: tuple[float, ...], late: tuple[float, ...], ending: str, codec: str
) -> None:
    parts = [flashes(tmp_path / f"{i}{ending}", 20 + 4 * i, 50, b, s, codec) for i, (b, s) in enumerate(zip(begins, late))]
    joined = tmp_path / f"joined{ending}"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    source = open_clip(joined)
    assert source.fps == pytest.approx(FPS, abs=2)
    with open_writer(tmp_path / "out.mp4", source) as writer:
        for rgb, seconds in source.frames():
            writer.write(np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)]), seconds)
    lit, heard, last = when(tmp_path / "out.mp4")
    assert len(lit) == len(heard) == len(parts)
    np.testing.assert_allclose(heard, lit, atol=0.04)
    np.testing.assert_allclose(lit, [i * 2 + (20 + 4 * i) / FPS for i in range(len(parts))], atol=0.15)
    assert last == pytest.approx(2 * len(parts) - 1 / FPS, abs=0.2)


@pytest.mark.parametrize(("begin", "late"), [(-0.4, 0.0), (-0.4, 0.6), (3.0, 0.5), (0.0, 0.0)])
def test_sound_that_begins_at_another_time_stays_in_sync(tmp_path: Path, begin: float, late: float) -> None:
    source = open_clip(flashes(tmp_path / ("a.mp4" if begin < 0 else "a.mkv"), 20, 50, begin, late))
    with open_writer(tmp_path / "out.mp4", source) as writer:
        for rgb, seconds in source.frames():
            writer.write(np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)]), seconds)
    lit, heard, _ = when(tmp_path / "out.mp4")
    assert len(lit) == 1, "MP4 cuts what comes before zero, so it is not always at the same time"
    assert heard == pytest.approx(lit, abs=0.04)
