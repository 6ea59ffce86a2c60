"""A low brow stays where it is in a blink."""

from __future__ import annotations

import numpy as np

from enrollment.instant import lashes
from enrollment.instant.brows import assign_brows, brow_pixels
from models.heads.base import HeadModel
from models.tracking.synthetic_landmarks import BROWS
from tests.enrollment.heads import known, portrait_of, surface_of

LOW = 0.62
"""Part of the way from the brow's landmarks to the lid's edge to which hair reaches."""


def test_hair_on_the_lid_is_the_brows_and_lashes_are_not(model: HeadModel) -> None:
    truth = known(model, identity=np.zeros(model.identity_count))
    portrait, surface = portrait_of(model, truth), surface_of(model, truth)
    side = portrait.image.shape[0]
    points = portrait.landmarks.points[:, :2]
    for brow, edge in zip(BROWS, lashes.UPPER, strict=True):  # the brow comes down on the lid
        down = points[list(edge), 1].min() - points[list(brow), 1].max()
        points[list(brow), 1] += LOW * down
    hair, rim = np.zeros((side, side), bool), np.zeros((side, side), bool)
    for brow, edge in zip(BROWS, lashes.UPPER, strict=True):
        hair |= lashes.drawn(points[list(brow)], hair.shape, filled=True)
        rim |= lashes.drawn(points[list(edge)], rim.shape)
    colors = np.where((hair | rim)[..., None], 0.15, 0.7).astype(np.float32) * np.ones(3, np.float32)
    found = brow_pixels(portrait, colors)
    assert found[hair & ~rim].mean() > 0.9 and not found[rim & ~hair].any() and not found[~hair & ~rim].any()
    before = surface.fragments.face.copy()
    face = before.copy()
    assign_brows(surface, portrait, colors, face)
    moved, lids = face != before, lashes.unfolding_lids(model) & model.region_faces("skin")
    assert moved.sum() > 20 and hair[moved].all() and lids[before[moved]].all()
    blink = np.abs(model.expression_basis[lashes.BLINKS]).max(axis=(0, 2))
    assert blink[model.faces[face[moved]]].max() < 0.1 * blink.max(), "it is on skin that no blink moves"
    assert not (lids[face] & found & (face >= 0)).any()
