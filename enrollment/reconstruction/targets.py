"""What one step looks at: a frame shrunk, or a window of it, as tensors on white."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from enrollment.reconstruction.capture import Frame
from models.heads.base import PersonHead
from models.heads.raster import rasterize, vertex_normals
from models.types import Camera

WHITE = 1.0
SQUARE_ON = 0.2
"""Cosine; a mesh seen at a flatter angle says little about the surface there."""
KEEN_ON_HEAD = 0.1
"""Part of a window's freedom that is left beyond the matte's box."""


@dataclass(frozen=True)
class Target:
    """image: (H, W, 3) on white. matte: (H, W). known: (H, W) 1 where the picture shows something, else 0.
    normals: (H, W, 3) in the world, zero where there are none; None where they are not wanted."""

    camera: Camera
    image: Tensor
    matte: Tensor
    known: Tensor
    normals: Tensor | None

    def to(self, device: str) -> Target:
        """The same where pictures are compared."""
        if device == "cpu":
            return self
        normals = None if self.normals is None else self.normals.to(device)
        return Target(self.camera, self.image.to(device), self.matte.to(device), self.known.to(device), normals)


class Targets:
    """The targets of all frames. Whole pictures are shrunk once and kept."""

    def __init__(self, frames: Sequence[Frame], person: PersonHead, size: int, *, normals: bool, rng_seed: int) -> None:
        self.person, self.size, self.seed = person, size, rng_seed
        self.frames = [_with_normals(frame, person) if normals else replace(frame, normals=None) for frame in frames]
        self.whole = [_tensors(_shrunk(frame, size)) for frame in self.frames]
        weights = np.array([frame.weight for frame in frames], np.float64)
        self.share = weights / weights.sum()

    def draw(self, step: int, crops: float) -> tuple[int, Target]:
        """The frame of a step and what to look at; the same for the same step and seed."""
        rng = np.random.default_rng((self.seed, step))
        index = int(rng.choice(len(self.frames), p=self.share))
        frame = self.frames[index]
        if rng.random() < crops and max(frame.camera.width, frame.camera.height) > self.size:
            return index, _tensors(_window(frame, self.size, rng))
        return index, self.whole[index]


def _shrunk(frame: Frame, size: int) -> Frame:
    c = frame.camera
    scale = min(1.0, size / max(c.width, c.height))
    return frame if scale == 1.0 else frame.resized(max(1, round(c.width * scale)), max(1, round(c.height * scale)))


def _window(frame: Frame, size: int, rng: np.random.Generator) -> Frame:
    """`size` pixels of the full picture, somewhere on the person."""
    corners = []
    for length, shown in ((frame.camera.width, frame.matte.any(axis=0)), (frame.camera.height, frame.matte.any(axis=1))):
        side = min(size, length)
        place = np.flatnonzero(shown)
        low, high = place[0] - KEEN_ON_HEAD * side, place[-1] + 1 + KEEN_ON_HEAD * side
        start = rng.uniform(low, max(low, high - side))
        corners.append((int(np.clip(start, 0, length - side)), side))
    (left, width), (top, height) = corners
    return frame.cropped(left, top, left + width, top + height)


def _tensors(frame: Frame) -> Target:
    matte = torch.from_numpy(np.ascontiguousarray(frame.matte, np.float32))
    image = torch.from_numpy(frame.image.astype(np.float32) / 255)
    known = torch.ones_like(matte) if frame.known is None else torch.from_numpy(frame.known.astype(np.float32))
    normals = None if frame.normals is None else torch.from_numpy(np.ascontiguousarray(frame.normals, np.float32))
    return Target(frame.camera, image * matte[..., None] + WHITE * (1 - matte[..., None]), matte, known, normals)


def _with_normals(frame: Frame, person: PersonHead) -> Frame:
    """The frame with the posed mesh's normals where it has none of its own."""
    if frame.normals is not None:
        return frame
    vertices = person.vertices(frame.coefficients, frame.pose)
    fragments = rasterize(vertices, person.model.faces, frame.camera)
    normals = fragments.interpolate(person.model.faces, vertex_normals(vertices, person.model.faces))
    length = np.linalg.norm(normals, axis=2, keepdims=True)
    normals = np.divide(normals, length, out=np.zeros_like(normals), where=length > 1e-6)
    points = fragments.interpolate(person.model.faces, vertices) - frame.camera.position
    facing = -np.sum(normals * points, axis=2) / np.maximum(np.linalg.norm(points, axis=2), 1e-6)
    normals[(facing < SQUARE_ON) | (frame.matte < 0.5)] = 0.0
    return replace(frame, normals=normals.astype(np.float32))
