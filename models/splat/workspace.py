"""The arrays that one picture needs on its way, kept from one picture to the next; they grow and never shrink."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from models.splat import binning, project, workers
from models.splat.project import camera_vector
from models.types import Camera, Gaussians


class Workspace:
    """Everything between Gaussians and pixels. Used by one picture at a time; the owner sees to that.

    splats, boxes, keys: project.py; they may have more rows than the picture has Gaussians. The rest: binning.py.
    """

    def __init__(self) -> None:
        self.counter = np.zeros(1, np.int64)
        self.splats = np.empty((0, project.SPLAT), np.float32)
        self.boxes = np.empty((0, 4), np.int32)
        self.keys = np.empty(0, np.uint32)
        self.order = np.empty(0, np.int32)
        self.seen = 0
        self.columns = 0
        self.offsets = np.zeros(1, np.int64)
        self.pairs = np.empty(0, np.int32)
        self.slots = np.empty(0, np.int64)
        self._scratch = np.empty(0, np.int32)
        self._histogram = np.empty(2048, np.int32)
        self._cursors = np.empty(0, np.int64)
        self._buffers = np.empty((0, 0), np.float32)
        self._pair_rows = np.empty(0, np.float32)

    @property
    def bins(self) -> binning.Bins:
        """The picture's splats and tiles, after `prepare`; slots only after `number_pairs`."""
        return binning.Bins(self.columns, self.offsets, self.pairs, self.slots, self.splats, self.boxes)

    def buffers(self, threads: int, size: int) -> np.ndarray:
        """(>= threads, >= size) float32, a row for each worker."""
        if self._buffers.shape[0] < threads or self._buffers.shape[1] < size:
            self._buffers = np.empty((threads, size), np.float32)
        return self._buffers

    def pair_rows(self, width: int) -> np.ndarray:
        """(P, width) float32, a row for each (splat, tile) pair of the picture; what is in it is left over."""
        size = int(self.offsets[-1]) * width
        if self._pair_rows.shape[0] < size:
            self._pair_rows = np.empty(size + size // 4, np.float32)
        return self._pair_rows[:size].reshape(-1, width)

    def number_pairs(self) -> None:
        """Fill slots (N,) as binning.pair_slots says; after `prepare`."""
        if self.slots.shape[0] < self.keys.shape[0]:
            self.slots = np.empty(self.keys.shape[0], np.int64)
        binning.pair_slots(self.order, self.seen, self.boxes, self.slots)

    def prepare(self, gaussians: Gaussians, camera: Camera, threads: int) -> None:
        """Project, sort and bin: afterwards splats, boxes, order[:seen], offsets and pairs are this picture's."""
        if camera.width < 1 or camera.height < 1:
            raise ValueError(f"a picture needs at least one pixel, not {camera.width} x {camera.height}")
        count = len(gaussians)
        if count > self.keys.shape[0]:
            room = count + count // 8
            self.splats, self.boxes = np.empty((room, project.SPLAT), np.float32), np.empty((room, 4), np.int32)
            self.keys = np.empty(room, np.uint32)
            self.order, self._scratch = np.empty(room, np.int32), np.empty(room, np.int32)
        self.columns, rows = binning.grid(camera.width, camera.height)
        if self.offsets.shape[0] != self.columns * rows + 1:
            self.offsets = np.empty(self.columns * rows + 1, np.int64)
            self._cursors = np.empty(self.columns * rows, np.int64)

        view, arrays = camera_vector(camera), float_arrays(gaussians)
        self.counter[0] = 0
        workers.run(
            lambda _: project.project(self.counter, arrays, view, self.splats, self.boxes, self.keys),
            min(threads, -(-count // project.CHUNK)),
        )
        self.seen = binning.sort_by_depth(self.keys[:count], self.order, self._scratch, self._histogram)
        total = binning.count_pairs(self.keys[:count], self.boxes, self.columns, self.offsets)
        if total > self.pairs.shape[0]:
            self.pairs = np.empty(total + total // 4, np.int32)
        binning.fill_pairs(self.order, self.seen, self.boxes, self.columns, self.offsets, self.pairs, self._cursors)


class Lease:
    """A workspace until the lease is dropped; then the next lease gets it. For pictures that will go backward."""

    _free: ClassVar[list[Workspace]] = []  # append and pop are safe between threads

    def __init__(self) -> None:
        try:
            self.space = self._free.pop()
        except IndexError:
            self.space = Workspace()

    def __del__(self) -> None:
        self._free.append(self.space)


def float_arrays(gaussians: Gaussians) -> tuple[np.ndarray, ...]:
    """means, rotations, scales, opacities and colors, their shapes checked, as the kernels want them."""
    count = len(gaussians)
    shapes = {
        "means": (count, 3),
        "rotations": (count, 4),
        "scales": (count, 3),
        "opacities": (count,),
        "colors": (count, 3),
    }
    for name, shape in shapes.items():
        if getattr(gaussians, name).shape != shape:
            raise ValueError(f"{name} should have the shape {shape}, not {getattr(gaussians, name).shape}")
    return tuple(as_floats(getattr(gaussians, name)) for name in shapes)


def as_floats(array: np.ndarray) -> np.ndarray:
    """float32, contiguous and writable, copied only where it is not; for any other kind numba would compile anew."""
    return np.require(array, np.float32, ["C", "W"])
