"""The lips of the neutral face are shut, whatever the photo left of a gap."""

from __future__ import annotations

import numpy as np

from enrollment.instant import lips
from models import arkit
from models.heads.base import HeadModel
from models.types import Array


def gaps(model: HeadModel, identity: Array, offset: Array) -> Array:
    at = model.person(identity, offset).landmarks(model.person(identity, offset).rest)
    return np.asarray(at[list(lips.UPPER), 1] - at[list(lips.LOWER), 1])


def test_lips_that_the_photo_shows_open_are_shut_and_others_stay(model: HeadModel) -> None:
    nobody, none = np.zeros(model.identity_count, np.float32), np.zeros((model.vertex_count, 3), np.float32)
    normal = gaps(model, nobody, none)
    open_ = 0.12 * model.expression_basis[arkit.INDEX["jawOpen"]]
    assert (gaps(model, nobody, open_) > normal + 1e-3).any()
    closed = lips.shut(model, nobody, open_)
    left = gaps(model, nobody, closed) - normal
    assert np.abs(left).max() < 0.4 * (gaps(model, nobody, open_) - normal).max()
    moved = np.abs(closed - open_).max(axis=1)
    assert moved[model.region_vertices("body", "upper_teeth", "lower_teeth", "left_eye")].max() == 0
    assert moved[np.linalg.norm(model.template - model.template[moved.argmax()], axis=1) > 0.06].max() < 1e-5
    assert lips.shut(model, nobody, none) is none
