"""Hair grows from the crown in all directions, and further away downwards."""

from __future__ import annotations

import numpy as np

from enrollment.instant.hair_flow import CROWN, FALLS, flow
from models.heads.base import HeadModel

DOWN = np.array([0.0, -1.0, 0.0], np.float32)


def test_hair_grows_outwards_at_the_crown_and_downwards_further_away(model: HeadModel) -> None:
    vertices = model.template
    crown = vertices[np.argmin(np.linalg.norm(vertices - np.array(CROWN, np.float32), axis=1))]
    aside = np.array([[1.0, 0, 0], [-1.0, 0, 0], [0, 0, 1.0], [0, 0, -1.0]], np.float32)
    top = np.tile(-DOWN, (4, 1))
    np.testing.assert_allclose(flow(model, vertices, crown + 0.5 * FALLS[0] * aside, top, DOWN), aside, atol=1e-3)
    low = crown + np.array([[0, -1.2 * FALLS[1], -0.02]], np.float32)
    np.testing.assert_allclose(flow(model, vertices, low, aside[3:], DOWN), DOWN[None], atol=1e-3)
