"""The real pipeline of a room with the renderer of a GPU, in a process whose gsplat is played in torch on the processor."""

from __future__ import annotations

import sys
from types import ModuleType

import torch

from models.splat import cuda
from realtime.room import choose_renderer
from realtime.room.cuda_renderer import CudaRoomRenderer
from realtime.room.pipeline import LiveRoomPipeline
from realtime.room.renderer import RoomRenderer
from tests.gpu import fake_gsplat


def pipeline(width: int, height: int) -> LiveRoomPipeline:
    """For `RoomSetup.factory`: it changes its process for good."""
    torch.set_num_threads(1)
    module = ModuleType("gsplat")
    module.rasterization = fake_gsplat.rasterization  # type: ignore[attr-defined]
    sys.modules["gsplat"] = module

    def chosen(*_: object) -> RoomRenderer:
        return CudaRoomRenderer("cpu")

    cuda.problem = lambda: None  # type: ignore[assignment]
    choose_renderer.choose = chosen  # type: ignore[assignment]
    return LiveRoomPipeline(width, height)
