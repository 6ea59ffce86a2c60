from __future__ import annotations

import numpy as np
import pytest

from models.heads.anny import AnnyHead
from models.heads.raster import rasterize, vertex_normals
from models.types import Camera

CAMERA = Camera(40, 30, 30.0, 30.0, 20.0, 15.0)
"""At the origin, looking along +z, y down."""
SQUARE = np.array([[-0.5, -0.5, 2], [0.5, -0.5, 2], [0.5, 0.5, 2], [-0.5, 0.5, 2.0]])
FACES = np.array([[0, 2, 1], [0, 3, 2]], np.int32)
"""Counter-clockwise for somebody who looks along +z with y down."""


def oracle(vertices: np.ndarray, faces: np.ndarray, camera: Camera, cull: bool) -> tuple[np.ndarray, np.ndarray]:
    """Face and depth by casting a ray through each pixel at every triangle (Möller and Trumbore 1997)."""
    r, origin = camera.world_to_camera[:3, :3], camera.position
    y, x = np.mgrid[: camera.height, : camera.width] + 0.5
    rays = np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones_like(x)], axis=-1) @ r
    face = np.full(x.shape, -1, np.int32)
    depth = np.full(x.shape, np.inf)
    for i, (a, b, c) in enumerate(vertices[faces]):
        across = np.cross(rays, c - a)
        det = across @ (b - a)
        with np.errstate(divide="ignore", invalid="ignore"):
            u = (across @ (origin - a)) / det
            q = np.cross(origin - a, b - a)
            v, t = rays @ q / det, (c - a) @ q / det
        front = det > 0 if cull else det != 0
        hit = front & (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0) & (t < depth)
        face[hit], depth[hit] = i, t[hit]
    return face, depth


def test_a_square_covers_the_pixels_whose_centres_it_covers() -> None:
    f = rasterize(SQUARE, FACES, CAMERA)
    covered = f.face >= 0
    expected = np.zeros((30, 40), bool)
    expected[8:23, 13:28] = True  # +- 7.5 pixels about (20, 15): centres at 12.5 and 27.5 lie on the border
    interior = np.zeros_like(expected)
    interior[8:22, 13:27] = True
    assert covered[interior].all()
    assert not covered[:7].any()
    assert not covered[23:].any()
    np.testing.assert_allclose(f.depth[covered], 2, rtol=1e-6)
    assert np.isinf(f.depth[~covered]).all()
    assert covered.sum() == pytest.approx(expected.sum(), abs=32)


def test_barycentric_coordinates_are_perspective_correct() -> None:
    tilted = np.array([[-1, -0.6, 1.5], [1, -0.6, 4.0], [0, 0.8, 2.0]])
    f = rasterize(tilted, np.array([[0, 2, 1]], np.int32), CAMERA)
    hit = f.face >= 0
    assert hit.sum() > 50
    points = f.interpolate(np.array([[0, 2, 1]], np.int32), tilted)
    y, x = np.nonzero(hit)
    np.testing.assert_allclose(CAMERA.project(points[hit]), np.stack([x, y], axis=1) + 0.5, atol=1e-4)
    np.testing.assert_allclose(points[hit][:, 2], f.depth[hit], rtol=1e-5)
    np.testing.assert_allclose(f.barycentric[hit].sum(axis=1), 1, atol=1e-5)
    assert not points[~hit].any()


def test_backs_are_left_out_unless_asked_for() -> None:
    backs = FACES[:, ::-1].copy()
    assert (rasterize(SQUARE, backs, CAMERA).face == -1).all()
    same = rasterize(SQUARE, backs, CAMERA, cull=False).face == rasterize(SQUARE, FACES, CAMERA).face
    assert same.mean() > 0.97  # a centre on an edge may fall to either side


def test_the_nearer_wins_whatever_the_order() -> None:
    both = np.concatenate([SQUARE, SQUARE * [1, 1, 0.5]])
    for faces, near in ((np.concatenate([FACES, FACES + 4]), 2), (np.concatenate([FACES + 4, FACES]), 0)):
        f = rasterize(both, faces, CAMERA)
        assert f.face[15, 20] // 2 * 2 == near
        assert f.depth[15, 20] == pytest.approx(1)


def test_no_holes_between_neighbours() -> None:
    """A pixel's centre exactly on the edge of two triangles belongs to at least one of them."""
    camera = Camera(32, 32, 32.0, 32.0, 16.0, 16.0)
    y, x = np.mgrid[:32, :32]
    centres = np.stack([(x + 0.5 - 16) / 32, (y + 0.5 - 16) / 32], axis=-1)
    rng = np.random.default_rng(0)
    tried = 0
    for corners in rng.integers(-16, 17, (2000, 4, 2)) / 32:
        p, q, r, s = corners
        edge = q - p
        sides = [np.cross(edge, other - p) for other in (r, s)]
        if sides[0] * sides[1] >= 0:
            continue
        vertices = np.concatenate([corners, np.ones((4, 1))], axis=1)
        seen = rasterize(vertices, np.array([[0, 1, 2], [0, 1, 3]], np.int32), camera, cull=False).face
        along = (centres - p) @ edge / (edge @ edge)
        on_edge = (np.cross(edge, centres - p) == 0) & (along > 0) & (along < 1)
        tried += int(on_edge.sum())
        assert (seen[on_edge] >= 0).all()
    assert tried > 200


def test_what_reaches_behind_the_camera_is_left_out() -> None:
    for z in (0.0, -2.0, 0.005):
        v = SQUARE.copy()
        v[0, 2] = z
        assert (rasterize(v, FACES, CAMERA).face == -1).all()


def test_degenerate_triangles_and_an_empty_mesh() -> None:
    flat = np.array([[0, 0, 2.0], [1, 0, 2], [2, 0, 2]])
    assert (rasterize(flat, np.array([[0, 1, 2], [0, 0, 1]], np.int32), CAMERA, cull=False).face == -1).all()
    assert (rasterize(flat, np.zeros((0, 3), np.int32), CAMERA).face == -1).all()


@pytest.mark.parametrize("cull", [True, False])
def test_parity_with_rays(cull: bool) -> None:
    rng = np.random.default_rng(0)
    vertices = rng.uniform(-1, 1, (60, 3)) + np.array([0, 0, 3.5])
    faces = rng.integers(0, 60, (40, 3)).astype(np.int32)
    camera = Camera.look_at((0.4, -0.3, -0.2), (0, 0, 3), width=48, height=40, fov_y=0.7)
    fast = rasterize(vertices, faces, camera, cull=cull)
    face, depth = oracle(vertices, faces, camera, cull)
    same = fast.face == face
    assert same.mean() > 0.995  # a centre on an edge may fall to either side
    hit = same & (face >= 0)
    assert hit.sum() > 100
    np.testing.assert_allclose(fast.depth[hit], depth[hit], rtol=1e-5)


def test_a_closed_head_shows_no_backs() -> None:
    """With and without culling the same surface is seen: faces wind outwards."""
    head = AnnyHead()
    faces = head.faces[head.region_faces("skin", "body")]
    camera = Camera.orbit(0.4, 0.1, width=96, height=96, target=(0, 0.04, 0), fov_y=np.deg2rad(14))
    a, b = (rasterize(head.template, faces, camera, cull=cull).face for cull in (True, False))
    assert (a == b).mean() > 0.99


def test_normals_point_outwards() -> None:
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))], np.int32)
    n = vertex_normals(corners, faces)
    assert n.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(n, axis=1), 1, atol=1e-6)
    assert (np.sum(n * corners, axis=1) > 0.8).all()


def test_normals_of_nothing_are_finite() -> None:
    assert not vertex_normals(np.zeros((4, 3)), FACES).any()
