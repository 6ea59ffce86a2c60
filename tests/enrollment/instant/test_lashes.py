"""Lashes stand off the lid and turn with its edge."""

from __future__ import annotations

import numpy as np

from enrollment.instant.lashes import APART, BLINKS, LENGTH, UPPER, assign_lashes, lid_edges, unfolding_lids
from enrollment.instant.lift import OPENINGS, polygon_of
from models import arkit, binding
from models.heads.base import REGION, HeadModel
from models.tracking.face_geometry import face_height
from tests.enrollment.heads import FOCAL, known, portrait_of, surface_of


def test_a_dark_band_on_the_upper_lid_is_seen_from_its_side_in_a_blink(model: HeadModel) -> None:
    truth = known(model, identity=np.zeros(model.identity_count))
    portrait, surface = portrait_of(model, truth), surface_of(model, truth)
    side = portrait.image.shape[0]
    points = portrait.landmarks.points[:, :2]
    eyes = np.any([polygon_of(marks, points, (side, side)) for marks, names in OPENINGS if "left_eye" in names], axis=0)
    band = np.zeros((side, side), bool)
    for marks in UPPER:
        for x, y in points[list(marks)]:
            band[round(y - 0.8 * LENGTH * face_height(portrait.landmarks)) : round(y), round(x) - 2 : round(x) + 3] = True
    colors = np.where((band & ~eyes)[..., None], 0.1, 0.7).astype(np.float32) * np.ones(3, np.float32)
    before, metres = surface.fragments.face.copy(), surface.fragments.depth.copy()
    face, depth = before.copy(), metres.copy()
    assign_lashes(surface, portrait, colors, face, depth, eyes)
    moved = face != before
    assert moved.sum() > 10 and not (moved & ~band).any(), "only what is dark"
    assert lid_edges(model)[face[moved]].all()
    falls = -model.expression_basis[BLINKS, :, 1].min(axis=0)[model.faces].mean(axis=1)
    assert (falls[face] - falls[before])[moved].max() < 1.1 * APART * falls.max(), "those in the corners stay"
    row, column = np.nonzero(moved)
    xy = np.stack([column + 0.5, row + 0.5], axis=1)
    at = np.stack([(xy[:, 0] - side / 2) / FOCAL, -(xy[:, 1] - side / 2) / FOCAL, -np.ones(len(xy))], axis=1)
    at = ((at * depth[moved][:, None] - truth.translation) @ truth.rotation).astype(np.float32)
    person = model.person(truth.identity)
    open_, shut = (person.expressed(np.array(arkit.vector(eyeBlinkLeft=b, eyeBlinkRight=b), np.float32)) for b in (0.0, 1.0))
    frames = [binding.frames(v, model.faces) for v in (open_, shut)]
    turned = _carried(at, face[moved], *frames)
    edge = [v[model.faces[face[moved]]].mean(axis=1) for v in (open_, shut)]
    above, still = (at - edge[0])[:, 1], (turned - edge[1])[:, 1]
    assert still[above > 1e-3].mean() < 0.6 * above[above > 1e-3].mean(), "the band gets narrow"
    assert ((at - edge[0])[:, 2] > -2e-3).all(), "and stands before the lid"


def test_lids_unfold_between_edge_and_brow(model: HeadModel) -> None:
    edges, lids = lid_edges(model), unfolding_lids(model)
    assert edges.sum() >= 20 and not (edges & lids).any()
    assert (model.region[edges] == REGION["skin"]).all() and model.template[model.faces[edges]].mean(axis=1)[:, 0].min() < -0.02


def _carried(points: np.ndarray, face: np.ndarray, before: binding.Frames, after: binding.Frames) -> np.ndarray:
    """Points (N, 3) bound to triangles, (N,), taken along from one pose to another."""
    from scipy.spatial.transform import Rotation

    a, b = (Rotation.from_quat(f.rotation[face][:, [1, 2, 3, 0]]) for f in (before, after))
    local = a.inv().apply(points - before.origin[face]) / before.scale[face][:, None]
    return np.asarray(b.apply(local * after.scale[face][:, None]) + after.origin[face])
