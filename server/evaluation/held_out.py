"""A clip of which some pictures are held back, to be compared with later."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.video.reader import Clip


@dataclass(frozen=True)
class GappedClip(Clip):
    """withheld: numbers of the pictures that `frames` leaves out. fps: of what is left; times stay as they are."""

    withheld: frozenset[int] = frozenset()

    @staticmethod
    def without(clip: Clip, withheld: Collection[int]) -> GappedClip:
        """`clip` without these pictures."""
        values: dict[str, Any] = {field.name: getattr(clip, field.name) for field in fields(Clip)}
        left = 1 - len(withheld) / max(clip.frame_count, len(withheld) + 1)
        return GappedClip(**{**values, "fps": clip.fps * left}, withheld=frozenset(withheld))

    def frames(self, every: int = 1) -> Iterator[tuple[NDArray[np.uint8], float]]:
        """As of `Clip`, of what is left."""
        kept = 0
        for number, picture in enumerate(super().frames()):
            if number not in self.withheld:
                if kept % every == 0:
                    yield picture
                kept += 1
