"""What the people and the pictures of a room cost, by measured times."""

from __future__ import annotations

import os

from realtime.room.admission import PERSON_MS, PRIVATE_MS, VIEW_MS, Load
from realtime.timing import StageTimes

ENCODE_MS = 4.0
"""Of a core, to encode one picture."""
RECEIVE_MS = 1.0
"""Of a core, for a message of landmarks to come in: ICE, DTLS and SCTP (`visavis bench landmarks`)."""
MOST_BUSY = 0.95
"""Part of the cores that other rooms are taken to need at the most."""


def costs(times: StageTimes) -> tuple[float, float, float]:
    """Milliseconds of a core for a webcam picture, a message of landmarks, and a drawn picture; 0 while none was measured."""
    medians = times.medians()
    person = sum(medians.get(stage, 0.0) for stage in ("decode", "track", "solve")) if "track" in medians else 0.0
    private = RECEIVE_MS + medians["landmarks"] + medians.get("solve", 0.0) if "landmarks" in medians else 0.0
    return person, private, medians["splat"] + medians.get("pose", 0.0) + ENCODE_MS if "splat" in medians else 0.0


def load(times: StageTimes, people: int, private: int, views: int, busy: float) -> Load:
    """What a room does, with `people`, of whom `private` send landmarks, and `views` that are drawn. busy: part of the machine's
    cores that other rooms take."""
    person_ms, private_ms, view_ms = costs(times)
    return Load(
        people, views, person_ms or PERSON_MS, view_ms or VIEW_MS, os.cpu_count() or 1, min(busy, MOST_BUSY),
        private, private_ms or PRIVATE_MS,
    )  # fmt: skip


def cores_taken(times: StageTimes) -> float:
    """How many cores a room takes now, as measured in the last second."""
    person_ms, private_ms, view_ms = costs(times)
    taken = times.rate("decode") * person_ms + times.rate("landmarks") * private_ms + times.rate("splat") * view_ms
    return taken / 1000
