"""Some steps of `enrollment.reconstruction.reconstruct` on pictures of a known avatar; imported where the acceptance has made
sure of numba."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from tests.gpu.scenes import PosedHead, camera

SIDE, COUNT = 256, 20_000


def steps(device: str, count: int) -> tuple[float, float, float]:
    """Seconds for `count` steps, and the PSNR in decibels of a frame before and after them."""
    from enrollment.reconstruction.capture import Capture, Frame
    from enrollment.reconstruction.config import ReconstructConfig
    from enrollment.reconstruction.reconstruct import reconstruct
    from models.avatar import AvatarPoser
    from models.heads.base import Pose
    from models.splat.cpu import CpuRasterizer

    config = ReconstructConfig(steps=count, size=SIDE, crops=0.0, rig=True, dynamics=True, device=device)
    bust = PosedHead(COUNT)
    truth = bust.avatar()
    frames = []
    for yaw, moment in ((-0.5, 0.1), (0.0, 0.5), (0.5, 0.8)):
        view, coefficients = camera(SIDE, yaw), bust.expression(moment).numpy()
        picture = CpuRasterizer().render(AvatarPoser(truth, bust.model).pose(coefficients), view)
        alpha = np.maximum(picture.alpha, 1e-3)[..., None]
        image = ((picture.color - (1 - alpha)) / alpha).clip(0, 1)
        frames.append(Frame((255 * image).round().astype(np.uint8), picture.alpha, view, Pose(), coefficients))
    noise = np.random.default_rng(0).normal(0, 0.15, truth.gaussians.colors.shape)
    spoiled = replace(truth.gaussians, colors=(truth.gaussians.colors + noise).clip(0, 1).astype(np.float32))
    start = replace(truth, gaussians=spoiled)

    def decibels(avatar: Any) -> float:
        like, rasterizer = frames[1], CpuRasterizer()
        drawn = [
            rasterizer.render(AvatarPoser(a, bust.model).pose(like.coefficients), like.camera).color for a in (avatar, truth)
        ]
        return float(-10 * np.log10(max(np.mean((drawn[0] - drawn[1]) ** 2), 1e-10)))

    began = time.perf_counter()
    result = reconstruct(start, bust.model, Capture(tuple(frames)), config)
    seconds = time.perf_counter() - began
    if result.stopped:
        raise ValueError(result.stopped)
    return seconds, decibels(start), decibels(result.avatar)
