"""Where MediaPipe's 478 landmarks lie on any head mesh, found by looking: the mesh is shaded and drawn from several
directions, the landmark tracker is run on the pictures, and where the rays of a landmark meet, the nearest surface has it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.errors import HeadModelError
from models.heads.base import LANDMARKS, LEFT_EYE, REGION, RIGHT_EYE
from models.heads.raster import Fragments, rasterize, vertex_normals
from models.types import Array, Camera

SIZE = 640
DIRECTIONS = [(yaw, pitch) for pitch in (-14, 0, 14) for yaw in (-44, -30, -15, 0, 15, 30, 44)]
SKIN, WHITE_OF_EYE, IRIS, DARK = (
    np.array(c, np.float32) for c in ((0.86, 0.66, 0.55), (0.93, 0.92, 0.9), (0.16, 0.1, 0.07), (0.25, 0.1, 0.1))
)
IRIS_ANGLE = 0.46
"""Radians from the front pole of the eyeball to the rim of the iris (a 5.9 mm radius on a 12 mm eyeball)."""


AGREEMENT = 3e-3
"""Metres between a view's ray and a landmark at which the view's weight, and the landmark's, begin to fall."""


def paint(vertices: Array, faces: NDArray[np.int32], region: NDArray[np.uint8], joints: Array) -> Array:
    """A plain colour for each vertex, (V, 3) float32 sRGB: skin, eyes with irises, a dark mouth inside."""
    color = np.tile(SKIN, (len(vertices), 1))
    for name in ("eye_socket", "mouth_inside", "tongue"):
        color[np.unique(faces[region == REGION[name]])] = DARK
    for name in ("upper_teeth", "lower_teeth"):
        color[np.unique(faces[region == REGION[name]])] = WHITE_OF_EYE
    for name, joint in (("left_eye", LEFT_EYE), ("right_eye", RIGHT_EYE)):
        used = np.unique(faces[region == REGION[name]])
        direction = vertices[used] - joints[joint]
        angle = np.arccos(np.clip(direction[:, 2] / np.linalg.norm(direction, axis=1), -1, 1))
        color[used] = np.where((angle < IRIS_ANGLE)[:, None], IRIS, WHITE_OF_EYE)
    return color


def shade(fragments: Fragments, faces: NDArray[np.int32], color: Array, normals: Array, light: Array) -> NDArray[np.uint8]:
    """Lambert shading over a grey background, (H, W, 3) uint8. light: (3,) unit, towards the light."""
    albedo = fragments.interpolate(faces, color)
    n = fragments.interpolate(faces, normals)
    shading = 0.45 + 0.6 * np.clip(n @ light, 0, 1)
    out = np.clip(albedo * shading[..., None], 0, 1)
    out[fragments.face < 0] = 0.55
    return np.asarray(out * 255, np.uint8)


def embed(
    vertices: Array, faces: NDArray[np.int32], region: NDArray[np.uint8], joints: Array
) -> tuple[NDArray[np.int32], Array, Array]:
    """Face (478,), barycentric (478, 3) and trust (478,) of each landmark. Needs mediapipe.

    Raises `HeadModelError` when the tracker sees a face in fewer than half of the pictures.
    """
    import mediapipe as mp

    color, normals = paint(vertices, faces, region, joints), vertex_normals(vertices, faces)
    origins, rays = [], []
    with mp.solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True) as tracker:
        for yaw, pitch in DIRECTIONS:
            camera = Camera.orbit(
                np.deg2rad(yaw), np.deg2rad(pitch), 1.2, width=SIZE, height=SIZE, fov_y=np.deg2rad(18), target=(0, -0.01, 0.05)
            )
            fragments = rasterize(vertices, faces, camera)
            light = camera.position / np.linalg.norm(camera.position) + np.array([0.0, 0.3, 0.0])
            picture = shade(fragments, faces, color, normals, (light / np.linalg.norm(light)).astype(np.float32))
            found = tracker.process(picture).multi_face_landmarks
            if found:
                xy = np.array([[p.x, p.y] for p in found[0].landmark], np.float64) * SIZE
                origins.append(camera.position)
                rays.append(_rays(xy, camera))
    if len(rays) < len(DIRECTIONS) / 2:
        raise HeadModelError("a face was expected in the pictures of the head model, the tracker saw none; check its axes")
    points, spread = _meet(np.asarray(origins), np.asarray(rays))
    return _project(points, vertices, faces, region, 1 / (1 + (spread / AGREEMENT) ** 2))


def _rays(xy: NDArray[np.floating], camera: Camera) -> NDArray[np.floating]:
    """Unit directions (N, 3) in the world of the rays through pixels (N, 2)."""
    local = np.stack([(xy[:, 0] - camera.cx) / camera.fx, (xy[:, 1] - camera.cy) / camera.fy, np.ones(len(xy))], axis=1)
    world = local @ camera.world_to_camera[:3, :3]
    return np.asarray(world / np.linalg.norm(world, axis=1, keepdims=True))


def _meet(origins: NDArray[np.floating], rays: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Where rays (D, N, 3) from origins (D, 3) come nearest to each other, (N, 3), and by how much they miss, (N,) metres.

    Least squares, reweighted so that views in which a landmark has slid along the outline have little weight.
    """
    across = np.eye(3) - rays[..., :, None] * rays[..., None, :]
    weight = np.ones(rays.shape[:2])
    for _ in range(8):
        left = np.einsum("dn,dnij->nij", weight, across)
        right = np.einsum("dn,dnij,dj->ni", weight, across, origins)
        points = np.linalg.solve(left, right[..., None])[..., 0]
        miss = np.linalg.norm(np.einsum("dnij,dnj->dni", across, points - origins[:, None]), axis=2)
        weight = 1 / (1 + (miss / AGREEMENT) ** 2) ** 2
    return points, np.sqrt(np.sum(weight * miss**2, axis=0) / np.sum(weight, axis=0))


def _project(
    points: NDArray[np.floating],
    vertices: Array,
    faces: NDArray[np.int32],
    region: NDArray[np.uint8],
    weight: NDArray[np.floating],
) -> tuple[NDArray[np.int32], Array, Array]:
    """Nearest place on the skin (on the eyeballs for the irises) for each point."""
    out_face, out_bary = np.zeros(LANDMARKS, np.int32), np.zeros((LANDMARKS, 3), np.float32)
    skin = np.flatnonzero((region == REGION["skin"]) | (region == REGION["body"]))
    eyes = {side: np.flatnonzero(region == REGION[side]) for side in ("left_eye", "right_eye")}
    for i, p in enumerate(points):
        choice = skin if i < 468 else eyes["right_eye" if i < 473 else "left_eye"]
        centre = vertices[faces[choice]].mean(axis=1)
        near = choice[np.argsort(np.sum((centre - p) ** 2, axis=1))[:12]]
        bary, distance = closest_on_triangles(p, vertices[faces[near]])
        best = int(np.argmin(distance))
        out_face[i], out_bary[i] = near[best], bary[best]
    return out_face, out_bary, weight.astype(np.float32)


def closest_on_triangles(
    p: NDArray[np.floating], triangles: NDArray[np.floating]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Barycentric (N, 3) of the nearest point of each triangle (N, 3, 3) to `p` (3,), and its distance (N,)."""
    a, e0, e1 = triangles[:, 0], triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    d = p - a
    d00, d01, d11 = (np.sum(x * y, axis=1) for x, y in ((e0, e0), (e0, e1), (e1, e1)))
    d20, d21 = np.sum(d * e0, axis=1), np.sum(d * e1, axis=1)
    det = np.maximum(d00 * d11 - d01**2, 1e-18)
    v, w = (d11 * d20 - d01 * d21) / det, (d00 * d21 - d01 * d20) / det
    candidates = [np.stack([1 - v - w, v, w], axis=1)]
    t = np.clip(d20 / np.maximum(d00, 1e-18), 0, 1)
    candidates.append(np.stack([1 - t, t, np.zeros_like(t)], axis=1))
    t = np.clip(d21 / np.maximum(d11, 1e-18), 0, 1)
    candidates.append(np.stack([1 - t, np.zeros_like(t), t], axis=1))
    edge, from_b = e1 - e0, d - e0
    t = np.clip(np.sum(from_b * edge, axis=1) / np.maximum(np.sum(edge * edge, axis=1), 1e-18), 0, 1)
    candidates.append(np.stack([np.zeros_like(t), 1 - t, t], axis=1))
    bary = np.stack(candidates)
    distance = np.linalg.norm(np.einsum("knj,njc->knc", bary, triangles) - p, axis=2)
    distance[0][(bary[0] < 0).any(axis=1)] = np.inf
    best = np.argmin(distance, axis=0)
    rows = np.arange(len(triangles))
    return bary[best, rows], distance[best, rows]
