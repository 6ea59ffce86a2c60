"""One clock for a recording whose own clock breaks: two recordings joined, a counter that wraps around, a stamp that is wrong.

All packets' stamps are looked at before anything is decoded. Where a track's clock jumps, a *run* of packets ends. Runs of
different tracks that lie together in the file and on the clock are a *stretch*; all tracks of a stretch are shifted by the same
number of seconds, so sound and picture stay together, and stretches follow each other without a gap. A run of a few packets
after which the old clock goes on is no stretch: its stamps were wrong, and are put between their neighbours'.

FFmpeg's command does the same for MPEG-TS while it reads (`ts_discontinuity_process` in fftools/ffmpeg_demux.c), without looking
ahead and so without telling a wrong stamp from a new clock.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

import av
import numpy as np
from av.container import InputContainer
from av.stream import Stream
from numpy.typing import NDArray

from models.types import Array64

T = TypeVar("T")
JUMP = 10.0
"""Seconds (FFmpeg's `-dts_delta_threshold`): a longer way to the next stamp is a jump of the clock, unless pictures are rarer."""
STEPS = 20
"""... than that many of the track's usual steps."""
FEW = 3
"""Packets at most that can have a wrong stamp together."""
NEAR = 2.0
"""Seconds that tracks of one stretch may begin or end apart."""
BESIDE = 2
"""Packets that may lie between tracks that go together."""
ASTRAY = 5.0
"""Seconds by which a picture is shown later than decoded, compared with the other pictures, that cannot be meant."""
REORDERED = 1.0
"""Seconds by which a picture may be shown before the one that was decoded before it."""
DEFAULT_STEP = 1 / 30
PATIENCE = 100
"""How often reading goes on after damage that the container itself stumbles over."""
NOWHERE = np.iinfo(np.int64).min


@dataclass
class Track:
    """The packets of one track in the order of the file. dts, pts, duration: in ticks of `tick` seconds, `NOWHERE` where not
    stated. place: the packet's number among those of all tracks."""

    tick: float
    dts: array[int] = field(default_factory=lambda: array("q"))
    pts: array[int] = field(default_factory=lambda: array("q"))
    duration: array[int] = field(default_factory=lambda: array("q"))
    place: array[int] = field(default_factory=lambda: array("q"))

    def __len__(self) -> int:
        return len(self.dts)

    @property
    def says_when_shown(self) -> bool:
        """Whether any packet has a presentation time."""
        return any(pts != NOWHERE for pts in self.pts)

    def stamps(self) -> Array64:
        """Seconds at which each packet is decoded; gaps are filled with the usual step."""
        dts, pts = _seconds(self.dts, self.tick), _seconds(self.pts, self.tick)
        shown = 2 * np.isfinite(dts).sum() < np.isfinite(pts).sum()
        out = pts if shown else dts
        step, known = _step(out), np.flatnonzero(np.isfinite(out))
        begin = int(known[0]) if len(known) else 0
        out[:begin] = out[begin] - step * np.arange(begin, 0, -1) if begin else 0.0
        for i in np.flatnonzero(~np.isfinite(out)):
            out[i] = out[i - 1] + step if i else 0.0
        for i in range(1, len(out) if shown else 0):  # pictures may be shown in another order than decoded
            if out[i - 1] - REORDERED < out[i] < out[i - 1]:
                out[i] = out[i - 1]
        return out


@dataclass
class _Run:
    """Packets first .. last of one track on one clock; their stamps, and their places in the file."""

    track: int
    first: int
    last: int
    start: float
    end: float
    places: tuple[int, int]


def scan(container: InputContainer, streams: list[Stream], most: int) -> dict[int, Track]:
    """Read all packets of the streams, decoding none: index of the stream -> its packets. At most `most` are looked at.

    Where the file is damaged it ends.
    """
    tracks = {stream.index: Track(float(stream.time_base or 0)) for stream in streams}
    try:
        for place, packet in enumerate(demuxed(container, streams) if streams else ()):
            if place >= most:
                break
            if is_end(packet):
                continue
            track = tracks[packet.stream_index]
            track.dts.append(NOWHERE if packet.dts is None else packet.dts)
            track.pts.append(NOWHERE if packet.pts is None else packet.pts)
            track.duration.append(packet.duration or 0)
            track.place.append(place)
    except (av.FFmpegError, OSError):
        pass
    return tracks


def demuxed(container: InputContainer, streams: list[Stream]) -> Iterator[av.Packet]:
    """Packets of the streams in the file's order. Damaged ones, and a track that begins after the file, are skipped."""
    damaged = 0
    while True:
        try:
            yield from container.demux(streams)
            return
        except av.InvalidDataError:
            damaged += 1
            if damaged > PATIENCE:
                raise
        except IndexError:
            pass  # PyAV does not know the track of the packet; the next one comes


def is_end(packet: av.Packet) -> bool:
    """Whether this is the empty packet with which PyAV says that a track has ended."""
    return packet.size == 0 and packet.dts is None and packet.pts is None


@dataclass(frozen=True)
class Clock:
    """The one clock of some tracks. shifts: seconds to add to the stamps of each packet, only where there is something to add."""

    tracks: dict[int, Track]
    shifts: dict[int, Array64]

    @staticmethod
    def of(tracks: dict[int, Track]) -> Clock:
        """tracks: by stream, those that are shown together."""
        numbers = [number for number, track in tracks.items() if len(track)]
        stamps = {number: tracks[number].stamps() for number in numbers}
        steps = {number: _step(stamps[number]) for number in numbers}
        mended = {number: _without_strays(stamps[number], steps[number]) for number in numbers}
        out = {number: mended[number] - stamps[number] for number in numbers}
        runs = [run for number in numbers for run in _runs(number, mended[number], steps[number], tracks[number])]
        if len(runs) > len(numbers):
            for run, shift in _placed(_stretches(runs)):
                out[run.track][run.first : run.last + 1] += shift
        return Clock(tracks, {number: shift for number, shift in out.items() if shift.any()})

    def packets(self, container: InputContainer, stream: Stream) -> Iterator[av.Packet]:
        """The packets of a stream of the file, with their stamps on this clock; last an empty one, that ends the track."""
        track, shift = self.tracks[stream.index], self.shifts.get(stream.index)
        late = _lateness(track)
        number = 0
        for packet in demuxed(container, [stream]):
            if not is_end(packet):
                if late is not None and number < len(late) and packet.dts is not None and np.isfinite(late[number]):
                    packet.pts = packet.dts + round(late[number] / track.tick)
                if shift is not None:
                    ticks = round(shift[min(number, len(shift) - 1)] / track.tick)
                    packet.pts = packet.pts + ticks if packet.pts is not None else None
                    packet.dts = packet.dts + ticks if packet.dts is not None else None
                number += 1
            yield packet

    def rate(self, number: int) -> float | None:
        """Packets of a track a second where its clock breaks, and so the file's own figure is wrong."""
        if number not in self.shifts:
            return None
        stamps = self.tracks[number].stamps() + self.shifts[number]
        return (len(stamps) - 1) / max(float(np.ptp(stamps)), 1e-3)

    def largest_gap(self, number: int) -> float:
        """Seconds, of silence or of sound said twice, between one packet of a track and the next; the most that there is."""
        track = self.tracks[number]
        if len(track) < 2:
            return 0.0
        stamps = track.stamps() + self.shifts.get(number, 0.0)
        lengths = np.frombuffer(track.duration, np.int64) * track.tick
        return float(np.abs(stamps[1:] - stamps[:-1] - lengths[:-1]).max())


def steady(stamped: Iterable[tuple[T, float | None]], step: float) -> Iterator[tuple[T, float]]:
    """The frames with times that increase: a time that is missing or not between its neighbours' is put between them.

    step: seconds from one to the next where there are no neighbours.
    """
    before: float | None = None
    waiting: list[tuple[T, float | None]] = []
    for one in stamped:
        if waiting:
            (what, now), after = waiting.pop(), one[1]
            before = _between(before, now, after, step)
            yield what, before
        waiting.append(one)
    for what, now in waiting:
        yield what, _between(before, now, None, step)


def _between(before: float | None, now: float | None, after: float | None, step: float) -> float:
    if before is None:
        if after is not None and (now is None or after <= now):
            return after - step
        return 0.0 if now is None else now
    if now is not None and before < now and (after is None or now < after or after <= before):
        return now
    return (before + after) / 2 if after is not None and before < after else before + step


def _lateness(track: Track) -> Array64 | None:
    """Where a picture would be shown seconds away from when it is decoded, unlike all others: seconds from decoding to
    showing that are usual, else not a number. None when there is no such picture."""
    with np.errstate(invalid="ignore"):
        late = _seconds(track.pts, track.tick) - _seconds(track.dts, track.tick)
        if not np.isfinite(late).any():
            return None
        usual = float(np.nanmedian(late))
        astray = np.abs(late - usual) > ASTRAY
    return np.where(astray, usual, np.nan) if astray.any() else None


def _seconds(ticks: array[int], tick: float) -> Array64:
    whole: NDArray[np.int64] = np.frombuffer(ticks, np.int64) if len(ticks) else np.zeros(0, np.int64)
    return np.where(whole == NOWHERE, np.nan, whole * tick)


def _step(stamps: Array64) -> float:
    """The usual way from one stamp to the next, seconds."""
    steps = np.diff(stamps)
    steps = steps[np.isfinite(steps) & (steps > 0)]
    return float(np.median(steps)) if len(steps) else DEFAULT_STEP


def _jumps(stamps: Array64, step: float) -> NDArray[np.intp]:
    """Numbers of the packets at which the clock is another than at the packet before."""
    way = np.diff(stamps)
    return np.flatnonzero((way < -min(step, 0.1)) | (way > max(JUMP, STEPS * step))) + 1


def _without_strays(stamps: Array64, step: float) -> Array64:
    """The stamps, with those of a few packets, after which the clock goes on as before them, put in between."""
    out = stamps.copy()
    for jump in _jumps(stamps, step):
        if not len(_jumps(out[jump - 1 : jump + 1], step)):
            continue  # mended with the one before
        for count in range(1, FEW + 1):
            for before in (jump - 1, jump - 1 - count):  # those after the jump are wrong, or those before it
                after = before + count + 1
                if before >= 0 and after < len(out) and 0 < out[after] - out[before] <= (count + 1) * STEPS * step:
                    out[before : after + 1] = np.linspace(out[before], out[after], count + 2)
                    break
            else:
                continue
            break
    return out


def _runs(number: int, stamps: Array64, step: float, track: Track) -> Iterator[_Run]:
    bounds = [0, *_jumps(stamps, step), len(stamps)]
    for first, after in pairwise(bounds):
        last = int(after) - 1
        length = track.duration[last] * track.tick
        end = float(stamps[last]) + (length if 0 < length <= max(JUMP, STEPS * step) else step)  # MP4's lasts until the next
        yield _Run(number, int(first), last, float(stamps[first]), end, (track.place[int(first)], track.place[last]))


def _together(a: _Run, b: _Run) -> bool:
    """Whether two runs are on the same clock: they meet in the file, for more than half of the shorter, and on the clock."""
    shared = min(a.places[1], b.places[1]) - max(a.places[0], b.places[0]) + BESIDE
    shorter = min(a.places[1] - a.places[0], b.places[1] - b.places[0])
    return shared > shorter / 2 and min(a.end, b.end) + NEAR > max(a.start, b.start)


def _stretches(runs: list[_Run]) -> list[list[_Run]]:
    """Runs that are on one clock, in the order of the file."""
    groups: list[list[_Run]] = []
    for run in sorted(runs, key=lambda r: r.places):
        mine = [group for group in groups if any(other.track != run.track and _together(run, other) for other in group)]
        groups = [group for group in groups if not any(group is one for one in mine)]
        groups.append([*(other for group in mine for other in group), run])
    return sorted(groups, key=lambda group: min(run.places for run in group))


def _placed(stretches: list[list[_Run]]) -> Iterator[tuple[_Run, float]]:
    """Each run with the seconds to add to it: a stretch begins where those before it in the file have ended."""
    ends: list[tuple[int, int, float]] = []
    for stretch in stretches:
        first, last = min(run.places[0] for run in stretch), max(run.places[1] for run in stretch)
        tracks = {run.track for run in stretch}
        over = [end for track, place, end in ends if track in tracks or place <= (first + last) / 2]
        shift = max(over) - min(run.start for run in stretch) if over else 0.0
        for run in stretch:
            ends.append((run.track, run.places[1], run.end + shift))
            yield run, shift
