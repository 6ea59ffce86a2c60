from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.errors import HeadModelError
from models.heads.anny import AnnyHead
from models.heads.base import REGION
from models.heads.embedding import WHITE_OF_EYE, closest_on_triangles, embed, paint

TRIANGLE = np.array([[[0, 0, 0], [1, 0, 0], [0, 1, 0.0]]])


@pytest.mark.parametrize(
    ("point", "barycentric", "distance"),
    [
        ((0.2, 0.3, 0.5), (0.5, 0.2, 0.3), 0.5),
        ((-1, -1, 0), (1, 0, 0), np.sqrt(2)),
        ((3, -1, 0), (0, 1, 0), np.sqrt(5)),
        ((0.5, -2, 0), (0.5, 0.5, 0), 2),
        ((-2, 0.5, 0), (0.5, 0, 0.5), 2),
        ((1, 1, 0), (0, 0.5, 0.5), np.sqrt(0.5)),
    ],
)
def test_closest_point_of_a_triangle(point: tuple, barycentric: tuple, distance: float) -> None:
    b, d = closest_on_triangles(np.array(point, float), TRIANGLE)
    np.testing.assert_allclose(b[0], barycentric, atol=1e-12)
    assert d[0] == pytest.approx(distance)


@given(arrays(float, (4, 3), elements=st.floats(-1, 1)))
def test_no_point_of_the_triangle_is_closer(numbers: np.ndarray) -> None:
    p, triangle = numbers[0], numbers[1:]
    b, d = closest_on_triangles(p, triangle[None])
    grid = np.array([(i, j, 12 - i - j) for i in range(13) for j in range(13 - i)]) / 12
    assert d[0] <= np.linalg.norm(grid @ triangle - p, axis=1).min() + 1e-6
    assert b.min() >= -1e-9
    assert b.sum() == pytest.approx(1)


def test_paint_shows_eyes_and_teeth() -> None:
    head = AnnyHead()
    color = paint(head.template, head.faces, head.region, head.joints)
    assert color.shape == (head.vertex_count, 3)
    np.testing.assert_array_equal(color[head.region_vertices("upper_teeth")][0], WHITE_OF_EYE)
    eye = head.region_vertices("left_eye")
    dark = color[eye].mean(axis=1) < 0.3
    assert 0.02 < dark.mean() < 0.6
    assert head.template[eye[dark], 2].min() > np.median(head.template[eye, 2])


def test_a_mesh_without_a_face_is_refused() -> None:
    pytest.importorskip("mediapipe")
    ring = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    v = np.concatenate([0.1 * np.stack([np.cos(ring), np.sin(ring), 0 * ring], axis=1), [[0, 0, 0.1]]]).astype(np.float32)
    faces = np.array([(i, (i + 1) % 12, 12) for i in range(12)], np.int32)
    region = np.full(12, REGION["skin"], np.uint8)
    with pytest.raises(HeadModelError, match="check its axes"):
        embed(v, faces, region, np.zeros((6, 3), np.float32))
