"""Rules for the hair that no photo shows."""

from __future__ import annotations

import numpy as np

from enrollment.instant import texture_completion
from enrollment.instant.surface import VisibleSurface
from models.heads.base import HeadModel
from models.types import Camera
from tests.enrollment.heads import FOCAL, known, portrait_of

SKIN = np.array([0.7, 0.52, 0.44], np.float32)


def test_hair_is_carried_behind_the_head_without_ears_and_without_a_seam(model: HeadModel) -> None:
    """One half of the hair is black, the other brown, and skin shows through it beside the ears."""
    black, brown = np.array([0.05, 0.05, 0.05], np.float32), np.array([0.30, 0.18, 0.08], np.float32)
    truth = known(model, identity=np.zeros(model.identity_count))
    portrait = portrait_of(model, truth)
    person = model.person(truth.identity)
    vertices = (person.rest @ truth.rotation.T + truth.translation).astype(np.float32)
    side = portrait.image.shape[0]
    camera = Camera(side, side, FOCAL, FOCAL, side / 2, side / 2, np.diag([1.0, -1.0, -1.0, 1.0]))
    view = VisibleSurface.of(model, vertices, camera)
    hair = texture_completion.scalp(model)
    xy = camera.project(vertices)
    x, y = np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5)
    middle = xy[hair].mean(axis=0)
    colors = np.where((x < middle[0])[..., None], black, brown).astype(np.float32)
    corner = model.faces[np.maximum(view.fragments.face, 0)]
    colors[(hair[corner].sum(axis=-1) < 2) | (view.fragments.face < 0)] = SKIN
    low = xy[hair][:, 1].max()
    colors[(y > middle[1] + 0.3 * (low - middle[1])) & (((x // 6) % 2) == 0)] = SKIN  # strands beside the ears
    shown = np.abs(colors - SKIN).max(axis=2) > 1e-3
    wrap = texture_completion.HairWrap(view, shown, colors, hair, 0.5 * (black + brown))
    assert wrap.known
    behind = hair & (model.template[:, 2] < -0.04)
    found = wrap.at(vertices[behind])
    assert np.linalg.norm(found - SKIN, axis=1).min() > 0.35
    at = xy[behind]
    left, right = at[:, 0] < middle[0] - 40, at[:, 0] > middle[0] + 40
    assert found[left, 0].mean() < found[right, 0].mean() - 0.03, "each side keeps its own"
    lower = np.flatnonzero(at[:, 1] > middle[1])
    near = np.linalg.norm(at[lower, None] - at[None, lower], axis=2) < 12
    step = np.abs(found[lower, None] - found[None, lower]).max(axis=2)
    assert step[near].max() < 0.05
