"""How fast the rasterizers are on this machine, with a plain torch one in the same run to compare with."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from models.splat import choose, reference, workers
from models.splat.base import LiveRasterizer
from models.splat.cpu import CpuRasterizer
from models.splat.cuda import CudaRasterizer
from models.types import Camera, Gaussians

HEIGHT, WIDTH, LENGTH = 0.20, 0.15, 0.18  # of the head, metres
DISTANCE = 0.9  # from the camera, metres
FILL = 2.0 / 3.0  # of the picture's height


def head_scene(count: int, seed: int = 0) -> Gaussians:
    """`count` flat Gaussians spread over an ellipsoid of a head's size; sigma is 1.5 px at 20,000 and 512 px."""
    rng = np.random.default_rng(seed)
    place = (np.arange(count) + 0.5) / count
    polar, azimuth = np.arccos(1.0 - 2.0 * place), np.pi * (1.0 + np.sqrt(5.0)) * np.arange(count)
    unit = np.stack([np.cos(azimuth) * np.sin(polar), np.cos(polar), np.sin(azimuth) * np.sin(polar)], axis=1)
    half = 0.5 * np.array([WIDTH, HEIGHT, LENGTH])
    normals = unit / half
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    # The shortest rotation of +z onto the normal; the tiny constant keeps the one at -z from being zero.
    quaternions = np.stack([1.0 + normals[:, 2], -normals[:, 1], normals[:, 0] + 1e-9, np.zeros(count)], axis=1)
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    area = 4.0 * np.pi * (np.prod(half) ** (2.0 / 3.0)) / count
    scales = 0.4 * np.sqrt(area) * np.array([1.0, 1.0, 0.2]) * rng.uniform(0.9, 1.1, (count, 3))
    arrays = (unit * half, quaternions, scales, rng.uniform(0.8, 0.99, count), 0.5 + 0.5 * normals)
    return Gaussians(*[array.astype(np.float32) for array in arrays])


def head_camera(size: int, yaw: float = 0.3) -> Camera:
    """A square picture of `size` pixels in which `head_scene` takes FILL of the height."""
    fov_y = 2.0 * np.arctan(0.5 * HEIGHT / FILL / DISTANCE)
    return Camera.orbit(yaw, distance=DISTANCE, width=size, height=size, fov_y=fov_y)


def bench(
    counts: Sequence[int] = (20_000, 40_000),
    sizes: Sequence[int] = (256, 512),
    repeats: int = 50,
    *,
    baseline: bool = True,
    device: str = "cpu",
) -> list[dict[str, Any]]:
    """Time every task on every scene; one row each.

    what: "live" (render_into), "full" (render with depth and normal) or "gradients" (the differentiable rasterizer and its
    backward pass from given gradients of the picture). device: "cpu" or "cuda", where the work is done; arrays come from the
    host and pictures go back there in the first two, in "gradients" everything stays on the device. gaussians, size (px),
    threads (of the CPU). median_ms and p95_ms over `repeats`. baseline_ms: the same task and scene once with reference.py on
    that device; times_faster: baseline_ms / median_ms; both None without `baseline`. Raises MissingPartError where CUDA cannot
    be had.
    """
    rows: list[dict[str, Any]] = []
    rasterizer: LiveRasterizer = CpuRasterizer() if device == "cpu" else CudaRasterizer(device)
    for count in counts:
        for size in sizes:
            gaussians, camera = head_scene(count), head_camera(size)
            for what, task, plain in _tasks(rasterizer, gaussians, camera, device):
                times = _milliseconds(task, repeats, warm=2)
                median = float(np.median(times))
                slow = _milliseconds(plain, 1, warm=0)[0] if baseline else None
                rows.append(
                    {
                        "what": what,
                        "device": device,
                        "gaussians": count,
                        "size": size,
                        "threads": workers.available(),
                        "median_ms": median,
                        "p95_ms": float(np.percentile(times, 95)),
                        "baseline_ms": slow,
                        "times_faster": slow / median if slow is not None else None,
                    }
                )
    return rows


def _tasks(
    rasterizer: LiveRasterizer, gaussians: Gaussians, camera: Camera, device: str
) -> list[tuple[str, Callable[[], object], Callable[[], object]]]:
    """Name, the task, and the same in plain torch."""
    out = np.empty((camera.height, camera.width, 3), np.uint8)
    arrays = (gaussians.means, gaussians.rotations, gaussians.scales, gaussians.opacities, gaussians.colors)
    leaves = [torch.from_numpy(array).to(device).requires_grad_() for array in arrays]
    means, rotations, scales, opacities, colors = leaves
    white = torch.ones(3, device=device)
    drawing = choose.differentiable(device)

    def plain_picture() -> object:
        with torch.no_grad():
            return reference.rasterize(means, rotations, scales, opacities, colors, camera, white)

    def plain_normals() -> object:
        with torch.no_grad():
            features = torch.cat([colors, reference.shortest_axes(means, rotations, scales, camera)], dim=1)
            behind = torch.cat([white, torch.zeros_like(white)])
            return reference.rasterize(means, rotations, scales, opacities, features, camera, behind)

    size = (camera.height, camera.width)
    above = tuple(torch.rand(*shape, device=device) for shape in ((*size, 3), size, size))

    def gradients(draw: Callable[..., tuple[torch.Tensor, ...]]) -> None:
        for leaf in leaves:
            leaf.grad = None
        torch.autograd.backward(draw(*leaves, camera, white), above)
        if device != "cpu":
            torch.cuda.synchronize(device)

    return [
        ("live", lambda: rasterizer.render_into(gaussians, camera, out), plain_picture),
        ("full", lambda: rasterizer.render(gaussians, camera, depth=True, normal=True), plain_normals),
        ("gradients", lambda: gradients(drawing), lambda: gradients(reference.rasterize)),
    ]


def _milliseconds(task: Callable[[], object], repeats: int, warm: int) -> list[float]:
    """How long each of `repeats` calls took, after `warm` that do not count (compiling, growing workspaces)."""
    for _ in range(warm):
        task()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        task()
        times.append(1e3 * (time.perf_counter() - start))
    return times
