"""Blinks and gaze, measured after the coefficients are solved; closed eyes keep their last gaze.

The gap between upper and lower lid is compared with the gaps that the person's head would show in this pose and gaze with the
eye open and with the eye closed. Both eyes have one gaze direction.
"""

from __future__ import annotations

import numpy as np

from models import arkit
from models.tracking.face_basis import LOOKS, FaceBasis
from models.tracking.pinhole import project
from models.types import Array64

_LIDS = np.array([((387, 373), (386, 374), (385, 380)), ((160, 144), (159, 145), (158, 153))])
"""Pairs across the opening of the left and the right eye, upper and lower."""
_CORNERS = np.array([(263, 362), (33, 133)])
"""Outer and inner corners."""
LANDMARKS = (*_LIDS.ravel().tolist(), *_CORNERS.ravel().tolist())
"""Landmarks that the tracker's bias must include."""

BLINK, WIDE = ([arkit.INDEX[f"{name}{side}"] for side in ("Left", "Right")] for name in ("eyeBlink", "eyeWide"))
LOOK_LEFT, LOOK_RIGHT, LOOK_UP, LOOK_DOWN = ([arkit.INDEX[name] for name in pair] for pair in LOOKS)
OPEN, CLOSED = 0.08, 0.88
"""Measured closing under which an eye counts as open, and above which as closed."""
GAIN = 1.3
"""The prior shrinks gaze; this factor restores its range (measured on drawn faces)."""
UNSEEN = 0.7
"""Closing of the more open eye from which the irises are hidden."""


class Eyes:
    """Remembers the last gaze; one person, one thread. closing: (2,) as last measured, left and right; see `_closing`."""

    def __init__(self, basis: FaceBasis) -> None:
        self._basis = basis
        where = basis.bias.landmarks
        self._upper, self._lower = np.searchsorted(where, _LIDS).transpose(2, 0, 1)
        self._corners = np.searchsorted(where, _CORNERS)
        self._gaze = np.zeros(2)
        self.closing = np.zeros(2)

    def measure(
        self, coefficients: Array64, pixels: Array64, resting: Array64, rotation: Array64, translation: Array64, focal: float
    ) -> Array64:
        """Gaze (2, 2) as in `DriveFrame`, from the solved `coefficients` (52,), in which blink, wide and look are overwritten.

        pixels: (N, 2) from the picture's middle. resting: (N, 3) the face at rest, head space.
        """
        self.closing = self._closing(coefficients, pixels, resting, rotation, translation, focal)
        inwards, outwards, up, down = self._basis.gaze_range
        aside = np.clip(GAIN * (coefficients[LOOK_LEFT[0]] - coefficients[LOOK_RIGHT[0]]), -1.0, 1.0)
        above = np.clip(GAIN * (coefficients[LOOK_UP[0]] - coefficients[LOOK_DOWN[0]]), -1.0, 1.0)
        if self.closing.min() < UNSEEN:
            self._gaze = np.array([aside * 0.5 * (inwards + outwards), above * (up if above > 0 else down)])
        else:
            aside = self._gaze[0] / (0.5 * (inwards + outwards))
            above = self._gaze[1] / (up if self._gaze[1] > 0 else down)
        for places, amount in ((LOOK_LEFT, aside), (LOOK_RIGHT, -aside), (LOOK_UP, above), (LOOK_DOWN, -above)):
            coefficients[places] = max(amount, 0.0)
        coefficients[BLINK] = np.clip((self.closing - OPEN) / (CLOSED - OPEN), 0.0, 1.0)
        coefficients[WIDE] *= np.clip(1.0 - self.closing / 0.2, 0.0, 1.0)
        return np.tile(self._gaze, (2, 1))

    def _closing(
        self, coefficients: Array64, pixels: Array64, resting: Array64, rotation: Array64, translation: Array64, focal: float
    ) -> Array64:
        """(2,) how far each eye is closed: 0 as at rest, 1 as a blink at 1 does it, below 0 when wider than at rest."""
        opened, closed = (
            self._gap(project(resting + np.einsum("j,jcn->nc", c, self._basis.expression), rotation, translation, focal).pixels)
            for c in (_with_lids(coefficients, 0.0), _with_lids(coefficients, 1.0))
        )
        least = 2e-3 * focal / -translation[2]
        return np.clip((opened - self._gap(pixels)) / np.maximum(opened - closed, least), -2.0, 2.0)

    def _gap(self, pixels: Array64) -> Array64:
        """(2,) pixels between the lids, across the line between the eye's corners; negative when they cross."""
        along = pixels[self._corners[:, 0]] - pixels[self._corners[:, 1]]
        along = along * ((1.0,), (-1.0,)) / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
        apart = (pixels[self._lower] - pixels[self._upper]).mean(axis=1)
        return np.asarray(along[:, 0] * apart[:, 1] - along[:, 1] * apart[:, 0])


def _with_lids(coefficients: Array64, blink: float) -> Array64:
    out = coefficients.copy()
    out[BLINK], out[WIDE] = blink, 0.0
    return out
