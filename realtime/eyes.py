"""Lids and irises: how far the eyes are closed, and where they look.

Lids: the gap between upper and lower lid is set against the gaps that the person's head would show in this pose and gaze
with the eye open and with it closed. Gaze: how far the irises have moved from where they rest tells the turn of the
eyeballs, by the tracker's learned answer (realtime/response.py). Both eyes look the same way; the more open one has more say.
"""

from __future__ import annotations

import numpy as np

from models import arkit
from models.types import Array64
from realtime.face_basis import FaceBasis
from realtime.landmark_fit import project
from realtime.response import turn_features

_LIDS = np.array([((387, 373), (386, 374), (385, 380)), ((160, 144), (159, 145), (158, 153))])
"""Pairs across the opening of the left and the right eye, upper and lower."""
_UPPER, _LOWER = _LIDS.transpose(2, 0, 1)
_CORNERS = np.array([(263, 362), (33, 133)])
"""Outer and inner corners."""
IRISES = np.array([473, 468])
"""The middles of the left and the right iris."""

SIDES = ("Left", "Right")
BLINK, WIDE = ([arkit.INDEX[f"{name}{side}"] for side in SIDES] for name in ("eyeBlink", "eyeWide"))
IN, OUT, UP, DOWN = ([arkit.INDEX[f"eyeLook{way}{side}"] for side in SIDES] for way in ("In", "Out", "Up", "Down"))
OPEN, CLOSED = 0.08, 0.88
"""Measured closing under which an eye counts as open, and above which as closed."""
UNSEEN = 0.7
"""Closing from which an iris is not seen."""
FARTHEST = 1.3
"""Most that an eye turns, in gaze ranges."""
LID_SECONDS = 0.25
"""The gaze that lids are read by follows the irises this slowly: a blink that drags the iris down is still a blink."""


def iris_shift(pixels: Array64, irises: Array64, rotation: Array64, translation: Array64, focal: float) -> Array64:
    """(2, 2) metres in head space (to the person's left, up): how far the irises are from where these `irises`, (2, 3) head
    space, would be seen. pixels: (2, 2) from the picture's middle."""
    seen = project(irises, rotation, translation, focal)
    off = (pixels - seen.pixels).T * (-seen.points[:, 2] / focal) * np.array([[1.0], [-1.0]])
    flat = rotation[:2, :2]
    return np.asarray(np.linalg.solve(flat, off).T) if abs(np.linalg.det(flat)) > 0.2 else np.zeros((2, 2))


class Eyes:
    """Remembers the last gaze; one person, one thread.

    closing: (2,) as last measured, 0 open, 1 closed, left and right. rest: (2, 2) radians, what `measured` says of eyes that
    look straight ahead; the neutral calibration sets it.
    """

    def __init__(self, basis: FaceBasis) -> None:
        self._basis = basis
        self._every = basis.every.reshape(len(basis.every), -1)
        self._gaze, self._slow_pitch = np.zeros(2), 0.0
        self.closing = np.zeros(2)
        self.rest: Array64 = np.zeros((2, 2))

    def __call__(
        self, coefficients: Array64, pixels: Array64, resting: Array64, rotation: Array64, translation: Array64,
        focal: float, elapsed: float | None,
    ) -> Array64:  # fmt: skip
        """Gaze (2, 2) as in `DriveFrame`; blink, wide and look coefficients are written into `coefficients` (52,).

        pixels: (478, 2) from the picture's middle. resting: (468, 3) the face at rest, head space.
        elapsed: seconds since the last call, None when the face has just appeared.
        """
        if elapsed is None:
            self._gaze, self._slow_pitch = np.zeros(2), 0.0
        coefficients[[*IN, *OUT, *UP, *DOWN]] = 0.0
        pitch = np.array([self._slow_pitch] * 2)
        coefficients[UP], coefficients[DOWN] = self._up_down(pitch)
        self.closing = self._closing(coefficients, pixels, resting, rotation, translation, focal)
        self._gaze = self._look(self.measured(pixels, rotation, translation, focal) - self.rest)
        blend = 1.0 if elapsed is None else min(1.0, elapsed / LID_SECONDS)
        self._slow_pitch += blend * (self._gaze[1] - self._slow_pitch)
        gaze = np.tile(self._gaze, (2, 1))
        coefficients[UP], coefficients[DOWN] = self._up_down(gaze[:, 1])
        inwards, outwards = self._basis.gaze_range[:2]
        out = np.clip(gaze[:, 0] * (1.0, -1.0), -inwards, outwards)
        coefficients[OUT], coefficients[IN] = np.maximum(out, 0) / outwards, np.maximum(-out, 0) / inwards
        coefficients[BLINK] = np.clip((self.closing - OPEN) / (CLOSED - OPEN), 0.0, 1.0)
        coefficients[WIDE] *= np.clip(1.0 - self.closing / 0.2, 0.0, 1.0)
        return gaze

    def _up_down(self, pitch: Array64) -> tuple[Array64, Array64]:
        up, down = self._basis.gaze_range[2:]
        return np.clip(pitch / up, 0.0, 1.0), np.clip(-pitch / down, 0.0, 1.0)

    def measured(self, pixels: Array64, rotation: Array64, translation: Array64, focal: float) -> Array64:
        """(2, 2) yaw and pitch of each eye by its own iris, as they come. pixels: (478, 2) from the picture's middle."""
        shift = iris_shift(pixels[IRISES], self._basis.points[IRISES], rotation, translation, focal)
        return gaze_features(shift, rotation) @ self._basis.response.gaze.T * ((1.0, 1.0), (-1.0, 1.0))

    def _look(self, each: Array64) -> Array64:
        """(2,) yaw and pitch of both eyes; the last ones while they are closed."""
        seen = np.clip((UNSEEN - self.closing) / UNSEEN, 0.0, 1.0)
        if seen.sum() < 0.05:
            return self._gaze
        inwards, outwards, up, down = FARTHEST * self._basis.gaze_range
        side = min(inwards, outwards)
        return np.clip(seen @ each / seen.sum(), (-side, -down), (side, up))

    def _closing(
        self, coefficients: Array64, pixels: Array64, resting: Array64, rotation: Array64, translation: Array64, focal: float
    ) -> Array64:
        """(2,) how far each eye is closed: 0 as at rest, 1 as a blink at 1 does it, below 0 when wider than at rest."""
        opened, closed = (
            _gap(project(resting + (c @ self._every).reshape(3, -1).T, rotation, translation, focal).pixels)
            for c in (_with_lids(coefficients, 0.0), _with_lids(coefficients, 1.0))
        )
        least = 2e-3 * focal / -translation[2]
        return np.clip((opened - _gap(pixels)) / np.maximum(opened - closed, least), -2.0, 2.0)


def gaze_features(shift: Array64, rotation: Array64) -> Array64:
    """(2, 7) what gaze is linear in: each iris's shift (2, 2) metres and the head's turn. The right eye's as in a mirror."""
    turns = turn_features(rotation)
    left = np.concatenate([shift[0], turns])
    right = np.concatenate([shift[1] * (-1.0, 1.0), turns * (-1.0, 1.0, 1.0, 1.0, -1.0)])
    return np.stack([left, right])


def _with_lids(coefficients: Array64, blink: float) -> Array64:
    out = coefficients.copy()
    out[BLINK], out[WIDE] = blink, 0.0
    return out


def _gap(pixels: Array64) -> Array64:
    """(2,) pixels between the lids, across the line between the eye's corners; negative when they cross."""
    along = pixels[_CORNERS[:, 0]] - pixels[_CORNERS[:, 1]]
    along = along * ((1.0,), (-1.0,)) / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    apart = (pixels[_LOWER] - pixels[_UPPER]).mean(axis=1)
    return np.asarray(along[:, 0] * apart[:, 1] - along[:, 1] * apart[:, 0])
