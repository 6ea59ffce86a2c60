"""Hair grows as far as mattes say that it does, on average over what they are unsure of, and not where the photo knows better."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from enrollment.high.conditions import target_camera
from enrollment.high.high import SILHOUETTE_VIEWS
from enrollment.instant.hair_thickness import OUTWARDS, hair_offset, hair_region, thicken_hair
from enrollment.instant.nonrigid_registration import graph, posed, smooth_normals
from enrollment.instant.pipeline import Enrollment
from enrollment.reconstruction.capture import Frame
from models import arkit
from models.avatar import AvatarPoser
from models.heads.base import HeadModel, Pose
from models.heads.raster import rasterize
from models.splat.cpu import CpuRasterizer
from models.types import Array

REST = np.zeros(arkit.COUNT, np.float32)
SIDE = 160
TRUE = 0.018
"""Metres of hair that the mattes below show."""


def outlines(enrolled: Enrollment, model: HeadModel, hair: float, *, blur: float = 0.0, lump: float = 0.0) -> tuple[Frame, ...]:
    """The survey's frames of a head with so much more hair, metres; blurred by so many pixels; `lump` more all over the body."""
    person = enrolled.avatar.person(model)
    normals = smooth_normals(person.rest, model, graph(model)[1])
    body = np.zeros(model.vertex_count, bool)
    body[model.region_vertices("body")] = True
    grown = replace(person, rest=(person.rest + (hair * hair_region(model) + lump * body)[:, None] * normals).astype(np.float32))
    out = []
    for view in SILHOUETTE_VIEWS:
        camera = target_camera(view.yaw, 3.0, size=SIDE)
        hit = rasterize(grown.vertices(REST), model.faces, camera, cull=False).face >= 0
        matte = hit.astype(np.float32)
        if blur:
            matte = cv2.GaussianBlur(matte, (0, 0), blur, borderType=cv2.BORDER_REPLICATE)
        out.append(Frame(np.zeros((SIDE, SIDE, 3), np.uint8), matte, camera, Pose(), REST))
    return tuple(out)


def behind(enrolled: Enrollment, model: HeadModel) -> NDArray[np.bool_]:
    """(V,) the back of the head, away from its outline."""
    v = model.template
    return np.asarray(hair_region(model) & (v[:, 2] < -0.06) & (np.abs(v[:, 0]) < 0.05) & (v[:, 1] > -0.03))


@pytest.mark.parametrize("blur", [0.0, 4.0])
def test_as_thick_as_the_mattes_say(enrolled: Enrollment, model: HeadModel, blur: float) -> None:
    found = np.linalg.norm(hair_offset(enrolled, model, outlines(enrolled, model, TRUE, blur=blur)), axis=1)
    assert np.median(found[behind(enrolled, model)]) == pytest.approx(TRUE, abs=0.15 * TRUE)
    assert found.max() < 1.6 * TRUE
    assert not found[~hair_region(model)].any(), "no hair on a face, a front of a neck or shoulders"


def test_an_unsure_matte_counts_by_how_sure_it_is(enrolled: Enrollment, model: HeadModel) -> None:
    bare, hairy = outlines(enrolled, model, 0.0), outlines(enrolled, model, 0.02)
    half = tuple(replace(a, matte=(a.matte + b.matte) / 2) for a, b in zip(bare, hairy, strict=True))
    back = behind(enrolled, model)
    sure, unsure = (np.linalg.norm(hair_offset(enrolled, model, f), axis=1)[back] for f in (hairy, half))
    assert np.median(unsure) == pytest.approx(0.5 * np.median(sure), rel=0.1)


def test_mattes_of_the_head_itself_add_nothing(enrolled: Enrollment, model: HeadModel) -> None:
    found = np.linalg.norm(hair_offset(enrolled, model, outlines(enrolled, model, 0.0)), axis=1)
    assert found.max() < 0.002


def test_shoulders_are_no_hair(enrolled: Enrollment, model: HeadModel) -> None:
    """What appears beyond a gap, or on the body, is not the head's."""
    back = behind(enrolled, model)
    alone, stout = (
        np.linalg.norm(hair_offset(enrolled, model, outlines(enrolled, model, TRUE, lump=lump)), axis=1)[back]
        for lump in (0.0, 0.02)
    )
    assert np.abs(alone - stout).max() < 0.15 * TRUE


def test_the_photos_outline_stays(enrolled: Enrollment, model: HeadModel) -> None:
    """The mesh grows behind the head, and in the photo not beyond the person."""
    avatar, photo, portrait = enrolled.avatar, enrolled.fit.photos[0], enrolled.portraits[0]
    grown = avatar.offset + hair_offset(enrolled, model, outlines(enrolled, model, TRUE))
    before, after = (
        rasterize(posed(model.person(avatar.identity, o), photo), model.faces, photo.camera(portrait), cull=False).face >= 0
        for o in (avatar.offset, grown)
    )
    assert (after & ~before & (portrait.matte < 0.5)).sum() < 1e-3 * before.sum()
    assert (before != after).sum() < 0.005 * before.sum()


@pytest.mark.usefixtures("hardly_fitted")
def test_the_avatar_is_built_on_the_thicker_head(enrolled: Enrollment, model: HeadModel) -> None:
    frames = outlines(enrolled, model, TRUE)
    thick = thicken_hair(enrolled, model, frames)
    assert thick.fit is enrolled.fit and thick.portraits is enrolled.portraits
    assert thick.avatar.offset.dtype == np.float32
    side = target_camera(90.0, 3.0, size=SIDE)
    hairy = next(f for f in frames if np.array_equal(f.camera.world_to_camera, side.world_to_camera)).matte > 0.5

    def alpha(e: Enrollment) -> Array:
        return CpuRasterizer(1).render(AvatarPoser(e.avatar, model).pose(REST), side).alpha.copy()

    thin, grown = alpha(enrolled), alpha(thick)
    upper = np.s_[: SIDE // 2]
    missing = [(hairy & (a < 0.5))[upper].sum() for a in (thin, grown)]
    assert missing[1] < 0.5 * missing[0]
    assert (grown > 0.5)[upper].sum() < (hairy[upper].sum()) * 1.05


def test_any_matte_leaves_a_head(enrolled: Enrollment, model: HeadModel) -> None:
    """A prior may be trained badly: whatever its mattes are, what comes out is finite and bounded."""
    rng = np.random.default_rng(0)
    plain = outlines(enrolled, model, 0.0)
    for fill in (np.zeros, np.ones, lambda shape, dtype: rng.random(shape).astype(dtype)):  # type: ignore[attr-defined]
        wild = tuple(replace(f, matte=fill(f.matte.shape, np.float32)) for f in plain)
        found = hair_offset(enrolled, model, wild)
        assert np.isfinite(found).all() and np.linalg.norm(found, axis=1).max() <= 1.5 * OUTWARDS
    assert not hair_offset(enrolled, model, ()).any()
