"""Rules for the skin that no photo shows."""

from __future__ import annotations

import numpy as np

from enrollment.instant.texture_completion import (
    CHEEKBONES,
    CHEEKS,
    JAW,
    around_eyes,
    bare_behind,
    eyelid_rims,
    interpolate_colors,
    long_hair,
    scalp,
)
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


def test_a_beard_does_not_go_on_around_the_neck(model: HeadModel) -> None:
    """The parsing takes it for skin: ears and nape get the cheeks' tone, and what the photo shows of the face stays."""
    color, trust = np.tile(SKIN, (model.vertex_count, 1)), np.zeros(model.vertex_count, np.float32)
    trust[model.landmark_corners[list(CHEEKS + JAW)].ravel()] = 1.0
    same_color, same_trust = bare_behind(model, color, trust)
    assert same_color is color and same_trust is trust, "without a beard"
    bearded = color.copy()
    bearded[model.landmark_corners[list(JAW)].ravel()] = SKIN / 3
    bearded[trust == 0] = SKIN / 3
    found, guessed = bare_behind(model, bearded, trust)
    nape = model.region_vertices("skin")
    nape = nape[model.template[nape, 2] < -0.02]
    np.testing.assert_allclose(found[nape], SKIN[None].repeat(len(nape), 0), atol=1e-5)
    assert (guessed[nape] > 0).all() and (guessed[nape] < 0.5).all()
    front = model.template[:, 2] > 0.03
    assert np.array_equal(found[front], bearded[front]) and np.array_equal(guessed[front], trust[front])
    grey = np.where((bearded == SKIN / 3).all(axis=1)[:, None], SKIN.mean(), bearded).astype(np.float32)
    paler, _ = bare_behind(model, grey, trust)
    np.testing.assert_allclose(paler[nape], found[nape], atol=1e-5, err_msg="a grey one is as bright as skin")
    right, _ = CHEEKBONES
    bearded[model.landmark_corners[list(right)].ravel()] = DARK
    trust[model.landmark_corners[list(right)].ravel()] = 1.0
    shaded, _ = bare_behind(model, bearded, trust)
    x = model.template[nape, 0]
    assert shaded[nape[x < -0.05]].max() < 0.85 * SKIN.max(), "in the shadow of their own side"
    np.testing.assert_allclose(shaded[nape[x > 0.05]], found[nape[x > 0.05]], atol=1e-5)
