"""The CUDA compiler that pip installs beside torch's own libraries, of the same release: to compile gsplat, nothing of the system
is needed but a C++ compiler.

torch looks for nvcc in CUDA_HOME, on PATH and in /usr/local/cuda, and links with libcudart.so; NVIDIA's packages lie in
`nvidia/cu13` among Python's, and have libcudart.so.13 alone.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from models import caches
from models.errors import VisavisError

GIVEN = ("CUDA_HOME", "CUDA_PATH")
"""Variables by which a user names another toolkit."""


def offer() -> None:
    """Let torch find the packaged toolkit, by this process's environment, before `torch.utils.cpp_extension` is imported.
    Nothing happens without one, or where a user names another."""
    home = packaged()
    if home is None or any(os.environ.get(name) for name in GIVEN):
        return
    os.environ["CUDA_HOME"] = str(home)
    runtime = max(home.glob("lib/libcudart.so*"), default=None, key=lambda path: len(path.name))
    if runtime is None:
        return
    with suppress(OSError, VisavisError):
        folder = caches.folder() / "cuda"
        folder.mkdir(mode=0o700, exist_ok=True)
        link = folder / "libcudart.so"
        if not link.is_symlink() or link.readlink() != runtime:
            link.unlink(missing_ok=True)
            link.symlink_to(runtime)
        os.environ["LIBRARY_PATH"] = os.pathsep.join(filter(None, [str(folder), os.environ.get("LIBRARY_PATH", "")]))


def packaged() -> Path | None:
    """The newest toolkit among Python's packages that has a compiler."""
    roots = [Path(folder) / "nvidia" for folder in sys.path if folder]
    found = [home for root in roots for home in root.glob("cu[0-9]*") if (home / "bin/nvcc").is_file()]
    return max(found, default=None, key=lambda home: int("".join(filter(str.isdigit, home.name))))
