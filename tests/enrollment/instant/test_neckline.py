"""Cloth begins behind where it begins at the sides of the neck; a high collar or a scarf covers the neck all around."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from enrollment.instant.assemble import SourcePhoto, _source_photo
from enrollment.instant.neckline import cloth_share
from enrollment.instant.pipeline import Enrollment
from models.heads.base import HeadModel
from models.tracking.parsing import CLASSES, Parsing
from models.types import Array


@pytest.fixture(scope="module")
def seen(enrolled: Enrollment, model: HeadModel) -> SourcePhoto:
    avatar = enrolled.avatar
    return _source_photo(avatar.person(model), enrolled.fit, avatar.offset, 0, enrolled.portraits[0])


def clad(seen: SourcePhoto, model: HeadModel, collar: float) -> Array:
    """The share of cloth where the photo shows cloth under this height on the template, metres, and skin above."""
    _, row = seen.surface.camera.project(seen.surface.vertices).T
    side = (np.abs(model.template[:, 0]) < 0.06) & (model.template[:, 2] > -0.05)
    height = np.polynomial.Polynomial.fit(model.template[side, 1], row[side], 1)(collar)
    shares = np.zeros((*seen.portrait.matte.shape, len(CLASSES)), np.float32)
    shares[: round(height), :, CLASSES.index("body_skin")] = 1.0
    shares[round(height) :, :, CLASSES.index("clothes")] = 1.0
    return cloth_share(seen.surface, replace(seen.portrait, parsing=Parsing(shares)))


def test_the_nape_is_bare_above_a_low_collar_and_clad_under_a_high_one(seen: SourcePhoto, model: HeadModel) -> None:
    x, y, z = model.template.T
    outer = np.isin(np.arange(model.vertex_count), model.region_vertices("skin", "body"))
    nape = outer & (np.abs(x) < 0.04) & (z < -0.05) & (y > -0.095) & (y < -0.06)
    back = outer & (z < -0.05) & (y < -0.19)
    low, high = (clad(seen, model, collar) for collar in (-0.13, -0.03))
    assert low[nape].max() < 0.5 < np.median(high[nape])
    assert min(low[back].min(), high[back].min()) > 0.5
    assert max(low[y > 0.05].max(), high[y > 0.05].max()) < 0.01, "there is no collar on the head"


def test_without_a_parsing_it_is_the_body(seen: SourcePhoto, model: HeadModel) -> None:
    found = cloth_share(seen.surface, replace(seen.portrait, parsing=None))
    assert np.array_equal(np.flatnonzero(found), np.unique(model.region_vertices("body")))
