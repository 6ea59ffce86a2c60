"""Which of the renderers draws a room's pictures: decided here, and said in one line of the log."""

from __future__ import annotations

import logging
from typing import cast

from models.splat import choose as rasterizers
from models.splat import ready
from models.splat.base import LiveRasterizer
from realtime.room.renderer import RoomRenderer

log = logging.getLogger(__name__)


def choose(rasterizer: str = "auto", width: int = 512, height: int = 512) -> RoomRenderer:
    """By the name of a rasterizer (`models.splat.choose.NAMES`); width, height: of the pictures that it gets ready for.

    "auto" draws at once, on the processor; where gsplat is installed the GPU takes over as soon as somebody is in the room and
    `models.splat.ready` says that it works. Raises `MissingPartError` for one that is not installed.
    """
    if rasterizer == "auto":
        renderer, name = _automatic(width, height), "cpu"
        note = "; the GPU takes over when it is ready" if ready.is_installed() else ""
    else:
        made = cast(LiveRasterizer, rasterizers.by_name(rasterizer))
        renderer, name, note = (_on_gpu() if made.name == "cuda" else _on_processor(made)), made.name, ""
    renderer.warm(width, height)
    log.info("a room's pictures are drawn by the rasterizer %s, %d at once%s", name, renderer.at_once, note)
    return renderer


def _automatic(width: int, height: int) -> RoomRenderer:
    if not ready.is_installed():
        return _on_processor()
    from realtime.room.switching_renderer import SwitchingRenderer

    def other() -> RoomRenderer | None:
        if not ready.is_ready():
            return None
        made = _on_gpu()
        made.warm(width, height)
        return made

    return SwitchingRenderer(_on_processor, other)


def _on_processor(rasterizer: LiveRasterizer | None = None) -> RoomRenderer:
    from models.splat.cpu import CpuRasterizer
    from realtime.room.cpu_renderer import CpuRoomRenderer

    return CpuRoomRenderer(rasterizer or CpuRasterizer())


def _on_gpu() -> RoomRenderer:
    from realtime.room.cuda_renderer import CudaRoomRenderer

    return CudaRoomRenderer()
