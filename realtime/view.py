"""The camera that one page asks for."""

from __future__ import annotations

import math
from dataclasses import dataclass

MAX_PITCH = math.radians(80)
MIN_DISTANCE, MAX_DISTANCE = 0.35, 3.0


@dataclass(frozen=True)
class ViewRequest:
    """An orbit camera: yaw and pitch in radians (yaw 0 faces the avatar, positive towards its left), distance in metres."""

    yaw: float = 0.0
    pitch: float = 0.0
    distance: float = 0.9

    @staticmethod
    def within_limits(yaw: float, pitch: float, distance: float) -> ViewRequest:
        """The nearest view that can be drawn: yaw in [-pi, pi], neither above the crown nor inside the head. Finite input."""
        return ViewRequest(
            math.remainder(yaw, 2 * math.pi),
            min(max(pitch, -MAX_PITCH), MAX_PITCH),
            min(max(distance, MIN_DISTANCE), MAX_DISTANCE),
        )

    def rounded(self) -> ViewRequest:
        """Rounded to a thousandth: pages whose requests round to equal numbers share a picture."""
        return ViewRequest(round(self.yaw, 3), round(self.pitch, 3), round(self.distance, 3))
