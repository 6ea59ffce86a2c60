from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models import binding
from models.heads.base import rotation_matrix, rotation_vector
from models.types import Gaussians
from tests.models import makers

FACES = np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8]], np.int32)
coordinates = st.floats(-1, 1, width=32)
corners = arrays(np.float32, (9, 3), elements=coordinates)


def gaussians(count: int, seed: int = 0) -> Gaussians:
    rng = np.random.default_rng(seed)
    f32 = np.float32
    return Gaussians(
        rng.normal(0, 0.1, (count, 3)).astype(f32),
        makers.quaternions(rng, count),
        np.exp(rng.normal(-5, 1, (count, 3))).astype(f32),
        rng.uniform(size=count).astype(f32),
        rng.uniform(size=(count, 3)).astype(f32),
    )


def covariance(g: Gaussians) -> np.ndarray:
    r = np.stack([rotation_matrix(q) for q in g.rotations]) * g.scales[:, None]
    return r @ r.transpose(0, 2, 1)


def sound(vertices: np.ndarray) -> np.ndarray:
    """Which triangles have an area worth the name."""
    a, b, c = vertices[FACES].transpose(1, 0, 2)
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-2


def test_the_frame_of_a_known_triangle() -> None:
    """Origin at the centroid, x along the first edge, y along the normal, size the mean of base and height."""
    v = np.array([[0, 0, 0], [2, 0, 0], [0, 0, -4]], np.float32)
    f = binding.frames(v, np.array([[0, 1, 2]], np.int32))
    np.testing.assert_allclose(f.origin, [[2 / 3, 0, -4 / 3]], rtol=1e-6)
    np.testing.assert_allclose(rotation_matrix(f.rotation[0]), np.eye(3), atol=1e-6)
    np.testing.assert_allclose(f.scale, [3.0])


@settings(deadline=None)
@given(corners)
def test_frames_are_rotations_that_follow_the_triangle(vertices: np.ndarray) -> None:
    f = binding.frames(vertices, FACES)
    for i in np.flatnonzero(sound(vertices)):
        a, b, c = vertices[FACES[i]].astype(float)
        r = rotation_matrix(f.rotation[i])
        np.testing.assert_allclose(np.linalg.norm(f.rotation[i]), 1, atol=1e-4)
        np.testing.assert_allclose(r[:, 0], (b - a) / np.linalg.norm(b - a), atol=1e-3)
        n = np.cross(b - a, c - a)
        np.testing.assert_allclose(r[:, 1], n / np.linalg.norm(n), atol=1e-3)


@settings(deadline=None)
@given(corners)
def test_to_world_undoes_bind(vertices: np.ndarray) -> None:
    ok = np.flatnonzero(sound(vertices))
    if not len(ok):
        return
    g = gaussians(30)
    face = ok[np.arange(30) % len(ok)].astype(np.int32)
    at = binding.frames(vertices, FACES)
    back = binding.to_world(binding.bind(g, face, at), at)
    np.testing.assert_allclose(back.means, g.means, atol=2e-5)
    np.testing.assert_allclose(back.scales, g.scales, rtol=1e-4)
    np.testing.assert_allclose(covariance(back), covariance(g), atol=1e-3 * float(g.scales.max()) ** 2)
    assert back.opacities is g.opacities
    assert back.colors is g.colors


@settings(deadline=None)
@given(corners, st.tuples(coordinates, coordinates, coordinates).map(np.array), st.floats(0.25, 4))
def test_gaussians_move_turn_and_grow_with_their_triangles(vertices: np.ndarray, vector: np.ndarray, size: float) -> None:
    ok = np.flatnonzero(sound(vertices))
    if not len(ok):
        return
    r, t = rotation_vector(2 * vector), vector[::-1]
    bound = binding.bind(gaussians(30), ok[np.arange(30) % len(ok)].astype(np.int32), binding.frames(vertices, FACES))
    before = binding.to_world(bound, binding.frames(vertices, FACES))
    moved = (size * vertices @ r.T + t).astype(np.float32)
    after = binding.to_world(bound, binding.frames(moved, FACES))
    np.testing.assert_allclose(after.means, size * before.means @ r.T + t, atol=1e-3)
    np.testing.assert_allclose(after.scales, size * before.scales, rtol=1e-3)
    expected = size**2 * r @ covariance(before) @ r.T
    np.testing.assert_allclose(covariance(after), expected, atol=2e-3 * float(expected.max()))


@settings(deadline=None)
@given(arrays(np.float32, (9, 3), elements=st.sampled_from([float(np.float32(x)) for x in (0, 1e-20, 1e-8, 0.5, 1)])))
def test_degenerate_triangles_give_finite_gaussians(vertices: np.ndarray) -> None:
    at = binding.frames(vertices, FACES)
    bound = makers.bound_gaussians(30, 3)
    world = binding.to_world(bound, at)
    for array in (at.origin, at.rotation, at.scale, world.means, world.rotations, world.scales):
        assert np.isfinite(array).all()
    assert (at.scale >= 0).all()
    np.testing.assert_allclose(np.linalg.norm(at.rotation, axis=1), 1, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(world.rotations, axis=1), 1, atol=1e-3)
    again = binding.bind(world, bound.face, at)
    for name in ("means", "rotations", "scales"):
        assert np.isfinite(getattr(again, name)).all()


def test_results_are_written_over_when_asked() -> None:
    vertices = np.random.default_rng(0).uniform(size=(9, 3)).astype(np.float32)
    at = binding.frames(vertices, FACES)
    bound = makers.bound_gaussians(10, 3)
    world = binding.to_world(bound, at)
    assert binding.frames(vertices * 2, FACES, at) is at
    assert binding.to_world(bound, at, world) is world
    np.testing.assert_allclose(world.means, binding.to_world(bound, binding.frames(vertices * 2, FACES)).means)


def test_select_and_concatenate() -> None:
    a, b = makers.bound_gaussians(5, 3, 1), makers.bound_gaussians(4, 3, 2)
    both = binding.BoundGaussians.concatenate([a, b])
    assert len(both) == 9
    np.testing.assert_array_equal(both.select(np.arange(9) >= 5).means, b.means)
    np.testing.assert_array_equal(both.select(np.array([2, 0])).face, a.face[[2, 0]])


def test_against_a_plain_loop() -> None:
    vertices = np.random.default_rng(0).uniform(size=(9, 3)).astype(np.float32)
    at = binding.frames(vertices, FACES)
    bound = makers.bound_gaussians(20, 3)
    world = binding.to_world(bound, at)
    for n in range(20):
        f = bound.face[n]
        r = rotation_matrix(at.rotation[f])
        np.testing.assert_allclose(world.means[n], at.origin[f] + at.scale[f] * r @ bound.means[n], atol=1e-5)
        turned = rotation_matrix(world.rotations[n])
        np.testing.assert_allclose(turned, r @ rotation_matrix(bound.rotations[n]), atol=1e-5)
        np.testing.assert_allclose(world.scales[n], at.scale[f] * bound.scales[n], rtol=1e-5)
    assert world.means.dtype == np.float32
    assert world.scales.shape == (20, 3)


def test_what_arithmetic_made_is_valid_afterwards() -> None:
    """Whatever is not finite goes, the rest is cut to what a file may hold."""
    bound = makers.bound_gaussians(8, 10)
    bound.colors[0], bound.colors[1, 2], bound.opacities[2] = 1.3, -0.1, 1.2
    bound.scales[3] = -1.0
    bound.means[4, 0], bound.colors[5, 1], bound.rotations[6] = np.nan, np.inf, 0.0
    valid = bound.valid()
    assert len(valid) == 5
    assert valid.colors.max() == 1 and valid.colors.min() == 0 and valid.opacities.max() == 1 and valid.scales.min() == 0
    np.testing.assert_array_equal(valid.means, bound.means[[0, 1, 2, 3, 7]])
