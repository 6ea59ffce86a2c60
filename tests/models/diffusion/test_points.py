from __future__ import annotations

import numpy as np
import pytest

from models.diffusion.parts import face_parts
from models.diffusion.points import COUNT, LEFT_EYE, MARKS, RIGHT_EYE, TWINS, part_points
from models.heads.registry import by_name
from tests.models.diffusion.test_parts import dotted, marks, middle_of, quarters


def test_every_part_has_as_many_points_each_once() -> None:
    assert all(len(part) == len(set(part)) == COUNT for part in MARKS)
    for part, twins in zip(MARKS[2:], TWINS, strict=True):
        assert sorted(twins) == list(range(COUNT)) and all(twins[twins[k]] == k for k in range(COUNT)), part


def test_twins_are_twins_on_the_head() -> None:
    """In the mirror each landmark lies where its twin lies; the bridge of the nose is its own."""
    model = by_name("anny")
    corners = model.template[model.landmark_corners]
    places = np.einsum("nk,nkc->nc", model.landmark_barycentric, corners)
    pairs = [*zip(RIGHT_EYE, LEFT_EYE, strict=True)]
    pairs += [(part[k], part[t]) for part, twins in zip(MARKS[2:], TWINS, strict=True) for k, t in enumerate(twins)]
    for one, other in pairs:
        if min(model.landmark_weight[one], model.landmark_weight[other]) > 0.05:
            distance = np.linalg.norm(places[one] * (-1, 1, 1) - places[other])
            assert distance < 0.004, (one, other)


@pytest.mark.parametrize("turn", [0.0, 0.4])
def test_a_point_lies_where_its_landmark_is_seen(turn: float) -> None:
    """A dot on one landmark of each part, near that part's middle: in the parts it is where its point says."""
    m = marks(turn)
    cos, sin = np.cos(turn), np.sin(turn)
    for part, (mark, x, y) in enumerate([(159, -0.29, -0.30), (386, 0.36, -0.24), (13, 0.08, 0.5), (187, 0.3, 0.3)]):
        m[mark] = (150, 150) + 100 * np.array([[cos, -sin], [sin, cos]]) @ (x, y)
        there = part_points(m)[part, MARKS[part].index(mark)]
        assert np.abs(there).max() < 0.6
        picture = quarters(face_parts(dotted(m[[mark]]), m, 128))[part]
        assert middle_of(picture) == pytest.approx(32 * there, abs=1.0)
