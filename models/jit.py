"""How numba kernels are compiled: without the GIL, and cached on disk where there is a place for it.

Compiled code is kept in the `__pycache__` beside the kernel, in NUMBA_CACHE_DIR where that is set, else in the cache folder of
`models.caches`; where nothing can be written to it is compiled anew each time. numba renews a kernel's cache when the kernel's
own file changes, but not when a file changes from which it takes constants or other kernels; here any change in the kernel's
folder renews it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core import caching

from models import caches


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`@kernel(fastmath=True)`: `numba.njit` with these options, without the GIL, cached where that is possible."""

    def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
        dispatcher: Any = numba.njit(**{"nogil": True, **options})(function)
        if _place(Path(function.__code__.co_filename).parent) is not None:
            with suppress(RuntimeError):  # numba's "no locator available": the disk is full
                dispatcher._cache = _Cache(function)
        return dispatcher  # type: ignore[no-any-return]

    return compiled


@cache
def _place(sources: Path) -> Path | None:
    """Where the compiled code of the kernels in a folder is kept."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    beside, elsewhere = sources / "__pycache__", caches.prepare()
    apart = f"{sources.name}_{hashlib.sha256(bytes(sources)).hexdigest()[:24]}"
    candidates = [Path(given).absolute() / apart] if given else []
    candidates += [beside] if elsewhere is None else [beside, elsewhere / "kernels" / apart]
    for place in candidates:
        if caches.writable(place):
            try:
                place.mkdir(parents=True, exist_ok=True)
                return place
            except OSError:
                continue
    return None


@cache
def _stamp(sources: Path) -> str:
    """Changes with any source file of the folder."""
    digest = hashlib.sha256()
    for path in sorted(sources.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class _Locator(caching.InTreeCacheLocator):
    """numba's way to be told of a place."""

    def get_cache_path(self) -> str:
        return str(_place(Path(self._py_file).parent))

    def get_source_stamp(self) -> str:
        return _stamp(Path(self._py_file).parent)


class _Compiled(caching.CompileResultCacheImpl):
    _locator_classes = [_Locator]  # noqa: RUF012 - numba's own name and form


class _Cache(caching.FunctionCache):
    """A cache that is never the reason why work fails: what cannot be read is compiled, what cannot be kept is not."""

    _impl_class = _Compiled

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # whatever unpickling a damaged file raises
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except Exception:  # a full disk, a damaged index, a folder that was removed
            self.disable()
