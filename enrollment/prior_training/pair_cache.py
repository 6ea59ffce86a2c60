"""Folders of training data: one file a synthetic head, made by worker processes, read row by row.

A head costs seconds to make and enroll but milliseconds to read, and training comes back to it many times.
"""

from __future__ import annotations

import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from enrollment.prior_training import face_crops, training_pairs
from models import stopping
from models.atomic import atomic_write, explained
from models.diffusion.batch import COLORS, MASKS, NORMALS, Batch, BatchSource, Faces, FaceSource
from models.errors import StorageError
from models.heads.base import HeadModel
from models.progress import ProgressCallback, no_progress

TRAINING, HELD_OUT = 1_000_000, 9_000_000
"""Seeds of the first training head and the first held-out one; a run never uses a million."""
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
FRESH = 100
"""Steps after which heads that were made meanwhile are taken in."""


@dataclass(frozen=True)
class _Files(ABC):
    """A folder of `<seed>.npy`, one a synthetic head, each with some rows of `kind`."""

    folder: Path

    @property
    @abstractmethod
    def kind(self) -> np.dtype[np.void]:
        """Of one row."""

    @abstractmethod
    def draw(self, model: HeadModel, seed: int) -> NDArray[np.void]:
        """The rows of a head. Any error of geometry means that there are none."""

    def path(self, seed: int) -> Path:
        return self.folder / f"{seed}.npy"

    def there(self, seeds: Iterable[int]) -> list[int]:
        """Those of the seeds that are there, in order. Raises `StorageError` when one of them is of another kind."""
        have = {int(p.stem) for p in self.folder.glob("*.npy") if re.fullmatch(r"\d+", p.stem)}
        found = [s for s in seeds if s in have]
        if found:
            self.rows(found[0])
        return found

    def rows(self, seed: int) -> NDArray[np.void]:
        """Those of a head, on disk until they are read."""
        try:
            rows = np.load(self.path(seed), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            raise StorageError(
                f"training data were expected in {self.path(seed).name}; delete that file, it is made again"
            ) from None
        if rows.dtype != self.kind or rows.ndim != 1 or not len(rows):
            raise StorageError(
                f"the folder {self.folder.name} holds training data of another kind than this version and configuration make; "
                "delete it or choose another folder"
            )
        return np.asarray(rows)

    def make(
        self,
        seeds: Iterable[int],
        *,
        workers: int = 2,
        stage: str = "drawing heads",
        progress: ProgressCallback = no_progress,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> list[int]:
        """Make what is missing, in worker processes that give way to everything else; the seeds that are there afterwards.

        stage: for `progress`. A head that fails is left out. Without workers nothing is made. Raises `StorageError`.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise explained(error, self.folder) from None
        seeds = list(seeds)
        missing = sorted(set(seeds) - set(self.there(seeds)))
        if not missing or not workers:
            return self.there(seeds)
        before = {name: os.environ.get(name) for name in ONE_THREAD}
        os.environ.update(dict.fromkeys(ONE_THREAD, "1"))  # what the workers are born with
        try:
            with ProcessPoolExecutor(workers, get_context("spawn"), _begin) as pool, ExitStack() as stack:
                stack.callback(pool.shutdown, cancel_futures=True)  # also when a signal ends it: what is not begun is left
                pending: set[Future[None]] = {pool.submit(_make, self, seed) for seed in missing}
                while pending and not cancelled():
                    done, pending = wait(pending, timeout=1.0, return_when=FIRST_COMPLETED)
                    for future in done:
                        try:
                            future.result()
                        except (stopping.Stopped, BrokenProcessPool):
                            if not cancelled():  # else all were asked to end
                                raise
                    progress(stage, 1 - len(pending) / len(seeds))
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
        return self.there(seeds)

    def _picked(self, heads: int, count: int, seed: int, frames: int = 1) -> Callable[[int], NDArray[np.void]]:
        """For each step `count` clips of `frames` neighbouring rows each, of different heads as far as possible, among the first
        `heads` training heads."""
        wanted = range(TRAINING, TRAINING + heads)
        known: dict[int, list[int]] = {}

        def picked(step: int) -> NDArray[np.void]:
            if step // FRESH not in known:
                known.clear()
                known[step // FRESH] = self.there(wanted)
            available = known[step // FRESH]
            if not available:
                raise StorageError(f"training data were expected in {self.folder.name}, there are none; make some first")
            rng = np.random.default_rng([seed, step])
            chosen = rng.choice(available, count, replace=count > len(available))
            files = [self.rows(head) for head in chosen]
            starts = [frames * rng.integers(len(rows) // frames) for rows in files]
            return np.concatenate([rows[start : start + frames] for rows, start in zip(files, starts, strict=True)])

        return picked

    def _held(self, heads: int, each: int | None) -> NDArray[np.void]:
        """The first `each` rows of each of the first `heads` held-out heads."""
        seeds = self.there(range(HELD_OUT, HELD_OUT + heads))
        if not seeds:
            raise StorageError(f"held-out data were expected in {self.folder.name}, there are none; make some first")
        return np.concatenate([self.rows(s)[:each] for s in seeds])


@dataclass(frozen=True)
class Cache(_Files):
    """Training pairs, `enrollment.prior_training.training_pairs`. size: pixels. views: of each head. frames: of a clip (G6)."""

    size: int = 64
    views: int = 12
    frames: int = 1

    @property
    def kind(self) -> np.dtype[np.void]:
        return training_pairs.row_type(self.size)

    def draw(self, model: HeadModel, seed: int) -> NDArray[np.void]:
        return training_pairs.rows(model, seed, size=self.size, views=self.views, frames=self.frames)

    def batches(self, heads: int, count: int, *, seed: int = 0, cross_view: bool = True) -> BatchSource:
        """Batches of `count` clips, of one pair each where `frames` is 1, of the first `heads` training heads.

        Heads that are made meanwhile are taken in every `FRESH` steps; from a complete folder a step's batch depends on the step
        only.
        """
        picked = self._picked(heads, count, seed, self.frames)
        return lambda step: to_batch(picked(step), cross_view=cross_view)

    def held(self, heads: int, *, views: int | None = None, cross_view: bool = True) -> Batch:
        """Pairs of the first `heads` held-out heads, the same few views of each."""
        return to_batch(self._held(heads, views), cross_view=cross_view)


@dataclass(frozen=True)
class FaceCache(_Files):
    """Parts of faces, `enrollment.prior_training.face_crops`."""

    @property
    def kind(self) -> np.dtype[np.void]:
        return face_crops.ROW

    def draw(self, model: HeadModel, seed: int) -> NDArray[np.void]:
        return face_crops.rows(model, seed)

    def batches(self, heads: int, count: int, *, seed: int = 0, cross_view: bool = True) -> FaceSource:
        """`count` groups of the first `heads` training heads, as `Cache.batches`."""
        picked = self._picked(heads, count, seed)
        return lambda step: to_faces(picked(step), cross_view=cross_view)

    def held(self, heads: int) -> Faces:
        """All groups of the first `heads` held-out heads."""
        return to_faces(self._held(heads, None))


def to_faces(rows: NDArray[np.void], *, cross_view: bool = True) -> Faces:
    """(G,) rows of `face_crops.ROW` -> as training takes them. cross_view off: the second webcam's pictures are the first's
    (G2)."""
    crops = torch.from_numpy(rows["parts"]).movedim(-1, -3).float() / 255
    points = torch.from_numpy(rows["points"].astype(np.float32))
    if not cross_view:
        crops, points = crops[:, :, :1].expand_as(crops), points[:, :, :1].expand_as(points)
    return Faces(crops.contiguous(), points.contiguous(), torch.from_numpy(rows["coefficients"].astype(np.float32)))


def to_batch(rows: NDArray[np.void], *, cross_view: bool = True) -> Batch:
    """(B,) rows of `training_pairs.row_type` -> a batch. cross_view off: the driving face is seen by the target's own camera
    (G2)."""

    def picture(name: str) -> Tensor:
        values = torch.from_numpy(np.ascontiguousarray(rows[name]))
        values = values[:, None] if values.ndim == 3 else values.permute(0, 3, 1, 2)
        return values.to(torch.float32) / (127 if values.dtype == torch.int8 else 255)

    names = [*COLORS, *NORMALS, *MASKS]
    return Batch(
        **{name: picture(name).contiguous() for name in names},
        driving=picture("parts" if cross_view else "parts_same").contiguous(),
        coefficients=torch.from_numpy(rows["coefficients"].astype(np.float32)),
    )


def _begin() -> None:
    stopping.left_to_the_parent()
    if hasattr(os, "nice"):
        os.nice(19)


def _make(files: _Files, seed: int) -> None:
    """In a worker: one head's file. A head that fails gets none."""
    from models.errors import VisavisError
    from models.heads.registry import by_name

    try:
        rows = files.draw(by_name("anny"), seed)
    except (VisavisError, ArithmeticError, np.linalg.LinAlgError, ValueError, IndexError):
        return
    with atomic_write(files.path(seed)) as stream:
        np.save(stream, rows, allow_pickle=False)


def throughput(source: BatchSource, steps: int = 20) -> float:
    """Pairs a second that `source` delivers."""
    began = time.perf_counter()
    return sum(len(source(step)) for step in range(steps)) / (time.perf_counter() - began)
