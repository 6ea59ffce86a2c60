"""The layout that the position map and the UV mesh live on: skin and body, not the teeth that lie across them."""

from __future__ import annotations

import numpy as np
import torch

from models.heads.anny import AnnyHead
from models.nets.deformation import TEETH, Deformation, uv_fragments


def test_teeth_are_in_no_texel_and_most_of_the_skin_is() -> None:
    model = AnnyHead()
    face, _ = uv_fragments(model, 256)
    shown = np.unique(face[face >= 0])
    assert not np.isin(shown, np.flatnonzero(model.region_faces(*TEETH))).any()
    corners = model.template[model.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    outside = np.flatnonzero(model.region_faces("skin", "body"))
    assert area[np.intersect1d(shown, outside)].sum() > 0.9 * area[outside].sum()


def test_teeth_are_never_bent() -> None:
    model = AnnyHead()
    network = Deformation(model.person(np.zeros(model.identity_count)))
    torch.nn.init.normal_(network.out.weight)
    with torch.no_grad():
        moved = network(torch.rand(52)).norm(dim=1).numpy()
    teeth = model.region_vertices(*TEETH)
    assert not moved[teeth].any() and (moved[np.setdiff1d(np.arange(len(moved)), teeth)] > 0).all()
