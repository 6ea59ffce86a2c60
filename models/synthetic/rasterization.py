"""Rasterization with a depth buffer: triangles, some of them cut along a line, and strands (hair, wires) as ribbons that face
the camera."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.jit import kernel
from models.types import Array, Camera

NEAR = 0.02
f32 = np.float32


class Visible(NamedTuple):
    """The nearest surface at each of H x W pixels.

    face: (H, W) int32, -1 where no triangle is; barycentric: (H, W, 2) float32, perspective-correct weights of its first two
    corners. segment: (H, W) int32, the position of the strand point where the nearest segment starts, -1 where no strand is
    before the triangle; ribbon: (H, W, 2) float32, place along the segment [0, 1] and across it [-1, 1].
    depth: (H, W) float32 metres along the camera's z, `inf` where nothing is.
    """

    face: NDArray[np.int32]
    barycentric: Array
    segment: NDArray[np.int32]
    ribbon: Array
    depth: Array

    @staticmethod
    def empty(height: int, width: int) -> Visible:
        """Nothing visible anywhere."""
        shape = (height, width)
        return Visible(
            np.full(shape, -1, np.int32), np.zeros((*shape, 2), np.float32), np.full(shape, -1, np.int32),
            np.zeros((*shape, 2), np.float32), np.full(shape, np.inf, np.float32),
        )  # fmt: skip


class Triangles(NamedTuple):
    """points: (V, 3) float32 metres, camera axes. faces: (F, 3) int32. both_sides: (F,) bool, whether the back is drawn. cut:
    (V,) float32, a face is drawn where cut interpolates to 0 or more."""

    points: Array
    faces: NDArray[np.int32]
    both_sides: NDArray[np.bool_]
    cut: Array


class Ribbons(NamedTuple):
    """points: (P, 3) float32 metres, camera axes. half_width: (P,) float32 metres. start: (S + 1,) int64, where each strand
    begins. thinnest: pixels, half of the least width that is drawn; thinner strands cover a part of their pixels at random."""

    points: Array
    half_width: Array
    start: NDArray[np.int64]
    thinnest: np.float32


class Pinhole(NamedTuple):
    """Intrinsics in pixels, float32."""

    fx: np.float32
    fy: np.float32
    cx: np.float32
    cy: np.float32

    @staticmethod
    def of(camera: Camera) -> Pinhole:
        """The intrinsics of a camera."""
        return Pinhole(f32(camera.fx), f32(camera.fy), f32(camera.cx), f32(camera.cy))


@kernel(fastmath=True)
def _draw_triangles(triangles, pinhole, visible):  # type: ignore[no-untyped-def]  # pragma: no cover
    points, faces, both_sides, cut = triangles
    fx, fy, cx, cy = pinhole
    face, bary, depth = visible.face, visible.barycentric, visible.depth
    height, width = depth.shape
    near = f32(NEAR)
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        az, bz, qz = points[i, 2], points[j, 2], points[k, 2]
        if az < near or bz < near or qz < near:
            continue
        if cut[i] < 0.0 and cut[j] < 0.0 and cut[k] < 0.0:
            continue
        cuts = cut[i] < 0.0 or cut[j] < 0.0 or cut[k] < 0.0
        ia, ib, iq = f32(1.0) / az, f32(1.0) / bz, f32(1.0) / qz
        ax, ay = fx * points[i, 0] * ia + cx, fy * points[i, 1] * ia + cy
        bx, by = fx * points[j, 0] * ib + cx, fy * points[j, 1] * ib + cy
        qx, qy = fx * points[k, 0] * iq + cx, fy * points[k, 1] * iq + cy
        area = (bx - ax) * (qy - ay) - (by - ay) * (qx - ax)
        if area == 0.0 or (area > 0.0 and not both_sides[f]):
            continue
        y0, y1 = max(int(np.ceil(min(ay, by, qy) - 0.5)), 0), min(int(np.floor(max(ay, by, qy) - 0.5)), height - 1)
        x0, x1 = max(int(np.ceil(min(ax, bx, qx) - 0.5)), 0), min(int(np.floor(max(ax, bx, qx) - 0.5)), width - 1)
        if x0 > x1 or y0 > y1:
            continue
        inverse = f32(1.0) / area
        dax, dbx = -(qy - by) * inverse, -(ay - qy) * inverse
        for y in range(y0, y1 + 1):
            py, px = f32(y) + f32(0.5), f32(x0) + f32(0.5)
            wa = ((bx - px) * (qy - py) - (by - py) * (qx - px)) * inverse
            wb = ((qx - px) * (ay - py) - (qy - py) * (ax - px)) * inverse
            for x in range(x0, x1 + 1):
                wc = f32(1.0) - wa - wb
                if wa >= f32(-1e-5) and wb >= f32(-1e-5) and wc >= f32(-1e-5):
                    z = f32(1.0) / (wa * ia + wb * ib + wc * iq)
                    if z < depth[y, x]:
                        pa, pb = wa * ia * z, wb * ib * z
                        if not cuts or pa * cut[i] + pb * cut[j] + (f32(1.0) - pa - pb) * cut[k] >= 0.0:
                            depth[y, x] = z
                            face[y, x] = f
                            bary[y, x, 0] = pa
                            bary[y, x, 1] = pb
                wa += dax
                wb += dbx


@kernel(fastmath=True)
def _draw_ribbons(ribbons, pinhole, visible):  # type: ignore[no-untyped-def]  # pragma: no cover
    points, half, start, thinnest = ribbons
    fx, fy, cx, cy = pinhole
    segment, ribbon, depth = visible.segment, visible.ribbon, visible.depth
    height, width = depth.shape
    near = f32(NEAR)
    for s in range(start.shape[0] - 1):
        for p in range(start[s], start[s + 1] - 1):
            az, bz = points[p, 2], points[p + 1, 2]
            if az < near or bz < near:
                continue
            ia, ib = f32(1.0) / az, f32(1.0) / bz
            ax, ay = fx * points[p, 0] * ia + cx, fy * points[p, 1] * ia + cy
            bx, by = fx * points[p + 1, 0] * ib + cx, fy * points[p + 1, 1] * ib + cy
            wa, wb = half[p] * fy * ia, half[p + 1] * fy * ib
            thin = (wa + wb) * f32(0.5) / thinnest
            wa, wb = max(wa, thinnest), max(wb, thinnest)
            margin = max(wa, wb)
            if (
                max(ax, bx) + margin < 0
                or min(ax, bx) - margin > width
                or max(ay, by) + margin < 0
                or min(ay, by) - margin > height
            ):
                continue
            dx, dy = bx - ax, by - ay
            length2 = max(dx * dx + dy * dy, f32(1e-6))
            steep = abs(dy) > abs(dx)
            # pixels are gone through along the longer axis, and for each step across
            if steep:
                m0, m1, c0, slope, stretch = min(ay, by), max(ay, by), ax, dx / dy, np.sqrt(length2) / abs(dy)
            else:
                m0, m1, c0 = min(ax, bx), max(ax, bx), ay
                slope, stretch = dy / (dx if dx != 0.0 else f32(1e-6)), np.sqrt(length2) / max(abs(dx), f32(1e-6))
                if length2 < f32(1e-4):
                    slope, stretch = f32(0.0), f32(1.0)
            last = (height if steep else width) - 1
            over = f32(0.3) * margin
            for m in range(max(int(np.ceil(m0 - over - 0.5)), 0), min(int(np.floor(m1 + over - 0.5)), last) + 1):
                middle = f32(m) + f32(0.5)
                along = middle - (ay if steep else ax)
                t = along / (dy if steep else (dx if dx != 0.0 else f32(1e-6)))
                t = min(max(t, f32(0.0)), f32(1.0))
                w = wa + (wb - wa) * t
                centre = c0 + slope * along
                reach = w * stretch
                top = (width if steep else height) - 1
                z = f32(1.0) / (ia + (ib - ia) * t)
                for c in range(max(int(np.ceil(centre - reach - 0.5)), 0), min(int(np.floor(centre + reach - 0.5)), top) + 1):
                    y, x = (m, c) if steep else (c, m)
                    if z < depth[y, x]:
                        if thin < f32(1.0):  # finer than a cell: only in so many of the cells that it crosses
                            h = (
                                np.uint32(p) * np.uint32(0x9E3779B1)
                                ^ np.uint32(m) * np.uint32(0x85EBCA6B)
                                ^ np.uint32(c) * np.uint32(0xC2B2AE35)
                            )
                            h = np.uint32((h ^ (h >> np.uint32(15))) * np.uint32(0x2C1B3C6D))
                            if f32(h >> np.uint32(8)) * f32(1.0 / 16777216.0) > thin:
                                continue
                        depth[y, x] = z
                        segment[y, x] = p
                        ribbon[y, x, 0] = t
                        ribbon[y, x, 1] = (f32(c) + f32(0.5) - centre) / reach


@kernel(fastmath=True)
def _normals(vertices, faces, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        ux, uy, uz = vertices[j, 0] - vertices[i, 0], vertices[j, 1] - vertices[i, 1], vertices[j, 2] - vertices[i, 2]
        wx, wy, wz = vertices[k, 0] - vertices[i, 0], vertices[k, 1] - vertices[i, 1], vertices[k, 2] - vertices[i, 2]
        x, y, z = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
        for v in (i, j, k):
            out[v, 0] += x
            out[v, 1] += y
            out[v, 2] += z
    for v in range(out.shape[0]):
        inverse = f32(1.0) / (np.sqrt(out[v, 0] ** 2 + out[v, 1] ** 2 + out[v, 2] ** 2) + f32(1e-15))
        for a in range(3):
            out[v, a] *= inverse


@kernel(fastmath=True)
def _interpolate(face, bary, faces, values, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    for y in range(face.shape[0]):
        for x in range(face.shape[1]):
            f = face[y, x]
            if f >= 0:
                a, b = bary[y, x, 0], bary[y, x, 1]
                c = f32(1.0) - a - b
                i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
                nx = a * values[i, 0] + b * values[j, 0] + c * values[k, 0]
                ny = a * values[i, 1] + b * values[j, 1] + c * values[k, 1]
                nz = a * values[i, 2] + b * values[j, 2] + c * values[k, 2]
                inverse = f32(1.0) / (np.sqrt(nx * nx + ny * ny + nz * nz) + f32(1e-12))
                out[y, x, 0], out[y, x, 1], out[y, x, 2] = nx * inverse, ny * inverse, nz * inverse


def mesh_normals(vertices: Array, faces: NDArray[np.int32]) -> Array:
    """Area-weighted unit normals (V, 3) float32, as `raster.vertex_normals` has them, in single precision and quicker."""
    out = np.zeros((len(vertices), 3), np.float32)
    _normals(vertices, faces, out)
    return out


def normal_map(vertices: Array, faces: NDArray[np.int32], camera: Camera) -> Array:
    """The unit vertex normals of a closed mesh as the camera sees them, (H, W, 3) float32, world frame, 0 outside."""
    visible = Visible.empty(camera.height, camera.width)
    whole, one_side = np.ones(len(vertices), np.float32), np.zeros(len(faces), np.bool_)
    _draw_triangles(Triangles(camera_points(vertices, camera), faces, one_side, whole), Pinhole.of(camera), visible)
    out = np.zeros((camera.height, camera.width, 3), np.float32)
    _interpolate(visible.face, visible.barycentric, faces, mesh_normals(vertices, faces), out)
    return out


def camera_points(points: NDArray[np.floating], camera: Camera) -> Array:
    """World points (N, 3) in the camera's axes, float32, contiguous."""
    m = camera.world_to_camera
    return np.ascontiguousarray(points @ m[:3, :3].T.astype(np.float32) + m[:3, 3].astype(np.float32), np.float32)


def draw(
    vertices: Array, faces: NDArray[np.int32], both_sides: NDArray[np.bool_], cut: Array,
    strand_points: Array, half_width: Array, start: NDArray[np.int64], camera: Camera,
) -> Visible:  # fmt: skip
    """Draw triangles and strands.

    vertices: (V, 3) world; faces: (F, 3); both_sides: (F,) whether the back shows; cut: (V,) float32, only where it
    interpolates to 0 or more is there anything. strand_points: (P, 3) world; half_width: (P,) metres; start: (S + 1,) where
    each strand begins. Faces and segments that reach behind the near plane (2 cm) are left out.
    """
    visible, pinhole = Visible.empty(camera.height, camera.width), Pinhole.of(camera)
    _draw_triangles(Triangles(camera_points(vertices, camera), faces, both_sides, cut), pinhole, visible)
    if len(strand_points):
        _draw_ribbons(Ribbons(camera_points(strand_points, camera), half_width, start, f32(0.5)), pinhole, visible)
    return visible
