"""One-Euro filters (Casiez, Roussel, Vogel 2012) over drive frames: strong when the face rests, weak when it moves.

Each value is low-passed with a cut-off frequency that rises with its speed: cutoff = min_cutoff + beta * |speed|.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models import arkit
from models.heads.base import quaternion, rotation_log, rotation_matrix, rotation_vector
from models.types import Array64, DriveFrame

SPEED_CUTOFF = 1.5
"""Hz, low-pass on the speed itself."""
GAP = 0.5
"""Seconds without a frame after which a filter is reset."""
SHORTEST = 1e-3
"""Least seconds assumed between two frames."""


@dataclass(frozen=True)
class Tuning:
    """min_cutoff: Hz at rest, scalar or (N,). beta: Hz per unit a second, scalar or (N,)."""

    min_cutoff: float | Array64
    beta: float | Array64


TRANSLATION = Tuning(0.9, np.array([25.0, 25.0, 12.0]))
ROTATION = Tuning(1.0, 5.0)
GAZE = Tuning(1.8, 5.0)
QUICK, JAW, CALM = Tuning(4.0, 6.0), Tuning(3.0, 3.0), Tuning(1.6, 1.5)
"""For blinks and lids, for the mouth in speech, and for the rest of the face."""
_QUICK = ("eyeBlink", "eyeLook", "eyeWide")
_JAW = ("jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthRoll", "mouthLowerDown", "mouthUpperUp", "mouthPress")


def coefficient_tuning() -> Tuning:
    """`QUICK`, `JAW` or `CALM` for each of the 52 coefficients."""
    chosen = [QUICK if n.startswith(_QUICK) else JAW if n.startswith(_JAW) else CALM for n in arkit.NAMES]
    return Tuning(np.array([t.min_cutoff for t in chosen], np.float64), np.array([t.beta for t in chosen], np.float64))


def _gain(cutoff: Array64 | float, dt: float) -> Array64:
    """Weight of the new value in a first-order low-pass, in (0, 1)."""
    return np.asarray(1.0 / (1.0 + 1.0 / (2.0 * np.pi * np.asarray(cutoff) * dt)))


class OneEuro:
    """The filter for a vector; each component on its own."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self._value: Array64 | None = None
        self._raw = np.zeros(0)
        self._speed = np.zeros(0)

    def reset(self) -> None:
        """Forget the past; the next value is returned unchanged."""
        self._value = None

    def __call__(self, value: NDArray[np.floating], dt: float) -> Array64:
        """The filtered value, any shape, float64. dt: seconds since the last, above 0. A change of shape resets."""
        value = np.asarray(value, np.float64)
        if self._value is None or self._value.shape != value.shape:
            self._value, self._raw, self._speed = value, value, np.zeros_like(value)
            return value
        self._speed = self._speed + _gain(SPEED_CUTOFF, dt) * ((value - self._raw) / dt - self._speed)
        self._raw = value
        cutoff = self._tuning.min_cutoff + self._tuning.beta * np.abs(self._speed)
        self._value = self._value + _gain(cutoff, dt) * (value - self._value)
        return self._value


class OneEuroRotation:
    """The filter for a unit quaternion wxyz: speeds are angular velocities, steps are turns along the shortest arc."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self._value: Array64 | None = None
        self._raw = np.eye(3)
        self._speed = np.zeros(3)

    def reset(self) -> None:
        """Forget the past; the next rotation is returned unchanged."""
        self._value = None

    def __call__(self, value: NDArray[np.floating], dt: float) -> Array64:
        """The filtered quaternion, (4,) float64 with w >= 0. dt: seconds since the last, above 0."""
        now = rotation_matrix(value)
        if self._value is None:
            self._value, self._raw, self._speed = now, now, np.zeros(3)
            return quaternion(now)
        self._speed = self._speed + _gain(SPEED_CUTOFF, dt) * (rotation_log(now @ self._raw.T) / dt - self._speed)
        self._raw = now
        gain = _gain(self._tuning.min_cutoff + self._tuning.beta * float(np.linalg.norm(self._speed)), dt)
        self._value = rotation_vector(gain * rotation_log(now @ self._value.T)) @ self._value
        return quaternion(self._value)


class DriveFilter:
    """Filters drive frames one after the other. Frames without a face (confidence 0) repeat the last filtered pose."""

    def __init__(self) -> None:
        self._translation = OneEuro(TRANSLATION)
        self._rotation = OneEuroRotation(ROTATION)
        self._coefficients = OneEuro(coefficient_tuning())
        self._gaze = OneEuro(GAZE)
        self._last: DriveFrame | None = None
        self._seen = -np.inf

    def reset(self) -> None:
        """Forget the past."""
        for part in (self._translation, self._rotation, self._coefficients, self._gaze):
            part.reset()
        self._last, self._seen = None, -np.inf

    def __call__(self, frame: DriveFrame) -> DriveFrame:
        """The filtered frame. After a gap of `GAP` seconds, or a step back in time, the filters are reset."""
        if frame.confidence <= 0.0 and self._last is not None:
            return replace(self._last, timestamp=frame.timestamp, confidence=0.0)
        dt = frame.timestamp - self._seen
        if not 0.0 <= dt < GAP:
            self.reset()
        dt = max(dt, SHORTEST)
        self._seen = frame.timestamp
        self._last = replace(
            frame,
            rotation=self._rotation(frame.rotation, dt),
            translation=self._translation(frame.translation, dt),
            coefficients=self._coefficients(frame.coefficients, dt).clip(0, 1).astype(np.float32),
            gaze=self._gaze(frame.gaze, dt).astype(np.float32),
        )
        return self._last
