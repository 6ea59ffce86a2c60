"""Samples cover a surface evenly, and what a photo shows of it is what nothing stands in front of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from enrollment.instant.surface import Samples, VisibleSurface, sample, slopes, steadiness, stretch_ratios
from models import arkit
from models.heads.base import HeadModel, PersonHead
from models.types import Array, Camera


@pytest.fixture(scope="module")
def person(model: HeadModel) -> PersonHead:
    return model.person(np.zeros(model.identity_count))


@pytest.fixture(scope="module")
def samples(person: PersonHead) -> Samples:
    spacing = np.where(person.model.region_faces("skin"), 0.004, 0.0).astype(np.float32)
    return sample(person, spacing)


def triangle_areas(vertices: Array, model: HeadModel) -> Array:
    c = vertices[model.faces]
    return np.asarray(0.5 * np.linalg.norm(np.cross(c[:, 1] - c[:, 0], c[:, 2] - c[:, 0]), axis=1))


def test_samples_lie_in_their_triangles(samples: Samples, model: HeadModel) -> None:
    assert samples.face.dtype == np.int32 and samples.face.min() >= 0 and samples.face.max() < len(model.faces)
    assert samples.barycentric.min() >= 0
    assert np.allclose(samples.barycentric.sum(axis=1), 1, atol=1e-5)
    assert (samples.spacing == np.float32(0.004)).all()


def test_faces_without_a_spacing_get_no_sample(samples: Samples, model: HeadModel) -> None:
    assert model.region_faces("skin")[samples.face].all()


def test_the_same_head_gives_the_same_samples(samples: Samples, person: PersonHead) -> None:
    spacing = np.where(person.model.region_faces("skin"), 0.004, 0.0).astype(np.float32)
    again = sample(person, spacing)
    assert np.array_equal(again.face, samples.face) and np.array_equal(again.barycentric, samples.barycentric)


def test_density_is_as_asked_for_and_follows_the_stretch(samples: Samples, person: PersonHead, model: HeadModel) -> None:
    """Per area of the most stretched expression: one sample a square of the spacing."""
    skin = model.region_faces("skin")
    full = triangle_areas(person.rest, model) * stretch_ratios(person, np.zeros(arkit.COUNT, np.float32))
    assert len(samples.face) == pytest.approx(full[skin].sum() / 0.004**2, rel=0.06)
    count = np.bincount(samples.face, minlength=len(model.faces))
    blocks = np.array_split(np.flatnonzero(skin), 40)
    wanted = np.array([full[b].sum() for b in blocks]) / 0.004**2
    assert np.abs(np.array([count[b].sum() for b in blocks]) - wanted).max() < 4 * np.sqrt(wanted.max())


def test_samples_leave_no_hole(samples: Samples, person: PersonHead, model: HeadModel) -> None:
    """A hole is as wide as a Gaussian: what is behind the skin would be seen through it. Places between the samples, too."""
    spacing = np.where(model.region_faces("skin"), 0.0015, 0.0).astype(np.float32)
    places = sample(person, spacing).at(model.faces, person.rest)
    distance, _ = cKDTree(samples.at(model.faces, person.rest)).query(places)
    assert np.quantile(distance, 0.99) < 0.8 * 0.004 and distance.max() < 1.1 * 0.004


def test_few_samples_crowd(samples: Samples, person: PersonHead, model: HeadModel) -> None:
    """Holes are filled without many more Gaussians, as others of them are left out where two would do for one."""
    points = samples.at(model.faces, person.rest)
    distance, _ = cKDTree(points).query(points, k=2)
    assert np.quantile(distance[:, 1], 0.1) > 0.3 * 0.004


def test_values_are_interpolated_and_selected(samples: Samples, person: PersonHead, model: HeadModel) -> None:
    few = samples.select(np.arange(0, len(samples.face), 997))
    points = few.at(model.faces, person.rest)
    for i in range(len(few.face)):
        assert np.allclose(points[i], few.barycentric[i] @ person.rest[model.faces[few.face[i]]], atol=1e-6)


def test_lids_stretch_and_a_skull_does_not(person: PersonHead, model: HeadModel) -> None:
    grown = stretch_ratios(person, np.zeros(arkit.COUNT, np.float32))
    assert grown.shape == (len(model.faces),) and grown.min() >= 1
    assert grown.max() > 2
    crown = person.rest[model.faces].mean(axis=1)[:, 1] > 0.12
    assert grown[crown].max() < 1.1


def sphere(rings: int = 24, around: int = 48) -> tuple[Array, np.ndarray]:
    """Vertices (V, 3) and faces (F, 3), outwards, of a sphere of 10 cm, 80 cm before the camera."""
    theta, phi = np.meshgrid(np.linspace(0, np.pi, rings + 1), np.arange(around) * 2 * np.pi / around, indexing="ij")
    v = 0.1 * np.stack([np.sin(theta) * np.sin(phi), np.cos(theta), np.sin(theta) * np.cos(phi)], axis=2).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(rings), np.arange(around), indexing="ij")
    a, b = i * around + j, i * around + (j + 1) % around
    halves = np.stack([a, a + around, b], axis=2), np.stack([b, a + around, b + around], axis=2)
    return (v - [0, 0, 0.8]).astype(np.float32), np.concatenate(halves).reshape(-1, 3).astype(np.int32)


def behind(points: Array, triangles: Array) -> np.ndarray:
    """Which points (N, 3) a triangle (F, 3, 3) hides from the origin, by brute force (Moeller and Trumbore 1997)."""
    hidden = np.zeros(len(points), bool)
    a, e1, e2 = triangles[:, 0], triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    for n, p in enumerate(points.astype(np.float64)):
        h = np.cross(p, e2)
        det = np.sum(e1 * h, axis=1)
        inverse = 1 / np.where(np.abs(det) < 1e-15, np.inf, det)
        u = -np.sum(a * h, axis=1) * inverse
        q = np.cross(-a, e1)
        v, t = np.sum(p * q, axis=1) * inverse, np.sum(e2 * q, axis=1) * inverse
        hidden[n] = ((u > 0) & (v > 0) & (u + v < 1) & (t > 0) & (t < 0.97)).any()
    return hidden


def test_visible_is_what_nothing_hides(model: HeadModel) -> None:
    """A sphere with a smaller one before it: against rays cast at all triangles."""
    ball, faces = sphere()
    small = (ball - [0, 0, -0.8]) * 0.35 + [0.03, 0.01, -0.6]
    vertices = np.concatenate([ball, small]).astype(np.float32)
    both = np.concatenate([faces, faces + len(ball)]).astype(np.int32)
    head = replace(model, faces=both, template=vertices)
    camera = Camera(256, 256, 700, 700, 128, 128, np.diag([1.0, -1.0, -1.0, 1.0]))
    view = VisibleSurface.of(head, vertices, camera)
    seen, xy, facing = view.visible(vertices, view.normals)
    toward = -vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    clear = np.abs(facing) > 0.15  # the very rim may fall to either side
    hidden = behind(vertices, vertices[both]) | (np.sum(toward * view.normals, axis=1) < 0.05)
    inside = ((xy > 0) & (xy < 256)).all(axis=1)
    agree = seen == (~hidden & inside)
    assert agree[clear].mean() > 0.98
    assert seen[clear].any() and (~seen[clear] & (facing[clear] > 0.15)).any(), "something is seen, something stands behind"


def test_points_outside_the_picture_are_not_visible(model: HeadModel) -> None:
    ball, faces = sphere()
    head = replace(model, faces=faces, template=ball)
    camera = Camera(256, 256, 700, 700, -400, 128, np.diag([1.0, -1.0, -1.0, 1.0]))
    view = VisibleSurface.of(head, ball, camera)
    assert not view.visible(ball, view.normals)[0].any()


def test_steadiness_falls_smoothly_to_zero_where_skin_unfolds(person: PersonHead, model: HeadModel) -> None:
    ratios = stretch_ratios(person, np.zeros(arkit.COUNT, np.float32))
    steady = steadiness(model, ratios, (1.5, 2.5))
    assert (steady[ratios >= 2.5] == 0).all() and steady.min() == 0 and steady.max() == pytest.approx(1.0, abs=1e-6)
    touching = np.isin(model.faces, model.faces[ratios >= 2.5]).any(axis=1) & (ratios < 1.5)
    assert touching.any() and steady[touching].max() < 1 - 1e-3, "faces beside those that unfold lead over to them"


def test_slopes_are_changes_for_each_metre() -> None:
    corners = np.array([(0, 0, 0), (0.1, 0, 0), (0, 0, 0.2), (0.1, 0, 0.2)], np.float32)
    faces = np.array([(0, 1, 2), (1, 3, 2)], np.int32)
    np.testing.assert_allclose(slopes(3 * corners[:, 0] + 4 * corners[:, 2], corners, faces), 5, rtol=1e-4)
    np.testing.assert_allclose(slopes(np.ones(4, np.float32), corners, faces), 0, atol=1e-6)
