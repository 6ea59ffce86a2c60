"""Shading: colour, matte, normal and depth of every pixel from what is visible in each of its cells.

A pixel is factor x factor cells. `shade` goes through the pixels in four stages: `_one_material` decides which cells of a pixel
are shaded, `_shade_strand` or `_shade_face` shade one cell, `_expose` turns its light into sRGB, `_finish` completes the pixel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.jit import kernel
from models.synthetic import materials
from models.synthetic.materials import (
    CLOTH,
    HAIR,
    LEFT_EYE,
    METAL,
    RIGHT_EYE,
    SKIN,
    WIRE,
    EyeLook,
    Point,
    normalize,
)
from models.types import Array

f32 = np.float32
_skin, _eye, _cloth, _mouth, _strand = materials.skin, materials.eye, materials.cloth, materials.mouth, materials.strand


def _encoding() -> Array:
    x = np.linspace(0, 1, 4096)
    return np.where(x < 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055).astype(np.float32)


ENCODE = _encoding()
"""(4096,) linear [0, 1] -> sRGB."""


class Mesh(NamedTuple):
    """Posed triangles. faces: (F, 3) int32. material: (F,) uint8, of `materials`. normals: (V, 3) float32 unit, world frame.
    light: (V, 4) of `lighting.gather`. canonical: (V, 3) float32 metres, where materials are looked up."""

    faces: NDArray[np.int32]
    material: NDArray[np.uint8]
    normals: Array
    light: Array
    canonical: Array


class PosedStrands(NamedTuple):
    """S posed strands of P points. points, normals: (P, 3) float32, world frame. light: (P, 4) of `lighting.gather`. strand_of:
    (P,) int32. along: (P,) float32 from root 0 to tip 1. color: (S, 3) float32 linear. kind: (S,) uint8, of `materials`."""

    points: Array
    normals: Array
    light: Array
    strand_of: NDArray[np.int32]
    along: Array
    color: Array
    kind: NDArray[np.uint8]


class Surfaces(NamedTuple):
    """Materials of one head. atlas: (HEIGHT, WIDTH, 6) of `skin.paint_skin`. eyes: see `EyeLook`. cloth_colors: (3, 2, 3)
    and cloth_patterns: (3, 4), float32, for cloth, hat and hat's trimming. lens_color: (4,) float32, sRGB and opacity."""

    atlas: Array
    eyes: EyeLook
    cloth_colors: Array
    cloth_patterns: Array
    lens_color: Array


class CellCamera(NamedTuple):
    """rotation: (3, 3) float32 world -> camera. intrinsics: (4,) float32 fx, fy, cx, cy in cells. gain: (3,) float32 exposure
    times white balance."""

    rotation: Array
    intrinsics: Array
    gain: Array


class PixelBuffers(NamedTuple):
    """The result, H x W pixels, zero before. color: (H, W, 3) float32 sRGB times matte. matte: (H, W) float32 [0, 1]. normals:
    (H, W, 3) float32 unit, world frame. depth: (H, W) float32 metres. face: (H, W) bool, bare skin of the face."""

    color: Array
    matte: Array
    normals: Array
    depth: Array
    face: NDArray[np.bool_]

    @staticmethod
    def empty(height: int, width: int) -> PixelBuffers:
        """Buffers with nothing in them."""
        shape = (height, width)
        return PixelBuffers(
            np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32), np.zeros((*shape, 3), np.float32),
            np.zeros(shape, np.float32), np.zeros(shape, bool),
        )  # fmt: skip


@kernel(fastmath=True, inline="always")
def _one_material(visible, material, y, x, factor):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whether skin, cloth or hair fills the pixel: then only the cells on its diagonal are shaded."""
    face, segment = visible.face, visible.segment
    first = face[y * factor, x * factor]
    hair = segment[y * factor, x * factor] >= 0
    even = True
    for sy in range(y * factor, (y + 1) * factor):
        for sx in range(x * factor, (x + 1) * factor):
            f = face[sy, sx]
            if (segment[sy, sx] >= 0) != hair or (not hair and (f < 0 or material[f] != material[first])):
                even = False
    return even and (hair or material[first] == SKIN or material[first] >= CLOTH)


@kernel(fastmath=True, inline="always")
def _look_back(camera, sy, sx, view):  # type: ignore[no-untyped-def]  # pragma: no cover
    """view (3,): the unit direction from a cell's point towards the camera, world frame."""
    rotation, intrinsics = camera.rotation, camera.intrinsics
    px, py = (f32(sx) + f32(0.5) - intrinsics[2]) / intrinsics[0], (f32(sy) + f32(0.5) - intrinsics[3]) / intrinsics[1]
    for a in range(3):
        view[a] = -(rotation[0, a] * px + rotation[1, a] * py + rotation[2, a])
    normalize(view)


@kernel(fastmath=True, inline="always")
def _shade_strand(s, t, across, strands, lamp, point):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Shade the ribbon of segment s at t along [0, 1] and across [-1, 1]."""
    tangent, n, view, env, out = point.tangent, point.normal, point.to_camera, point.light, point.color
    strand = strands.strand_of[s]
    kind = strands.kind[strand]
    for a in range(3):
        tangent[a] = strands.points[s + 1, a] - strands.points[s, a]
        n[a] = strands.normals[s, a] * (1 - t) + strands.normals[s + 1, a] * t
    normalize(tangent)
    for a in range(4):
        env[a] = strands.light[s, a] * (1 - t) + strands.light[s + 1, a] * t
    # a ribbon is round: its normal leans to the side and, for hair, follows the lock it lies in
    sidex = tangent[1] * view[2] - tangent[2] * view[1]
    sidey = tangent[2] * view[0] - tangent[0] * view[2]
    sidez = tangent[0] * view[1] - tangent[1] * view[0]
    inverse = f32(1.0) / np.sqrt(sidex * sidex + sidey * sidey + sidez * sidez + f32(1e-6))
    lean = -across * inverse * (f32(0.35) if kind == HAIR else f32(0.9))
    nt = n[0] * tangent[0] + n[1] * tangent[1] + n[2] * tangent[2]
    mix = f32(0.45) if kind == HAIR else f32(1.0)
    back = f32(0.0)
    nv = n[0] * view[0] + n[1] * view[1] + n[2] * view[2]
    if kind in (WIRE, METAL):
        back = f32(1.5)
    elif nv < 0.15:
        back = f32(0.15) - nv
    n[0] += -mix * nt * tangent[0] + lean * sidex + back * view[0]
    n[1] += -mix * nt * tangent[1] + lean * sidey + back * view[1]
    n[2] += -mix * nt * tangent[2] + lean * sidez + back * view[2]
    normalize(n)
    _strand(kind, strands.color[strand], point, lamp)
    for a in range(3):
        point.map_normal[a] = n[a]
    if kind == HAIR:
        # darker to the root; each strand has its own value
        along = strands.along[s] * (1 - t) + strands.along[s + 1] * t
        tone = f32(0.72) + f32(0.28) * min(along * f32(2.5), f32(1.0))
        for c in range(3):
            out[c] *= tone


@kernel(fastmath=True, inline="always")
def _interpolate(f, wa, wb, mesh, point):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Normal, template position and light of face f at barycentric weights wa, wb."""
    n, place, env = point.normal, point.position, point.light
    i, j, k = mesh.faces[f, 0], mesh.faces[f, 1], mesh.faces[f, 2]
    wc = f32(1.0) - wa - wb
    for a in range(3):
        n[a] = wa * mesh.normals[i, a] + wb * mesh.normals[j, a] + wc * mesh.normals[k, a]
        place[a] = wa * mesh.canonical[i, a] + wb * mesh.canonical[j, a] + wc * mesh.canonical[k, a]
    normalize(n)
    if n[0] * point.to_camera[0] + n[1] * point.to_camera[1] + n[2] * point.to_camera[2] < f32(-0.25):
        for a in range(3):
            n[a] = -n[a]
    for a in range(4):
        env[a] = wa * mesh.light[i, a] + wb * mesh.light[j, a] + wc * mesh.light[k, a]


@kernel(fastmath=True, inline="always")
def _shade_face(m, surfaces, lamp, point):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Shade an interpolated point of material m. Returns whether it is skin of the face: before the ears, above the neck."""
    n, place = point.normal, point.position
    facial = False
    for a in range(3):
        point.map_normal[a] = n[a]
    if m == SKIN:
        _skin(point, lamp, surfaces.atlas)
        facial = place[2] > f32(0.012) and place[1] > f32(-0.105) + f32(0.25) * (f32(0.09) - place[2]) and place[1] < f32(0.098)
    elif m in (LEFT_EYE, RIGHT_EYE):
        e = 0 if m == LEFT_EYE else 1
        for a in range(3):
            place[a] -= surfaces.eyes.centres[e, a]
        normalize(place)
        _eye(point, lamp, surfaces.eyes, e)
        for a in range(3):
            point.map_normal[a] = n[a]
    elif m >= CLOTH:
        row = m - CLOTH
        _cloth(point, lamp, surfaces.cloth_colors[row], surfaces.cloth_patterns[row])
        for a in range(3):
            point.map_normal[a] = n[a]
    else:
        _mouth(m, point, lamp)
    return facial


@kernel(fastmath=True, inline="always")
def _expose(value, gain):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Linear light -> sRGB, with a film's shoulder."""
    value = value * gain
    value = value * (f32(1.0) + value * f32(0.16)) / (f32(1.0) + f32(0.55) * value)
    return ENCODE[int(min(max(value, f32(0.0)), f32(1.0)) * f32(4095.0) + f32(0.5))]


@kernel(fastmath=True, inline="always")
def _finish(y, x, factor, nearest, cells, picture):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Unit normal and depth of a pixel. Depth is of the nearest surface alone: a mean over an edge would lie in the air."""
    normals = picture.normals
    norm = np.sqrt(normals[y, x, 0] ** 2 + normals[y, x, 1] ** 2 + normals[y, x, 2] ** 2)
    for c in range(3):
        normals[y, x, c] /= max(norm, f32(1e-6))
    total, near = f32(0.0), 0
    for sy in range(y * factor, (y + 1) * factor):
        for sx in range(x * factor, (x + 1) * factor):
            if cells[sy, sx] < nearest + f32(0.01):
                total += cells[sy, sx]
                near += 1
    picture.depth[y, x] = total / f32(near)


@kernel(fastmath=True)
def shade(factor, visible, lens_depth, mesh, strands, surfaces, camera, lamp, picture):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Fill `picture`, `PixelBuffers`. factor: cells of a pixel along each axis. visible (`Visible`) and lens_depth ((H, W)
    float32 metres, `inf` where no lens is) are of the cells. mesh, strands, surfaces, camera, lamp: `Mesh`, `PosedStrands`,
    `Surfaces`, `CellCamera`, `KeyLight`."""
    height, width = picture.matte.shape
    point = Point(
        np.empty(3, np.float32), np.empty(3, np.float32), np.empty(3, np.float32), np.empty(3, np.float32),
        np.empty(4, np.float32), np.empty(6, np.float32), np.empty(3, np.float32), np.empty(3, np.float32),
    )  # fmt: skip
    share = f32(1.0 / (factor * factor))
    for y in range(height):
        for x in range(width):
            count, facial = 0, 0
            nearest = f32(np.inf)
            even = _one_material(visible, mesh.material, y, x, factor)
            weight = factor if even else 1
            for sy in range(y * factor, (y + 1) * factor):
                for sx in range(x * factor, (x + 1) * factor):
                    f, s = visible.face[sy, sx], visible.segment[sy, sx]
                    if (f < 0 and s < 0) or (even and sx - x * factor != sy - y * factor):
                        continue
                    count += weight
                    _look_back(camera, sy, sx, point.to_camera)
                    if s >= 0:
                        _shade_strand(s, visible.ribbon[sy, sx, 0], visible.ribbon[sy, sx, 1], strands, lamp, point)
                    else:
                        _interpolate(f, visible.barycentric[sy, sx, 0], visible.barycentric[sy, sx, 1], mesh, point)
                        if _shade_face(mesh.material[f], surfaces, lamp, point):
                            facial += weight
                    d = visible.depth[sy, sx]
                    lens = lens_depth[sy, sx] < d
                    for c in range(3):
                        value = _expose(point.color[c], camera.gain[c])
                        if lens:
                            value = value * (f32(1.0) - surfaces.lens_color[3]) + surfaces.lens_color[c] * surfaces.lens_color[3]
                        picture.color[y, x, c] += value * share * f32(weight)
                        picture.normals[y, x, c] += point.map_normal[c]
                    if d < nearest:
                        nearest = d
            if count > 0:
                picture.matte[y, x] = f32(count) * share
                picture.face[y, x] = facial * 2 > factor * factor
                _finish(y, x, factor, nearest, visible.depth, picture)
