"""What `visavis doctor` says of a GPU: what of it is used for drawing, networks and encoding, why not, and how to get it."""

from __future__ import annotations

import subprocess
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

CUDA = "pip install 'visavis[cuda]' beside a CUDA build of torch"
TENSORRT = "pip install --extra-index-url https://pypi.nvidia.com tensorrt"

DRIVER = Path("/dev/nvidiactl")
"""Is there where NVIDIA's driver is loaded, in a container too that was given a GPU."""


@dataclass(frozen=True)
class Use:
    """what: is done. version: of what a GPU needs for it, where it is installed. chosen: what does it here. cure: how to let a
    GPU do it, or nothing."""

    what: str
    version: str | None
    chosen: str
    cure: str

    @property
    def line(self) -> str:
        """For the terminal."""
        return f"{self.what}: {self.chosen}" + (f"; {self.cure}" if self.cure else "")


def name() -> str | None:
    """Of the GPU, or what keeps torch from using the one that is there; `None` without one."""
    try:
        import torch

        if torch.cuda.is_available():
            return torch.cuda.get_device_name(0)
        reason = f"torch {torch.__version__} cannot use it; take its CUDA build for the driver's version"
    except (ImportError, OSError, RuntimeError) as error:
        reason = f"torch cannot be loaded ({str(error)[:100]})"
    return f"one by NVIDIA, but {reason}" if DRIVER.exists() else None


def uses(gpu: str | None) -> list[Use]:
    """For each kind of work. gpu: its name, `None` without one; then nothing is to be cured."""
    found = [_drawing(), _networks(), _encoding()]
    return found if gpu is not None else [Use(use.what, use.version, use.chosen, "") for use in found]


def records(found: list[Use]) -> list[dict[str, str | None]]:
    """For JSON."""
    return [asdict(use) for use in found]


def _drawing() -> Use:
    from models.splat import cuda, ready
    from realtime.room.cuda_renderer import AT_ONCE

    there = _version("gsplat")
    problem = _tried() if ready.is_installed() else cuda.problem()
    if not problem:
        return Use("drawing", there, f"gsplat {there} on the GPU, up to {AT_ONCE} pictures of a room at once", "")
    return Use("drawing", there, f"the processors, as {problem}", f"for drawing on an NVIDIA GPU: {CUDA} (docs/gpu.md)")


def _tried() -> str:
    """Why gsplat does not draw, or nothing. Compiles it in a process of its own, of which nothing is heard."""
    from models.splat import ready

    if not ready.is_ready() and ready.last_tried() is None:
        click.echo("gsplat is made ready; where its kernels have to be compiled that takes some minutes, once ...", err=True)
    words, environment = ready.command()
    subprocess.run(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    tried = ready.last_tried()
    return "the process that tried gsplat ended before it was done" if tried is None else tried.problem


def _networks() -> Use:
    from models.engines import choose, tensorrt
    from models.errors import MissingPartError

    try:
        there: str | None = tensorrt.version()
    except MissingPartError:
        there = None
    choice = choose.what_runs()
    chosen = "torch" if choice.first is None else f"ONNX Runtime on {choice.first}"
    if choice.then:
        kept = f"{choice.then}, once its engine is built" + (f", version {there}" if there else "")
        return Use("networks", there, f"{kept}; until then {chosen}", "")
    extra = "pip install 'visavis[engines]'; " if choice.first is None else ""
    return Use("networks", there, f"{chosen}, as {choice.reason}", f"for TensorRT on an NVIDIA GPU: {extra}{TENSORRT}")


def _encoding() -> Use:
    from realtime import nvenc

    there, problem = _version("av"), nvenc.problem()
    if problem is None:
        return Use("encoding", there, "H.264 by NVENC for pages that take it, else the processors", "")
    cure = "it needs a GPU with an encoder (A100, H100 and H200 have none), in a container with the driver's capability `video`"
    return Use("encoding", there, f"the processors; NVENC is not used: {problem}", cure)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
