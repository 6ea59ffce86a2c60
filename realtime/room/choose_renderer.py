"""Which of the renderers draws a room's pictures: decided here, and said in one line of the log."""

from __future__ import annotations

import logging
from typing import cast

from models.splat import choose as rasterizers
from models.splat.base import LiveRasterizer
from realtime.room.renderer import RoomRenderer

log = logging.getLogger(__name__)


def choose(rasterizer: str = "auto", width: int = 512, height: int = 512) -> RoomRenderer:
    """By the name of a rasterizer (`models.splat.choose.NAMES`); width, height: of the pictures that it gets ready for. Raises
    `MissingPartError` for one that is not installed."""
    made = cast(LiveRasterizer, rasterizers.by_name(rasterizer))
    if made.name == "cuda":
        from realtime.room.cuda_renderer import CudaRoomRenderer

        renderer: RoomRenderer = CudaRoomRenderer()
    else:
        from realtime.room.cpu_renderer import CpuRoomRenderer

        renderer = CpuRoomRenderer(made)
    renderer.warm(width, height)
    log.info("a room's pictures are drawn by the rasterizer %s, %d at once", made.name, renderer.at_once)
    return renderer
