"""The web avatar: what a browser needs to draw an avatar itself, quantised, with a coarse level first.

Little-endian. `VWEB`, version (u32), length of the header (u32), header (JSON, UTF-8, padded with spaces to a multiple of 4),
then the sections in this order, each padded to a multiple of 4 bytes:

    rest (V, 3) u16        vertices at rest, steps between header `rest.low` and `rest.high`, metres in avatar space
    weights (V, 6) u8      skinning weights in 1/255, rows sum to 255
    triangles (F, 3) u16   only those that carry Gaussians, and their vertices
    index (E,) u16, delta (E, 3) i16     what coefficient k moves: vertices at entries header `expression.first[k]` to
                                         `first[k + 1]`, by delta times `expression.step[k]` metres
    for each level: triangle (N,) u16, means (N, 3) u16, rotations (N,) u32, log_scales (N, 3) u8, opacities (N,) u8,
                                         colors (N, 3) u8; what covers most comes first

The header names the coefficients (`models.arkit`). Means are steps between the level's `means.low` and `means.high`, in units of
the triangle (`models.binding`), log_scales likewise (natural logarithm). A rotation is a unit quaternion wxyz without its largest
component: two bits say which that is, ten bits each give the three others in order, -1/sqrt(2) to 1/sqrt(2). The header's
`levels` say where each level begins and ends, so that a range request for the first of them, about a tenth of the Gaussians,
already shows a head (`models.level_of_detail`). What expressions change about single Gaussians (`models.corrections`) is left
out; what they change about vertices is in `expression`.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import arkit, binding
from models.atomic import atomic_write
from models.avatar import Avatar, AvatarPoser
from models.binding import BoundGaussians
from models.errors import AvatarFileError
from models.heads.base import JOINTS, HeadModel, Pose, skin, skinning_transforms
from models.level_of_detail import merged
from models.renderer import view_camera
from models.splat.cpu import CpuRasterizer
from models.types import Array, Array64, Gaussians

MAGIC, VERSION = b"VWEB", 1
MAX_BYTES, MAX_HEADER_BYTES = 32 << 20, 64 << 10
COARSE_PART = 0.1
"""Of the Gaussians, the coarse level."""
LOG_RANGE = 9.0
"""A Gaussian's axis is at least e^-LOG_RANGE of the avatar's longest: thinner ones look alike."""
MOVED = 1e-5
"""Metres: a vertex that a coefficient moves by less stays."""


@dataclass(frozen=True)
class WebAvatar:
    """rest (V, 3) float32 metres; weights (V, 6) float32; triangles (F, 3) int32; joints (6, 3) float64; expression (52, V, 3)
    float32 metres; levels: Gaussians bound to the triangles, coarse first."""

    rest: Array
    weights: Array
    triangles: NDArray[np.int32]
    joints: Array64
    expression: Array
    levels: tuple[BoundGaussians, ...]

    @staticmethod
    def of_avatar(avatar: Avatar, model: HeadModel) -> WebAvatar:
        """Not yet quantised. model: the head model that the avatar names."""
        person = avatar.person(model)
        coarse = coarser(avatar.gaussians, binding.frames(person.rest, model.faces))
        carrying = np.unique(np.concatenate([coarse.face, avatar.gaussians.face]))
        used, corners = np.unique(model.faces[carrying], return_inverse=True)

        def rebound(gaussians: BoundGaussians) -> BoundGaussians:
            face = np.searchsorted(carrying, gaussians.face).astype(np.int32)
            fields = (gaussians.means, gaussians.rotations, gaussians.scales, gaussians.opacities, gaussians.colors)
            return BoundGaussians(face, *fields)

        return WebAvatar(
            person.rest[used], model.weights[used], corners.reshape(-1, 3).astype(np.int32), person.joints,
            np.ascontiguousarray(person.model.expression_basis[:, used]), (rebound(coarse), rebound(avatar.gaussians)),
        )  # fmt: skip

    def posed(self, coefficients: NDArray[np.floating], pose: Pose | None = None, level: int = -1) -> Gaussians:
        """The Gaussians of a level in the world, as `AvatarPoser.pose` gives them."""
        vertices = self.rest + np.tensordot(np.asarray(coefficients, np.float32), self.expression, 1)
        world = skin(vertices, self.weights, skinning_transforms(self.joints, pose or Pose()))
        return binding.to_world(self.levels[level], binding.frames(world, self.triangles))


def coarser(gaussians: BoundGaussians, frames: binding.Frames, part: float = COARSE_PART) -> BoundGaussians:
    """About `part` of as many Gaussians, merged. frames: of the resting head's triangles."""
    cell, found = 0.006, gaussians
    for _ in range(3):  # the number of cells on a surface goes with the square of their size
        found = merged(gaussians, frames, cell)
        cell *= float(np.sqrt(len(found) / (part * len(gaussians))))
    return found.valid()


def encode(web: WebAvatar) -> bytes:
    """The file. Raises `AvatarFileError` for an avatar of more triangles or vertices than 16 bits count."""
    if max(len(web.rest), len(web.triangles)) > 1 << 16:
        raise AvatarFileError(
            f"a web avatar has at most {1 << 16} vertices and triangles, this one {len(web.rest)} and {len(web.triangles)}; "
            "make the avatar on the default head"
        )
    rest, rest_range = _steps(web.rest, 65535)
    first, step, index, delta = _sparse(web.expression)
    sections = [rest.astype("<u2"), _weights(web.weights), web.triangles.astype("<u2"), index, delta]
    header: dict[str, Any] = {
        "vertices": len(web.rest), "triangles": len(web.triangles), "joints": np.round(web.joints, 7).tolist(),
        "coefficients": arkit.NAMES, "rest": rest_range, "expression": {"first": first, "step": step}, "levels": [],
    }  # fmt: skip
    frames = binding.frames(web.rest, web.triangles)
    start = sum(_padded(s.nbytes) for s in sections)
    for level in web.levels:
        ordered = level.select(np.argsort(-importance(level, frames), kind="stable"))
        means, mean_range = _steps(ordered.means, 65535)
        logs = np.log(np.maximum(ordered.scales, 1e-12))
        scales, scale_range = _steps(np.maximum(logs, logs.max() - LOG_RANGE), 255, together=True)
        parts = [
            ordered.face.astype("<u2"), means.astype("<u2"), _packed_rotations(ordered.rotations), scales.astype("u1"),
            np.round(255 * ordered.opacities).astype("u1"), np.round(255 * ordered.colors).astype("u1"),
        ]  # fmt: skip
        size = sum(_padded(p.nbytes) for p in parts)
        header["levels"].append(
            {"count": len(level), "begin": start, "end": start + size, "means": mean_range, "log_scales": scale_range}
        )
        sections += parts
        start += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    body = b"".join(s.tobytes() + b"\0" * (-s.nbytes % 4) for s in sections)
    return MAGIC + struct.pack("<II", VERSION, len(text)) + text + body


def save(avatar: Avatar, model: HeadModel, path: Path) -> float:
    """Write the web avatar of `avatar` to `path`; returns the least PSNR, decibels, of its pictures against the avatar's own from
    three sides with three expressions. Raises `AvatarFileError`, `StorageError`."""
    data = encode(WebAvatar.of_avatar(avatar, model))
    with atomic_write(path) as stream:
        stream.write(data)
    made, poser, rasterizer = decode(data), AvatarPoser(avatar, model), CpuRasterizer()
    worst = np.inf
    for yaw, values in ((0.0, {}), (0.6, {"jawOpen": 0.6}), (-1.2, {"eyeBlinkLeft": 1.0, "mouthSmileLeft": 0.8})):
        coefficients, camera = np.asarray(arkit.vector(**values), np.float32), view_camera(yaw)
        ours = rasterizer.render(poser.pose(coefficients), camera).color
        theirs = rasterizer.render(made.posed(coefficients), camera).color
        worst = min(worst, float(-10 * np.log10(np.mean((ours - theirs) ** 2) + 1e-12)))
    return worst


def decode(data: bytes) -> WebAvatar:
    """The avatar in a file that `encode` wrote, as a browser reads it; for measurements and tests.

    Raises `AvatarFileError`.
    """
    if len(data) > MAX_BYTES or data[:4] != MAGIC or len(data) < 12 or struct.unpack_from("<I", data, 4)[0] != VERSION:
        raise AvatarFileError("a web avatar was expected, this is none of this version; export it again")
    length = struct.unpack_from("<I", data, 8)[0]
    header = json.loads(data[12 : 12 + length])
    at = 12 + length

    def section(dtype: str, *shape: int) -> NDArray[Any]:
        nonlocal at
        count = int(np.prod(shape))
        found = np.frombuffer(data, dtype, count, at).reshape(shape)
        at += _padded(found.nbytes)
        return found

    v, f, first = header["vertices"], header["triangles"], header["expression"]["first"]
    rest = _values(section("<u2", v, 3), header["rest"], 65535)
    weights, triangles = section("u1", v, 6) / np.float32(255), section("<u2", f, 3).astype(np.int32)
    index, delta = section("<u2", first[-1]), section("<i2", first[-1], 3)
    expression = np.zeros((arkit.COUNT, v, 3), np.float32)
    for k, step in enumerate(header["expression"]["step"]):
        expression[k, index[first[k] : first[k + 1]]] = delta[first[k] : first[k + 1]] * np.float32(step)
    levels = []
    for level in header["levels"]:
        n = level["count"]
        face, means, rotations = section("<u2", n).astype(np.int32), section("<u2", n, 3), section("<u4", n)
        scales, opacities, colors = section("u1", n, 3), section("u1", n), section("u1", n, 3)
        levels.append(
            BoundGaussians(
                face, _values(means, level["means"], 65535), _unpacked_rotations(rotations),
                np.exp(_values(scales, level["log_scales"], 255)), opacities / np.float32(255), colors / np.float32(255),
            )
        )  # fmt: skip
    return WebAvatar(rest, weights, triangles, np.array(header["joints"]), expression, tuple(levels))


def _padded(size: int) -> int:
    return size + -size % 4


def _steps(
    values: NDArray[np.floating], most: int, *, together: bool = False
) -> tuple[NDArray[np.int64], dict[str, list[float]]]:
    """Values (N, 3) as numbers of steps between a lowest and a highest value, of each column or of all `together`."""
    axis = None if together else 0
    low, high = (np.broadcast_to(edge(values, axis=axis), (3,)).astype(np.float64) for edge in (np.min, np.max))
    span = np.maximum(high - low, 1e-9)
    steps = np.round((values - low) / span * most).astype(np.int64)
    return steps, {"low": low.tolist(), "high": (low + span).tolist()}


def _values(steps: NDArray[Any], ends: dict[str, list[float]], most: int) -> Array:
    low, high = np.array(ends["low"]), np.array(ends["high"])
    return np.asarray(low + steps / most * (high - low), np.float32)


def _weights(weights: Array) -> NDArray[np.uint8]:
    """In 1/255; the largest of a row takes what rounding leaves over."""
    out = np.round(255 * weights).astype(np.int64)
    out[np.arange(len(out)), weights.argmax(axis=1)] += 255 - out.sum(axis=1)
    assert out.shape[1] == len(JOINTS)
    return out.astype(np.uint8)


def _sparse(expression: Array) -> tuple[list[int], list[float], NDArray[Any], NDArray[Any]]:
    first, step = [0], list[float]()
    index, delta = list[NDArray[Any]](), list[NDArray[Any]]()
    for moved in expression:
        which = np.flatnonzero(np.abs(moved).max(axis=1) > MOVED)
        size = float(np.abs(moved[which]).max()) / 32767 if len(which) else 1.0
        index.append(which.astype("<u2"))
        delta.append(np.round(moved[which] / size).astype("<i2"))
        step.append(size)
        first.append(first[-1] + len(which))
    return first, step, np.concatenate(index), np.concatenate(delta)


def importance(level: BoundGaussians, frames: binding.Frames) -> Array:
    """(N,) square metres that a Gaussian covers at most, times its opacity. frames: of the resting head's triangles."""
    ordered = np.sort(level.scales, axis=1) * frames.scale[level.face][:, None]
    return np.asarray(level.opacities * ordered[:, 1] * ordered[:, 2])


def _packed_rotations(rotations: Array) -> NDArray[Any]:
    q = rotations.astype(np.float64) / np.linalg.norm(rotations, axis=1, keepdims=True)
    largest = np.abs(q).argmax(axis=1)
    q *= np.where(np.take_along_axis(q, largest[:, None], 1) < 0, -1, 1)
    rest = q[np.arange(4) != largest[:, None]].reshape(-1, 3)
    steps = np.round((rest * np.sqrt(0.5) + 0.5) * 1023).astype(np.uint32)
    return (largest.astype(np.uint32) << 30 | steps[:, 0] << 20 | steps[:, 1] << 10 | steps[:, 2]).astype("<u4")


def _unpacked_rotations(packed: NDArray[Any]) -> Array:
    largest = packed >> 30
    rest = np.stack([packed >> 20 & 1023, packed >> 10 & 1023, packed & 1023], axis=1)
    rest = (rest / 1023 - 0.5) * np.sqrt(2.0)
    q = np.empty((len(packed), 4))
    q[np.arange(4) != largest[:, None]] = rest.ravel()
    q[np.arange(len(q)), largest] = np.sqrt(np.maximum(1 - (rest**2).sum(axis=1), 0))
    return (q / np.linalg.norm(q, axis=1, keepdims=True)).astype(np.float32)
