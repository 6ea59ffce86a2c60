"""How finely the avatar is drawn, so that the rate of pictures holds on a machine that is slow or busy.

Drawing takes less time for fewer pixels; tracking, solving and encoding cannot be made cheaper. So when the pictures of a drive
frame take too long, all views are drawn smaller and scaled up; when there has been time to spare for a while, larger again. A
step up that has to be taken back makes the next one wait twice as long.
"""

from __future__ import annotations

import statistics
from collections import deque

SCALES = (1.0, 0.8, 0.64, 0.5)
"""Parts of the full width and height; each step draws about two thirds of the pixels."""
FIXED = 0.4
"""Part of a full picture's time that does not depend on its size: every Gaussian is projected and sorted in any size."""
BUDGET = 16.0
"""Milliseconds for all pictures of a drive frame: half of the 33 between two, as the cores have other work too."""
SPARE = 0.75
"""Part of the budget that a step up may be expected to take."""
ROUND = 15
"""Drive frames between two decisions: half a second at 30 frames/s."""
PATIENCE, LONGEST = 4, 60
"""Rounds with time to spare before a step up: two seconds at first, half a minute at most."""
STEADY = 2 * LONGEST
"""Rounds without a step up after which the patience is the first one again."""


class QualityControl:
    """Chooses among `SCALES` by the median time of the last `ROUND` drive frames. It counts frames and needs no clock."""

    def __init__(self) -> None:
        self._level = 0
        self._times: deque[float] = deque(maxlen=ROUND)
        self._spare, self._since_up = 0, STEADY
        self._patience = PATIENCE

    @property
    def scale(self) -> float:
        """Part of the full width and height to draw now."""
        return SCALES[self._level]

    def add(self, milliseconds: float) -> None:
        """The time that all pictures of one drive frame took at the present scale."""
        self._times.append(milliseconds)
        if len(self._times) < ROUND:
            return
        took = statistics.median(self._times)
        self._times.clear()
        self._since_up += 1
        if took > BUDGET and self._level < len(SCALES) - 1:
            came_up_in_vain = self._since_up <= PATIENCE
            self._patience = min(2 * self._patience, LONGEST) if came_up_in_vain else self._patience
            self._move(1)
        elif self._level > 0 and took * _cost(SCALES[self._level - 1]) / _cost(self.scale) < SPARE * BUDGET:
            self._spare += 1
            if self._spare >= self._patience:
                self._move(-1)
                self._since_up = 0
        else:
            self._spare = 0
        if self._since_up > STEADY:
            self._patience = PATIENCE

    def _move(self, step: int) -> None:
        self._level += step
        self._spare = 0


def _cost(scale: float) -> float:
    """Time for a picture, as a part of that for a full one."""
    return FIXED + (1.0 - FIXED) * scale**2
