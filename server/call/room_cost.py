"""What the people and the pictures of a room cost, by measured times."""

from __future__ import annotations

from realtime.timing import StageTimes

ENCODE_MS = 4.0
"""Of a core, to encode one picture."""


def costs(times: StageTimes) -> tuple[float, float]:
    """Milliseconds of a core for one webcam picture and for one drawn picture; 0 while none was measured."""
    medians = times.medians()
    person = sum(medians.get(stage, 0.0) for stage in ("decode", "track", "solve")) if "track" in medians else 0.0
    return person, medians["splat"] + medians.get("pose", 0.0) + ENCODE_MS if "splat" in medians else 0.0


def cores_taken(times: StageTimes) -> float:
    """How many cores a room takes now, as measured in the last second."""
    person_ms, view_ms = costs(times)
    return (times.rate("decode") * person_ms + times.rate("splat") * view_ms) / 1000
