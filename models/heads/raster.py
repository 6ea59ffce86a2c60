"""A triangle rasterizer: which face, where on it, how deep, for each pixel. The fitted head is looked at through this."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.jit import kernel
from models.types import Array, Camera

NEAR = 0.01


@dataclass(frozen=True)
class Fragments:
    """The nearest surface at each pixel.

    face: (H, W) int32, -1 where nothing is. barycentric: (H, W, 3) float32, perspective-correct, weights of the face's three
    corners. depth: (H, W) float32 metres along the camera's z, `inf` where nothing is.
    """

    face: NDArray[np.int32]
    barycentric: Array
    depth: Array

    def interpolate(self, faces: NDArray[np.int32], values: NDArray[np.floating]) -> Array:
        """Per-vertex values (V, C) at each pixel, (H, W, C) float32; 0 where nothing is."""
        hit = self.face >= 0
        out = np.zeros((*self.face.shape, values.shape[1]), np.float32)
        out[hit] = np.einsum("nk,nkc->nc", self.barycentric[hit], values[faces[self.face[hit]]])
        return out


@kernel()
def _fill(points, faces, fx, fy, cx, cy, cull, face, bary, depth):  # type: ignore[no-untyped-def]  # pragma: no cover
    height, width = depth.shape
    for f in range(faces.shape[0]):
        a, b, c = points[faces[f, 0]], points[faces[f, 1]], points[faces[f, 2]]
        if a[2] < NEAR or b[2] < NEAR or c[2] < NEAR:
            continue
        ax, ay = fx * a[0] / a[2] + cx, fy * a[1] / a[2] + cy
        bx, by = fx * b[0] / b[2] + cx, fy * b[1] / b[2] + cy
        qx, qy = fx * c[0] / c[2] + cx, fy * c[1] / c[2] + cy
        area = (bx - ax) * (qy - ay) - (by - ay) * (qx - ax)
        if area == 0.0 or (cull and area > 0.0):
            continue
        x0 = max(int(np.floor(min(ax, bx, qx) - 0.5)), 0)
        x1 = min(int(np.ceil(max(ax, bx, qx) - 0.5)), width - 1)
        y0 = max(int(np.floor(min(ay, by, qy) - 0.5)), 0)
        y1 = min(int(np.ceil(max(ay, by, qy) - 0.5)), height - 1)
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                px, py = x + 0.5, y + 0.5
                wa = ((bx - px) * (qy - py) - (by - py) * (qx - px)) / area
                wb = ((qx - px) * (ay - py) - (qy - py) * (ax - px)) / area
                wc = ((ax - px) * (by - py) - (ay - py) * (bx - px)) / area  # not 1 - wa - wb: that leaves holes on edges
                if wa < 0.0 or wb < 0.0 or wc < 0.0:
                    continue
                wa, wb, wc = wa / a[2], wb / b[2], wc / c[2]
                z = 1.0 / (wa + wb + wc)
                if z < depth[y, x]:
                    depth[y, x] = z
                    face[y, x] = f
                    bary[y, x, 0], bary[y, x, 1], bary[y, x, 2] = wa * z, wb * z, wc * z


def rasterize(vertices: NDArray[np.floating], faces: NDArray[np.int32], camera: Camera, *, cull: bool = True) -> Fragments:
    """Draw a triangle mesh. vertices: (V, 3) metres, world. faces: (F, 3), counter-clockwise seen from outside.

    `cull` leaves out faces that show their back. Faces that reach behind the near plane (1 cm) are left out whole.
    """
    m = camera.world_to_camera
    points = np.ascontiguousarray(vertices.astype(np.float64) @ m[:3, :3].T + m[:3, 3])
    shape = (camera.height, camera.width)
    face = np.full(shape, -1, np.int32)
    bary = np.zeros((*shape, 3), np.float32)
    depth = np.full(shape, np.inf, np.float32)
    _fill(points, np.ascontiguousarray(faces), camera.fx, camera.fy, camera.cx, camera.cy, cull, face, bary, depth)
    return Fragments(face, bary, depth)


def vertex_normals(vertices: NDArray[np.floating], faces: NDArray[np.int32]) -> Array:
    """Area-weighted unit normals, (V, 3) float32, outwards for counter-clockwise faces."""
    corners = vertices[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    out = np.zeros(vertices.shape, np.float64)
    for k in range(3):
        for axis in range(3):
            out[:, axis] += np.bincount(faces[:, k], normal[:, axis], len(vertices))
    return (out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)).astype(np.float32)
