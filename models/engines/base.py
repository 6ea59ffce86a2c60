"""What every engine is: named arrays in, named arrays out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.errors import VisavisError

Arrays = Mapping[str, NDArray[Any]]
Shape = tuple[int, ...]
Profile = Mapping[str, tuple[Shape, Shape, Shape]]
"""For each input, the smallest, the usual and the largest shape."""


class EngineError(VisavisError):
    """A network that cannot be run, or is given what it does not take."""


@dataclass(frozen=True)
class TensorSpec:
    """An input or an output. shape: None where the caller chooses (the batch)."""

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]


class Engine(Protocol):
    """A network ready to run. One call at a time."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @property
    def description(self) -> str:
        """For the log: what runs it, and where."""

    def run(self, feeds: Arrays) -> dict[str, NDArray[Any]]:
        """The outputs by name. Raises `EngineError` for missing or unknown names, other types or shapes than `inputs` says."""

    def close(self) -> None:
        """Give memory back. May be called twice; `run` raises `EngineError` after."""


def check(feeds: Arrays, inputs: Sequence[TensorSpec]) -> None:
    """Raises `EngineError` when `feeds` is not what `inputs` says."""
    if feeds.keys() != {spec.name for spec in inputs}:
        expected = ", ".join(sorted(spec.name for spec in inputs))
        raise EngineError(f"the inputs {expected} were expected, {', '.join(sorted(feeds)) or 'none'} came; give exactly these")
    for spec in inputs:
        array = feeds[spec.name]
        fits = len(array.shape) == len(spec.shape)
        fits = fits and all(wanted in (None, size) for wanted, size in zip(spec.shape, array.shape, strict=True))
        if not fits or array.dtype != spec.dtype:
            shape = "x".join("any" if size is None else str(size) for size in spec.shape)
            came = "x".join(map(str, array.shape))
            raise EngineError(
                f"the input {spec.name} was expected as {spec.dtype} {shape}, {array.dtype} {came} came; convert it before"
            )


def zeros(inputs: Sequence[TensorSpec], batch: int = 1) -> dict[str, NDArray[Any]]:
    """Feeds of nothing, to warm an engine up. batch: for each size that the caller chooses."""
    return {spec.name: np.zeros([batch if size is None else size for size in spec.shape], spec.dtype) for spec in inputs}
