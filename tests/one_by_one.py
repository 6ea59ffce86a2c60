"""What pipelines of tests are made of that draw one picture after the other."""

from __future__ import annotations

import numpy as np

from models.types import Camera
from realtime.room.framing import Color, add_mask
from realtime.room.pipeline import PictureOrder, Pixels, Shown


class OneByOne:
    """For a pipeline that draws one picture after the other, by `draw_one`."""

    at_once = 1

    def draw(self, orders: list[PictureOrder]) -> list[Pixels]:
        """See `RoomPipeline`."""
        return [self._picture_of(order) for order in orders]

    def _picture_of(self, order: PictureOrder) -> Pixels:
        camera = order.camera
        out = np.zeros((camera.height, camera.width, 4 if order.mask else 3), np.uint8)
        self.draw_one(order.shown, camera, order.scale, out, order.background)
        if not order.mask:
            return out
        masked = np.zeros((camera.height + camera.height // 2, camera.width, 3), np.uint8)
        add_mask(out, masked)
        return masked

    def draw_one(self, shown: list[Shown], camera: Camera, scale: float, out: Pixels, background: Color) -> None:
        """Draw over `background` (sRGB) into `out`, (height, width, 3) uint8 RGB, or 4 with the opacity; all of it."""
        raise NotImplementedError
