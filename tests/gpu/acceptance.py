"""What a machine with a GPU has to show: one table. `tests/gpu/acceptance.sh` calls it; docs/gpu.md says how to read it.

Needs torch, numpy and this repository (the head asset ships with it): neither mediapipe nor anny, nothing installed, only
PYTHONPATH. Rows that need numba (the CPU rasterizer, the numba poser) or gsplat and a CUDA device say so where these are
missing. The exit status is 1 when a row failed, and only then.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.splat import choose, reference
from models.splat.cuda import problem
from tests.gpu import encoding, engines, optimising, personal, rooms, training
from tests.gpu.scenes import PosedHead, Splats, camera, cloud
from tests.gpu.table import Check, NotRun, Row, at_least, at_most, records, reported, run, text

NAMES = ("means", "rotations", "scales", "opacities", "features")
FEATURES = 9
"""Colours, colours with offsets, and normals: what reconstruction draws at most."""
MOST_OFF, MEAN_OFF = 0.02, 2e-4
"""Of a picture in [0, 1] from the float64 reference: a pixel on a threshold differs by up to 1/255, seldom by several."""
GRADIENT_OFF = 0.01
"""Of a gradient, relative, in the norm over all Gaussians; where no pixel lies on a threshold it is 1e-4."""
FITTED = 50.0
"""Forward and backward passes a second that a GPU should reach."""
DEVICES = {"cpu": "cpu", "cuda": "cuda"}
"""Where torch puts the tensors of a row."""
LIVE = {512: 300.0, 1024: 200.0}
"""Pictures a second of a posed avatar that a GPU should reach, by side in pixels."""


@dataclass(frozen=True)
class Sizes:
    """cloud, bust: Gaussians of the two scenes that are compared, drawn `side` pixels wide. avatar: Gaussians of the one that is
    timed, at `live` pixels, and, with `fitted` pixels, forward and backward, each for `seconds`. steps: of the optimiser.
    people: of the room. active: Gaussians that a person's networks change. trained: pixels at which the prior is trained, on
    the processor and on a GPU, for `training_steps`.
    tiny: with a network of a few thousand weights instead of the one that ships."""

    cloud: int = 400
    bust: int = 6000
    side: int = 160
    avatar: int = 45_000
    live: tuple[int, ...] = (512, 1024)
    fitted: tuple[int, ...] = (256, 512)
    seconds: float = 2.0
    steps: int = 200
    people: int = 8
    active: int = personal.ACTIVE
    trained: tuple[int, int] = (32, 128)
    training_steps: int = 6
    tiny: bool = False


TINY = Sizes(
    cloud=60, bust=300, side=32, avatar=500, live=(48,), fitted=(32,), seconds=0.05, steps=3, people=3, active=50,
    trained=(16, 16), tiny=True,
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Print the table; the exit status."""
    parser = argparse.ArgumentParser(description="Accept a machine with a GPU: parity, speed, optimisation; one table.")
    parser.add_argument("--tiny", action="store_true", help="scenes of a few Gaussians, to try the script itself")
    parser.add_argument("--minutes", type=float, default=9.0, metavar="N", help="begin nothing later (default: 9)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write machine and rows there too")
    chosen = parser.parse_args(arguments)
    sizes = TINY if chosen.tiny else Sizes()
    rows = run(checks(sizes), lambda line: print(line, file=sys.stderr), 60 * chosen.minutes)
    about = machine()
    print("\n".join(f"{name}: {value}" for name, value in about.items()) + "\n\n" + text(rows))
    count = {status: sum(row.status == status for row in rows) for status in ("ok", "not run", "failed")}
    print("\n" + ", ".join(f"{n} {status}" for status, n in count.items()))
    if chosen.json is not None:
        chosen.json.write_text(json.dumps({"machine": about, "rows": records(rows)}, indent=1))
    return 1 if count["failed"] else 0


def machine() -> dict[str, str]:
    """What this ran on."""
    there = torch.cuda.is_available()
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "gpu": torch.cuda.get_device_name() if there else "none",
        "gsplat": _version("gsplat"),
        "tensorrt": _version("tensorrt"),
        "numba": _version("numba"),
        "cpu threads": str(torch.get_num_threads()),
    }


def checks(sizes: Sizes) -> list[Check]:
    """All of them, in the table's order: those that draw with gsplat come late, as it may still be compiled."""
    scenes: list[tuple[str, Callable[[], Splats]]] = [
        ("cloud", partial(cloud, sizes.cloud, FEATURES)),
        ("avatar", partial(_bust, sizes.bust)),
    ]
    timed = partial(_rate, seconds=sizes.seconds)
    networks: list[Check] = []
    for provider in ("cpu", "cuda"):
        networks.append((f"{provider}: networks on ONNX Runtime", partial(engines.parity, provider, timed)))
    networks.append(("cpu: a person's networks", partial(personal.on_processor, timed, sizes.active)))
    networks.append(("nvenc: H.264", partial(encoding.nvenc, timed)))
    for device, side in zip(("cpu", "cuda"), sizes.trained, strict=True):
        networks.append((f"{device}: training", partial(trained, device, side, sizes)))
    out: list[Check] = []
    for device in ("cpu", "cuda"):
        for name, scene in scenes:
            out.append((f"{device}: {name}, parity", partial(parity, device, name, scene, sizes.side)))
        for side in sizes.live:
            out.append((f"{device}: posed avatar, {side} px", partial(live, device, side, sizes)))
            if device == "cuda":
                out.append((f"cuda: all on the device, {side} px", partial(resident, side, sizes)))
        out.append((f"{device}: room of {sizes.people}", partial(together, device, sizes)))
        for side in sizes.fitted:
            out.append((f"{device}: forward and backward, {side} px", partial(fitting, device, side, sizes)))
        out.append((f"{device}: optimisation", partial(optimised, device, sizes)))
        if device == "cpu":
            out += networks
    # TensorRT's engines may be built for minutes
    out.append(("cuda: a person's networks", partial(personal.on_device, timed, active=sizes.active)))
    out.append(("cuda: networks on TensorRT", partial(engines.tensorrt, timed)))
    return out


def parity(device: str, name: str, make: Callable[[], Splats], side: int) -> Iterator[Row]:
    """Pictures and gradients of `device` against plain torch in float64 on the CPU."""
    view, draw, scene = camera(side), differentiable(device), make()
    truth, expected = _with_gradients(reference.rasterize, scene.to(torch.float64), view)
    ours, got = _with_gradients(draw, scene.to(DEVICES[device]), view)
    for part, a, b in zip(("features", "alpha", "depth"), ours, truth, strict=True):
        off = np.abs(a - b)
        yield at_most(f"{device}: {name}, {part}, largest difference", float(off.max()), MOST_OFF)
        yield at_most(f"{device}: {name}, {part}, mean difference", float(off.mean()), MEAN_OFF)
    for part, a, b in zip(NAMES, got, expected, strict=True):
        error = float(np.linalg.norm(a - b)) / max(float(np.linalg.norm(b)), 1e-12)
        yield at_most(f"{device}: {name}, gradient of {part}, relative error", error, GRADIENT_OFF)


def live(device: str, side: int, sizes: Sizes) -> Iterator[Row]:
    """Pictures a second as the service draws them for a room of one, as bytes on the host."""
    timed = partial(_rate, seconds=sizes.seconds)
    yield from rooms.single(device, _renderer(device), sizes.avatar, side, timed, _wanted(device, side))


def together(device: str, sizes: Sizes) -> Iterator[Row]:
    """All views of a room, drawn at once and one by one."""
    renderer = _renderer(device)
    other = _renderer("cpu") if device != "cpu" else None
    timed = partial(_rate, seconds=sizes.seconds)
    yield from rooms.several(device, renderer, sizes.people, sizes.avatar, sizes.live[0], timed, other)


def _renderer(device: str) -> Any:
    """What draws the rooms of the service."""
    for module, why in (("numba", "avatars are made ready with it"), ("scipy", "small people are drawn from merged Gaussians")):
        _need(module, why)
    if device == "cpu":
        _need("cv2", "small pictures are scaled with it")
        from models.splat.cpu import CpuRasterizer
        from realtime.room.cpu_renderer import CpuRoomRenderer

        return CpuRoomRenderer(CpuRasterizer())
    if (why_not := problem()) is not None:
        raise NotRun(why_not)
    from realtime.room.cuda_renderer import CudaRoomRenderer

    return CudaRoomRenderer(DEVICES[device])


def resident(side: int, sizes: Sizes) -> Iterator[Row]:
    """The same with everything on the device: posed there by torch, drawn, nothing copied back but a number."""
    draw = differentiable("cuda")
    bust, view = PosedHead(sizes.avatar, DEVICES["cuda"]), camera(side)
    behind = torch.ones(3, device=DEVICES["cuda"])

    def picture(i: int) -> None:
        with torch.inference_mode():
            draw(*bust.splats(bust.expression(i / 30), 0.2).all(), view, behind)

    yield _speed(f"cuda: all on the device, {sizes.avatar} Gaussians, {side} px", "cuda", _rate(picture, sizes.seconds), side)


def fitting(device: str, side: int, sizes: Sizes) -> Iterator[Row]:
    """Forward and backward passes a second, with as many features as reconstruction draws at most."""
    draw, view = differentiable(device), camera(side)
    scene = _bust(sizes.avatar, DEVICES[device])
    leaves = [tensor.requires_grad_() for tensor in scene.all()]
    behind, above = (torch.ones(*shape, FEATURES, device=DEVICES[device]) for shape in ((), (side, side)))

    def both(_: int) -> None:
        torch.autograd.grad(draw(*leaves, view, behind)[0], leaves, above)

    per_second = _rate(both, sizes.seconds)
    name = f"{device}: forward and backward, {sizes.avatar} Gaussians, {FEATURES} features, {side} px"
    yield reported(name, per_second, "/s") if device == "cpu" else at_least(name, per_second, FITTED, "/s")


def optimised(device: str, sizes: Sizes) -> Iterator[Row]:
    """Seconds for some steps of the real optimiser on frames of a known avatar, and what is left of the loss."""
    for module, why in (
        ("numba", "enrollment poses with it"),
        ("cv2", "captures are resized with it"),
        ("psutil", "enrollment asks it for the free memory"),
        ("scipy", "enrollment fits with it"),
    ):
        _need(module, why)
    if device != "cpu" and (why_not := problem()) is not None:
        raise NotRun(why_not)
    seconds, before, after = optimising.steps(DEVICES[device], sizes.steps)
    yield reported(f"{device}: {sizes.steps} optimisation steps, 3 frames of 256 px", seconds, "s")
    yield at_least(f"{device}: decibels gained by them", after - before, 0.5, "dB", f"from {before:.1f} to {after:.1f}")


def trained(device: str, side: int, sizes: Sizes) -> Iterator[Row]:
    """Seconds for a step of the prior's training, and whether its loss falls."""
    for module in ("diffusers", "safetensors", "cv2"):
        _need(module, "the prior is trained with it")
    if device != "cpu" and DEVICES[device] == "cuda" and not torch.cuda.is_available():
        raise NotRun("torch finds no CUDA device")
    seconds, before, after = training.steps(DEVICES[device], sizes.training_steps, side, tiny=sizes.tiny)
    yield reported(f"{device}: a step of the prior's training, 4 views of {side} px", seconds, "s")
    yield at_most(f"{device}: its loss at the end", after, before, "", f"from {before:.2f}")


def differentiable(device: str) -> Callable[..., Any]:
    """choose.differentiable, or NotRun with what is missing."""
    if device == "cpu":
        _need("numba", "the CPU rasterizer is made of it")
    elif (why_not := problem()) is not None:
        raise NotRun(why_not)
    return choose.differentiable(device)


def _with_gradients(draw: Callable[..., Any], scene: Splats, view: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """features, alpha and depth, and the gradients of a fixed loss over them, float64 on the CPU."""
    leaves = [tensor.requires_grad_() for tensor in scene.all()]
    kind: dict[str, Any] = {"dtype": leaves[0].dtype, "device": leaves[0].device}
    rng = np.random.default_rng(7)
    behind = torch.as_tensor(rng.uniform(size=leaves[4].shape[1]), **kind)
    drawn = draw(*leaves, view, behind)
    # not noise: neighbouring pixels mostly agree on what they want, as in a fit
    y, x = np.mgrid[0 : view.height, 0 : view.width] / view.height
    loss = leaves[0].new_zeros(())
    for k, part in enumerate(drawn):
        weight = torch.as_tensor(np.sin(5 * x + k) * np.cos(4 * y - k) + 0.3, **kind)
        loss = loss + (part * (weight[..., None] if part.dim() == 3 else weight)).sum()
    loss.backward()
    return [_numbers(part) for part in drawn], [_numbers(leaf.grad) for leaf in leaves]


def _numbers(tensor: torch.Tensor | None) -> np.ndarray:
    if tensor is None:
        raise ValueError("a tensor has no gradient")
    return tensor.detach().double().cpu().numpy()


def _bust(count: int, device: str = "cpu") -> Splats:
    """The posed head as leaves, with FEATURES features."""
    bust = PosedHead(count, device)
    drawn = bust.splats(bust.expression(0.4), 0.2)
    features = torch.cat([drawn.features, drawn.features.flip(1), drawn.means], dim=1)
    return Splats(*(t.detach().clone() for t in (*drawn.all()[:4], features)))


def _rate(task: Callable[[int], object], seconds: float, warm: int = 3) -> float:
    """Calls of `task` a second, the device waited for at the end, after `warm` that do not count."""
    for i in range(warm):
        task(i)
    _wait()
    began, count = time.perf_counter(), 0
    while count < 5 or time.perf_counter() - began < seconds:
        task(count)
        count += 1
        if count % 10 == 0:
            _wait()  # launches run ahead of the device
    _wait()
    return count / (time.perf_counter() - began)


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _wanted(device: str, side: int) -> float | None:
    return None if device == "cpu" else LIVE.get(side)


def _speed(name: str, device: str, per_second: float, side: int) -> Row:
    wanted = _wanted(device, side)
    return reported(name, per_second, "/s") if wanted is None else at_least(name, per_second, wanted, "/s")


def _need(module: str, why: str) -> None:
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise NotRun(f"{module} cannot be imported, and {why} ({error})") from None


def _version(module: str) -> str:
    try:
        return str(getattr(importlib.import_module(module), "__version__", "of unknown version"))
    except ImportError:
        return "not installed"


if __name__ == "__main__":
    sys.exit(main())
