"""Rules for the skin that no photo shows."""

from __future__ import annotations

import numpy as np

from enrollment.instant.texture_completion import interpolate_colors, long_hair, scalp
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
