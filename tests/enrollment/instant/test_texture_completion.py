"""Rules for the skin that no photo shows."""

from __future__ import annotations

import numpy as np

from enrollment.instant.texture_completion import around_eyes, eyelid_rims, interpolate_colors, long_hair, scalp
from models.heads.base import HeadModel

SKIN, DARK = np.array([0.7, 0.52, 0.44], np.float32), np.array([0.3, 0.2, 0.15], np.float32)


def test_unseen_skin_goes_on_from_what_is_seen_and_from_the_other_side(model: HeadModel) -> None:
    """The person's left half is dark where it is seen: its unseen part is darker than that of the right half."""
    head = np.zeros(model.vertex_count, bool)
    head[model.region_vertices("skin")] = True
    x, _, z = model.template.T
    color = np.where((x > 0)[:, None], DARK, SKIN).astype(np.float32)
    trust = ((z > 0.03) & (np.abs(x) > 0.01)).astype(np.float32)
    found = interpolate_colors(model, color, trust, head)
    behind = head & (z < -0.02) & (np.abs(x) > 0.04)
    assert found[behind & (x > 0), 0].mean() < found[behind & (x < 0), 0].mean() - 0.1
    assert (found[head] > DARK - 0.02).all() and (found[head] < SKIN + 0.02).all()


def test_hair_beside_the_neck_covers_the_nape(model: HeadModel) -> None:
    crown = scalp(model)
    assert not long_hair(model, crown).any()
    head = np.zeros(model.vertex_count, bool)
    head[model.region_vertices("skin")] = True
    sides = head & (model.template[:, 1] < -0.03) & (np.abs(model.template[:, 0]) > 0.04)
    nape = long_hair(model, crown | sides)
    assert nape.any() and not (nape & crown).any() and model.template[nape, 2].max() < 0.0


def test_the_rims_of_the_eyelids_are_narrow_and_look_down(model: HeadModel) -> None:
    a, b, c = (model.template[model.faces[:, k]] for k in range(3))
    rims = eyelid_rims(model)
    assert (np.cross(b - a, c - a)[rims, 1] < 0).all()
    assert (around_eyes(model) | ~rims).all() and 0 < rims.sum() < 0.25 * around_eyes(model).sum()
    for side in (-1, 1):
        middle = ((a + b + c) / 3)[rims & (side * a[:, 0] > 0)]
        assert np.ptp(middle[:, 0]) > 0.015 and np.ptp(middle[:, 2]) < 0.02
