"""A collar is one line that rises from the throat to the nape, whatever patches of cloth and skin lie beside the jaw."""

from __future__ import annotations

import numpy as np

from enrollment.instant.collar import APART, USUAL, around_neck, collar_line
from models.heads.base import HeadModel
from models.types import Array


def shirt(model: HeadModel, front: float, side: float) -> tuple[Array, Array]:
    """Labels and trust (V,) of a photo from the front of a collar that rises from one height to another, metres."""
    angle, height = np.abs(around_neck(model.template)), model.template[:, 1]
    neck = np.isin(np.arange(model.vertex_count), model.region_vertices("skin", "body"))
    neck &= model.template @ np.array([0, 1, 1], np.float32) < -0.03
    line = np.interp(angle, (0, 80), (front, side))
    return (height < line).astype(np.float32), np.where(neck & (angle < 90), np.cos(np.radians(angle)), 0).astype(np.float32)


def test_it_goes_on_behind_as_high_as_it_was_last_seen(model: HeadModel) -> None:
    line, angle = collar_line(model, *shirt(model, -0.14, -0.09)), np.abs(around_neck(model.template))
    assert abs(np.median(line[angle < 10]) + 0.14) < 0.02
    assert abs(np.median(line[angle > 150]) + 0.09) < 0.012


def test_patches_that_contradict_it_do_not_bend_it(model: HeadModel) -> None:
    label, trust = shirt(model, -0.14, -0.1)
    angle, height = around_neck(model.template), model.template[:, 1]
    clean = collar_line(model, label, trust)
    patch = (trust > 0) & (angle > 40) & (angle < 60) & (height > -0.085)
    label[patch], trust[patch] = 1.0, 0.1
    assert patch.any() and np.abs(collar_line(model, label, trust) - clean).max() < 0.01


def test_something_before_one_side_of_the_neck_is_no_collar(model: HeadModel) -> None:
    label, trust = shirt(model, -0.14, -0.11)
    angle, height = around_neck(model.template), model.template[:, 1]
    label[(trust > 0) & (angle > 30) & (height < -0.02)] = 1.0
    line = collar_line(model, label, trust)
    left, right = (np.median(line[side & (np.abs(angle) > 60) & (np.abs(angle) < 90)]) for side in (angle > 0, angle < 0))
    assert 0 < left - right < APART + 1e-6
    assert np.ptp(line[np.abs(angle) > 172]) < 0.01, "both sides meet behind"


def test_a_photo_without_a_collar_gets_the_usual_one(model: HeadModel) -> None:
    nothing = np.zeros(model.vertex_count, np.float32)
    assert np.abs(collar_line(model, nothing, nothing) - USUAL).max() < 0.005
