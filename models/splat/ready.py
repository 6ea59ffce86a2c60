"""Whether gsplat has drawn on this machine, so that nothing which may not wait has to compile it.

gsplat's kernels are compiled where they are first used, for minutes. `command` starts a process that has them compiled, draws
with them and keeps what came of it in the cache folder; `is_ready` reads that and imports nothing.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from models import caches
from models.atomic import atomic_write
from models.errors import VisavisError

NAME = "gsplat.json"
MOST_BYTES = 100_000
"""Of the file that is kept; a larger one is none of ours."""
DRIVER = Path("/proc/driver/nvidia/gpus")
"""Where NVIDIA's driver names its GPUs."""


@dataclass(frozen=True)
class Tried:
    """What was tried on what. library: the file of the kernels. problem: why it did not work, or nothing."""

    gsplat: str
    torch: str
    python: str
    gpus: tuple[str, ...]
    library: str = ""
    problem: str = ""


def is_installed() -> bool:
    """Whether there is a gsplat at all."""
    return importlib.util.find_spec("gsplat") is not None


def is_ready() -> bool:
    """Whether the gsplat that is installed drew on the GPUs that are there, and its kernels are still in their place."""
    last = last_tried()
    return last is not None and not last.problem and os.path.isfile(last.library)


def last_tried() -> Tried | None:
    """What came of the last try with these releases and GPUs; `None` when there was none."""
    try:
        path = caches.folder() / NAME
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            return None
        kept = json.loads(path.read_bytes())
        tried = Tried(**{**kept, "gpus": tuple(kept["gpus"])})
    except (OSError, ValueError, TypeError, KeyError, VisavisError):
        return None
    here = replace(_here(), library=tried.library, problem=tried.problem)
    return tried if tried == here and isinstance(tried.library, str) and isinstance(tried.problem, str) else None


def command() -> tuple[list[str], dict[str, str]]:
    """Words and environment of the process that calls `try_it`."""
    code = "import os; os.nice(10); from models.splat import ready; ready.try_it()"
    return [sys.executable, "-P", "-c", code], {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def try_it() -> Tried:
    """Compile gsplat where that is not done yet, draw a picture, and keep what came of it. For a process of its own: CUDA stays
    in it."""
    problem = _drawing_problem()
    tried = replace(_here(), library="" if problem else _library(), problem=problem)
    _keep(tried)
    return tried


def _drawing_problem() -> str:
    import numpy as np

    from models.splat import cuda
    from models.types import Camera, Gaussians

    if (why_not := cuda.problem()) is not None:
        return why_not
    one = Gaussians(*(np.full(shape, 0.5, np.float32) for shape in ((1, 3), (1, 4), (1, 3), 1, (1, 3))))
    one.means[:] = 0.0
    try:
        picture = cuda.CudaRasterizer().render(one, Camera.orbit(0.0, 0.0, width=32, height=32), depth=True)
    except Exception as error:  # whatever a driver or a kernel that was compiled for another GPU has to say
        return f"gsplat's first picture failed ({cuda.first_line(error)})"
    if not (np.isfinite(picture.color).all() and picture.alpha.max() > 0.1):
        return "gsplat's first picture is empty"
    return ""


def _library() -> str:
    """The file of the kernels; the package's, where it does not tell them."""
    import gsplat

    backend = sys.modules.get("gsplat.cuda._backend")
    return str(getattr(getattr(backend, "_C", None), "__file__", None) or gsplat.__file__)


def _here() -> Tried:
    return Tried(_version("gsplat"), _version("torch"), ".".join(map(str, sys.version_info[:3])), _gpus())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _gpus() -> tuple[str, ...]:
    """Models as the driver names them, in order; nothing where it does not."""
    found = []
    try:
        for path in sorted(DRIVER.glob("*/information")):
            lines = path.read_text(errors="replace").splitlines()
            found += [line.partition(":")[2].strip() for line in lines if line.startswith("Model")]
    except OSError:
        pass
    return tuple(found)


def _keep(tried: Tried) -> None:
    try:
        with atomic_write(caches.folder() / NAME) as out:
            out.write(json.dumps(asdict(tried)).encode())
    except (OSError, VisavisError):
        pass  # then the processor draws
