"""The pictures of a room on a GPU.

Everybody is posed there; all pictures of a size are drawn in one call of gsplat, then scaled, given their masks and made I420,
and come to the host in one copy into pinned memory. All of it is waited for once. gsplat itself waits once a call, for the
number of tiles that its Gaussians reach.

Each room is a process (realtime/room/process.py) with a context and a stream of its own, so several rooms share a GPU by its time
slices, or side by side where NVIDIA's MPS runs. Nothing here is made before the process is: CUDA does not survive a fork.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models import binding
from models.avatar import Avatar
from models.heads.base import HeadModel, PersonHead, quaternion
from models.renderer import view_camera
from models.splat import batch_cuda, cuda
from models.splat.batch_cuda import LENS, MOTION, Composition
from models.torch_binding import Frames
from models.torch_posing import POSE_NUMBERS, BoundTensors, TorchPoser, pose_numbers, table
from models.types import DriveFrame
from models.video.planar import i420
from realtime.room.renderer import Appearance, Pixels, RoomPicture, Timings, timed
from realtime.room.scene import Level, Levels, pose_in_room

AT_ONCE = 16
"""Pictures in one call."""
MOST_ROWS = 6_000_000
"""Gaussians of all pictures of one call of gsplat, counting each as often as it is drawn: about 1.5 GB of the device's memory."""
KEPT = 8
"""Compositions that are kept: people and their details change seldom, and each size of pictures has one."""


class CudaRoomAvatar:
    """See `realtime.room.renderer.RoomAvatar`. What lies on the device is made by the thread that draws, on its stream."""

    def __init__(self, avatar: Avatar, model: HeadModel, device: torch.device) -> None:
        self._avatar, self._device = avatar, device
        self._person = avatar.person(model)
        self.levels = Levels(avatar, binding.frames(self._person.rest, model.faces))
        self._poser: TorchPoser | None = None
        self._bound: dict[Level, BoundTensors] = {}
        self._posed: deque[PosedAvatar] = deque(maxlen=2)

    @property
    def person(self) -> PersonHead:
        """See `RoomAvatar`."""
        return self._person

    def refine(self) -> bool:
        """See `RoomAvatar`."""
        return self.levels.refine()

    def posed(self, drive: DriveFrame) -> PosedAvatar:
        """The avatar in that drive frame: the same as the last time if it is the same frame."""
        for posed in self._posed:
            if posed.drive is drive:
                return posed
        self._posed.append(PosedAvatar(self, drive))
        return self._posed[-1]

    @property
    def poser(self) -> TorchPoser:
        """Made when it is first asked for."""
        if self._poser is None:
            self._poser = TorchPoser(self._avatar, self._person, self._device)
        return self._poser

    def bound(self, level: Level) -> BoundTensors:
        """A coarser level on the device."""
        if level not in self._bound:
            self._bound[level] = BoundTensors.of(level.bound, self._device)
        return self._bound[level]


class PosedAvatar:
    """One avatar in one drive frame."""

    def __init__(self, avatar: CudaRoomAvatar, drive: DriveFrame) -> None:
        self.drive = drive
        self._avatar = avatar
        self._numbers: Tensor | None = None
        self._frames: Frames | None = None
        self._tables: dict[Level, Tensor] = {}

    @property
    def is_posed(self) -> bool:
        """Whether `pose` was called."""
        return self._frames is not None

    def numbers(self) -> NDArray[np.float32]:
        """What `pose` has to be given on the device."""
        person = self._avatar.person
        return pose_numbers(person, self.drive.coefficients, pose_in_room(self.drive, person))

    def pose(self, numbers: Tensor) -> None:
        """numbers: (POSE_NUMBERS,) on the device, in memory that may be used again."""
        self._numbers = numbers.clone()
        self._frames = self._avatar.poser.pose(self._numbers)

    def table(self, level: Level) -> Tensor:
        """The Gaussians of a level in the avatar's own space, (N, COLUMNS), once posed."""
        assert self._frames is not None and self._numbers is not None
        if level not in self._tables:
            coarse = level.cell > 0
            made = (
                table(self._avatar.bound(level), self._frames)
                if coarse
                else self._avatar.poser.table(self._frames, self._numbers)
            )
            self._tables[level] = made
        return self._tables[level]


Part = tuple[PosedAvatar, Level]


class CudaRoomRenderer:
    """See `realtime.room.renderer.RoomRenderer`. device: torch's. Raises `MissingPartError` without gsplat or a GPU."""

    at_once = AT_ONCE

    def __init__(self, device: str = "cuda") -> None:
        cuda.require()
        self._device = torch.device(device)
        self._on_gpu = self._device.type == "cuda"
        self._stream = torch.cuda.Stream(self._device, priority=-1) if self._on_gpu else None
        self._numbers = _Pinned(torch.float32, self._on_gpu)
        self._pictures = _Pinned(torch.uint8, self._on_gpu)
        self._compositions: dict[Any, Composition] = {}

    def warm(self, width: int, height: int) -> None:
        """Load gsplat's kernels, which are compiled where they are not yet."""
        lens = torch.from_numpy(lens_numbers(RoomPicture((), view_camera(width=width, height=height))))[None].to(self._device)
        with torch.inference_mode(), self._streaming():
            nothing = batch_cuda.whole([], self._device)
            composition = Composition.of([[(0, 1)]], 0, self._device)
            motion = torch.tensor([[1.0, 0, 0, 0, 0, 0, 0]], device=self._device)
            batch_cuda.draw(nothing, composition, motion, lens, width, height)
            self._wait()

    def avatar(self, avatar: Avatar, model: HeadModel) -> CudaRoomAvatar:
        """See `RoomRenderer`."""
        return CudaRoomAvatar(avatar, model, self._device)

    def draw(self, pictures: Sequence[RoomPicture], timings: Timings) -> list[Pixels]:
        """See `RoomRenderer`. Heights and widths are even."""
        with torch.inference_mode(), self._streaming():
            with timed(timings, "pose"):
                parts = [
                    [(s.avatar.posed(s.drive), s.avatar.levels.choose(p.scale * s.pixels_per_metre)) for s in p.shown]
                    for p in pictures
                ]
                numbers = self._upload(pictures, parts)
                room, places = _room(parts, self._device)
            with timed(timings, "splat"):
                groups = _groups(pictures, parts, places)
                rooms = self._rooms([pictures[group[0]] for group in groups], [len(group) for group in groups])
                motions, lenses = _split(numbers, pictures)
                for group, out in zip(groups, rooms, strict=True):
                    sets = [[places[part] for part in parts[i]] for i in group]
                    moved, looks = torch.cat([motions[i] for i in group]), torch.stack([lenses[i] for i in group])
                    first = pictures[group[0]]
                    drawn = batch_cuda.draw(room, self._composition(sets, len(room) - 1), moved, looks, *first.drawn_size)
                    out.copy_(finished(*drawn, first), non_blocking=True)
                self._wait()
        made = {i: planes.numpy() for group, out in zip(groups, rooms, strict=True) for i, planes in zip(group, out, strict=True)}
        return [made[i] for i in range(len(pictures))]

    def _upload(self, pictures: Sequence[RoomPicture], parts: list[list[Part]]) -> Tensor:
        """All numbers in one copy: motions and lenses of the pictures, then the poses that are new, which are posed. Returns the
        former, in order, on the device."""
        rows = [row for p in pictures for row in (*map(motion_numbers, p.shown), *([NO_MOTION] * (not p.shown)), lens_numbers(p))]
        fresh = list(dict.fromkeys(posed for shown in parts for posed, _ in shown if not posed.is_posed))
        rows += [posed.numbers() for posed in fresh]
        host = self._numbers.room(sum(map(len, rows)))
        np.concatenate(rows, out=host.numpy())
        there = host.to(self._device, non_blocking=True)
        start = len(there) - POSE_NUMBERS * len(fresh)
        for posed, numbers in zip(fresh, there[start:].reshape(-1, POSE_NUMBERS), strict=True):
            posed.pose(numbers)
        return there[:start]

    def _rooms(self, kinds: list[RoomPicture], counts: list[int]) -> list[Tensor]:
        """Room for groups of so many pictures of a kind in the host's pinned memory, each (count, 3 H / 2, W)."""
        shapes = [(count, 3 * p.height // 2, p.camera.width) for p, count in zip(kinds, counts, strict=True)]
        sizes = [b * h * w for b, h, w in shapes]
        return [part.reshape(shape) for part, shape in zip(self._pictures.room(sum(sizes)).split(sizes), shapes, strict=True)]

    def _composition(self, sets: list[list[tuple[int, int]]], empty: int) -> Composition:
        key = (empty, tuple(map(tuple, sets)))
        if key not in self._compositions:
            while len(self._compositions) >= KEPT:
                del self._compositions[next(iter(self._compositions))]
            self._compositions[key] = Composition.of(sets, empty, self._device)
        return self._compositions[key]

    def _streaming(self) -> Any:
        return torch.cuda.stream(self._stream) if self._stream is not None else nullcontext()

    def _wait(self) -> None:
        if self._stream is not None:
            self._stream.synchronize()


class _Pinned:
    """Memory of the host that a GPU copies from and into by itself; plain memory without one."""

    def __init__(self, kind: torch.dtype, pinned: bool) -> None:
        self._kind, self._pinned = kind, pinned
        self._kept = torch.empty(0, dtype=kind)

    def room(self, size: int) -> Tensor:
        """(size,), whatever is in it. The last one must be of no use any more."""
        if len(self._kept) < size:
            self._kept = torch.empty(size + size // 4, dtype=self._kind, pin_memory=self._pinned)
        return self._kept[:size]


NO_MOTION = np.array([1, 0, 0, 0, 0, 0, 0], np.float32)
"""For the transparent row of a picture of nobody."""


def motion_numbers(shown: Appearance) -> NDArray[np.float32]:
    """(MOTION,): quaternion and translation of where somebody stands."""
    turn, place = quaternion(shown.transform[:3, :3]), shown.transform[:3, 3]
    return np.concatenate([turn, place]).astype(np.float32)


def lens_numbers(picture: RoomPicture) -> NDArray[np.float32]:
    """(LENS,) of a picture at the size that it is drawn in."""
    c = picture.camera.resized(*picture.drawn_size)
    intrinsics = (c.fx, 0.0, c.cx, 0.0, c.fy, c.cy, 0.0, 0.0, 1.0)
    return np.concatenate([c.world_to_camera.reshape(-1), intrinsics, picture.behind]).astype(np.float32)


def finished(color: Tensor, alpha: Tensor, like: RoomPicture) -> Tensor:
    """Pictures of one size as they were drawn, (B, h, w, 3) and (B, h, w), at their full size, with their masks: I420,
    (B, 3 H / 2, W) uint8. like: one of them."""
    if like.mask:
        color = torch.cat([color, alpha[..., None]], dim=3)
    size = (like.camera.height, like.camera.width)
    if tuple(color.shape[1:3]) != size:
        color = functional.interpolate(color.permute(0, 3, 1, 2), size, mode="bicubic", align_corners=False).permute(0, 2, 3, 1)
    if like.mask:
        half = color[..., 3].clamp(0.0, 1.0).reshape(len(color), size[0] // 2, 2, size[1]).mean(dim=2)
        color = torch.cat([color[..., :3], half[..., None].expand(-1, -1, -1, 3)], dim=1)
    return i420(color)


def _room(parts: list[list[Part]], device: torch.device) -> tuple[Tensor, dict[Part, tuple[int, int]]]:
    """One table of everybody in all details that are seen, and for each the first row and the number of rows."""
    tables = {part: part[0].table(part[1]) for part in dict.fromkeys(part for shown in parts for part in shown)}
    places, at = {}, 0
    for part, rows in tables.items():
        places[part] = at, len(rows)
        at += len(rows)
    return batch_cuda.whole(list(tables.values()), device), places


def _split(numbers: Tensor, pictures: Sequence[RoomPicture]) -> tuple[list[Tensor], list[Tensor]]:
    """What `_upload` returns, as (shown, MOTION) and (LENS,) for each picture."""
    sizes = [size for p in pictures for size in (MOTION * max(1, len(p.shown)), LENS)]
    parts = numbers.split(sizes)
    return [part.reshape(-1, MOTION) for part in parts[::2]], list(parts[1::2])


def _groups(pictures: Sequence[RoomPicture], parts: list[list[Part]], places: dict[Part, tuple[int, int]]) -> list[list[int]]:
    """Positions of pictures that are drawn in one call: of one size, and not too many Gaussians."""
    rows = [sum(places[part][1] for part in shown) for shown in parts]
    by_size: dict[Any, list[list[int]]] = {}
    for i, p in enumerate(pictures):
        same = by_size.setdefault((p.drawn_size, p.camera.width, p.camera.height, p.mask), [[]])
        if same[-1] and max(rows[k] for k in [*same[-1], i]) * (len(same[-1]) + 1) > MOST_ROWS:
            same.append([])
        same[-1].append(i)
    return [group for same in by_size.values() for group in same]
