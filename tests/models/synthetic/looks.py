"""Heads with chosen traits, made once for all tests of this folder."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from models import arkit
from models.heads.registry import by_name
from models.synthetic.cameras import orbit_camera
from models.synthetic.head import HeadSample, SyntheticHead

PLAIN = {"hair_style": "bald", "beard": "none", "hat": "none", "glasses": "none"}
NEUTRAL = np.zeros(arkit.COUNT, np.float32)


@cache
def somebody(seed: int = 1, **traits: Any) -> SyntheticHead:
    return SyntheticHead.random(by_name("anny"), seed, **traits)


def drawn(head: SyntheticHead, yaw: float = 0.0, size: int = 128, **values: float) -> HeadSample:
    return head.render(orbit_camera(yaw, size=size), np.asarray(arkit.vector(**values), np.float32))


def box(head: SyntheticHead, sample: HeadSample, *landmarks: int) -> tuple[slice, slice]:
    """The pixels about some landmarks."""
    at = sample.camera.project(head.person.landmarks(head.person.rest)[list(landmarks)])
    (x0, y0), (x1, y1) = np.floor(at.min(axis=0)).astype(int) - 1, np.ceil(at.max(axis=0)).astype(int) + 2
    return slice(y0, y1), slice(x0, x1)
