"""Somebody who looks over a shoulder: the shoulders are found turned, and left alone where nothing says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from enrollment.instant import shoulders
from enrollment.instant.nonrigid_registration import posed
from enrollment.instant.pipeline import Enrollment
from models.heads.base import HeadModel
from models.heads.raster import rasterize


@pytest.mark.parametrize("turn", [-60.0, 50.0])
def test_turned_shoulders_are_found_by_the_matte(
    enrolled: Enrollment, model: HeadModel, monkeypatch: pytest.MonkeyPatch, turn: float
) -> None:
    monkeypatch.setattr(shoulders, "TURNED", 0.0)
    person, photo, portrait = enrolled.avatar.person(model), enrolled.fit.photos[0], enrolled.portraits[0]
    turned = replace(photo, shoulders=np.deg2rad(turn))
    drawn = rasterize(posed(person, turned), model.faces, photo.camera(portrait), cull=False).face >= 0
    seen = replace(portrait, matte=drawn.astype(np.float32), inside=np.ones_like(drawn))
    found = shoulders.with_shoulders(person, photo, seen)
    assert np.rad2deg(found.shoulders) == pytest.approx(turn, abs=10.1)


def test_somebody_who_looks_ahead_keeps_the_shoulders(enrolled: Enrollment, model: HeadModel) -> None:
    photo = enrolled.fit.photos[0]
    assert shoulders.with_shoulders(enrolled.avatar.person(model), photo, enrolled.portraits[0]) is photo
    assert np.array_equal(
        photo.body_pose(enrolled.avatar.person(model).joints),
        replace(photo, shoulders=0.0).body_pose(enrolled.avatar.person(model).joints),
    )
