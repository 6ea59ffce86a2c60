"""The avatars of a room, and how they are drawn: each posed once for a drive frame, in the detail that its size asks for, and
all that a view shows placed into one set of Gaussians for one drawing."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import numpy as np

from models import binding, level_of_detail
from models.avatar import Avatar, AvatarPoser
from models.binding import BoundGaussians, Frames
from models.heads.base import HeadModel, PersonHead, Pose, quaternion
from models.jit import kernel
from models.posture import body_under
from models.renderer import ROAM, head_matrix
from models.types import Array64, Camera, DriveFrame, Gaussians

CELLS = ((0.0018, 2.1), (0.0025, 2.1), (0.0032, 1.2), (0.0047, 1.45), (0.0069, 1.45))
"""Metres of the cells that Gaussians are merged in, finest first, and the pixels that such a cell may take on the picture. With
up to eight people at the full size, the picture keeps 40 dB against that of all Gaussians."""
PAYS_AFTER = 30
"""Pictures that ask for a coarser copy before it is made: making one takes as long as it saves in so many, and most rooms have
two people, who see each other so large that nothing is merged."""
WORTH = 0.93
"""Part of the Gaussians of the next finer level that a level may have at the most to be kept."""


@dataclass(frozen=True, eq=False)
class Level:
    """An avatar's Gaussians, merged in cells of `cell` metres (0: as they are), for pictures on which such a cell takes `pixels`
    at the most."""

    cell: float
    pixels: float
    bound: BoundGaussians


class Levels:
    """An avatar's Gaussians in several details, the finest first. `choose` is for one thread, `refine` for another. rest: the
    resting head's triangles."""

    def __init__(self, avatar: Avatar, rest: Frames) -> None:
        corrected = avatar.corrections is not None and avatar.corrections.gaussians is not None
        self._levels = [Level(0.0, math.inf, avatar.gaussians)]
        self._to_make = set() if corrected else set(range(len(CELLS)))
        self._asked = [0] * len(CELLS)  # pictures for which each of the cells is the largest that will do
        self._rest = Frames(*(getattr(rest, field.name).copy() for field in fields(rest)))

    def choose(self, pixels_per_metre: float) -> Level:
        """What a picture needs on which a metre takes so many pixels."""
        fits = [i for i, (cell, pixels) in enumerate(CELLS) if cell * pixels_per_metre <= pixels]
        if fits:
            self._asked[fits[-1]] += 1
        return [level for level in self._levels if level.cell * pixels_per_metre <= level.pixels][-1]

    def refine(self) -> bool:
        """Make one coarser copy for small pictures, which takes a twentieth of a second, if `PAYS_AFTER` pictures would have been
        drawn from it; a finer one is drawn until then. Returns whether it made one."""
        wanted = next((i for i in self._to_make if self._asked[i] >= PAYS_AFTER), None)
        if wanted is None:
            return False
        self._to_make.remove(wanted)
        cell, pixels = CELLS[wanted]
        coarse = level_of_detail.merged(self._levels[0].bound, self._rest, cell)
        finer = [level for level in self._levels if level.cell < cell]
        if len(coarse) < WORTH * len(finer[-1].bound):
            self._levels = [*finer, Level(cell, pixels, coarse), *self._levels[len(finer) :]]
        return True


class SceneAvatar:
    """One avatar, posed by the processor in its own space: the head where the drive frame has it, near the origin. For one
    thread, and another one that calls `refine`."""

    def __init__(self, avatar: Avatar, model: HeadModel) -> None:
        self._poser = AvatarPoser(avatar, model)
        self._levels = Levels(avatar, self._poser.frames)
        self._posed: dict[Level, Gaussians] = {}
        self._fresh: set[Level] = set()
        self._drive: DriveFrame | None = None

    @property
    def person(self) -> PersonHead:
        """The head that is drawn; the solver is made for the same."""
        return self._poser.person

    def refine(self) -> bool:
        """See `Levels.refine`."""
        return self._levels.refine()

    def gaussians(self, drive: DriveFrame, pixels_per_metre: float) -> Gaussians:
        """The posed avatar for a picture on which a metre takes so many pixels. It is overwritten by the next drive frame."""
        level = self._levels.choose(pixels_per_metre)
        if drive is not self._drive:
            self._fresh.clear()
            self._poser.pose_frames(drive.coefficients, pose_in_room(drive, self.person))
            self._drive = drive
        if level not in self._fresh:
            self._fresh.add(level)
            if level.cell:
                self._posed[level] = binding.to_world(level.bound, self._poser.frames, self._posed.get(level))
            else:
                self._posed[level] = self._poser.place(drive.coefficients)
        return self._posed[level]


def pose_in_room(drive: DriveFrame, person: PersonHead) -> Pose:
    """Where somebody's head and shoulders are, in their own space."""
    head = head_matrix(drive)
    head[:3, 3] = ROAM * np.tanh(head[:3, 3] / ROAM)
    return Pose(head=head, body=body_under(head, person.joints), gaze=drive.gaze)


@dataclass(frozen=True)
class Placed:
    """Gaussians in their own space and where they stand: a (4, 4) rigid transform into the camera's world."""

    gaussians: Gaussians
    transform: Array64


class Composer:
    """Puts what a view shows into one set of Gaussians, without allocating again."""

    def __init__(self) -> None:
        self._room = _empty(0)

    def __call__(self, shown: list[Placed], camera: Camera) -> tuple[Gaussians, Camera]:
        """What to draw, and from where. A single avatar stays as it is: the camera goes to it. Valid until the next call."""
        if len(shown) == 1:
            return shown[0].gaussians, replace(camera, world_to_camera=camera.world_to_camera @ shown[0].transform)
        count = sum(len(placed.gaussians) for placed in shown)
        if len(self._room) < count:
            self._room = _empty(count + count // 4)
        out = Gaussians(*(values[:count] for values in _fields(self._room)))
        start = 0
        for placed in shown:
            part = Gaussians(*(values[start : start + len(placed.gaussians)] for values in _fields(out)))
            turn = np.asarray(quaternion(placed.transform[:3, :3]), np.float32)
            _place(*_fields(placed.gaussians), placed.transform.astype(np.float32), turn, *_fields(part))
            start += len(placed.gaussians)
        return out, camera


def _fields(g: Gaussians) -> tuple[np.ndarray, ...]:
    return g.means, g.rotations, g.scales, g.opacities, g.colors


def _empty(count: int) -> Gaussians:
    return Gaussians(*(np.empty(shape, np.float32) for shape in ((count, 3), (count, 4), (count, 3), count, (count, 3))))


@kernel()
def _place(means, rotations, scales, opacities, colors, m, q, out_means, out_rotations, out_scales, out_opacities, out_colors):  # type: ignore[no-untyped-def]  # pragma: no cover
    w, x, y, z = q[0], q[1], q[2], q[3]
    for n in range(means.shape[0]):
        px, py, pz = means[n, 0], means[n, 1], means[n, 2]
        a, b, c, d = rotations[n, 0], rotations[n, 1], rotations[n, 2], rotations[n, 3]
        for i in range(3):
            out_means[n, i] = m[i, 0] * px + m[i, 1] * py + m[i, 2] * pz + m[i, 3]
            out_scales[n, i] = scales[n, i]
            out_colors[n, i] = colors[n, i]
        out_rotations[n, 0] = w * a - x * b - y * c - z * d
        out_rotations[n, 1] = w * b + x * a + y * d - z * c
        out_rotations[n, 2] = w * c - x * d + y * a + z * b
        out_rotations[n, 3] = w * d + x * c - y * b + z * a
        out_opacities[n] = opacities[n]
