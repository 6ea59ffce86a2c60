"""The far half of a turned face gets the near half's Gaussians, mirrored."""

from __future__ import annotations

import numpy as np
import pytest

from enrollment.instant.assemble import _face_area
from enrollment.instant.far_half import FarHalf
from enrollment.instant.lift import surfels
from enrollment.instant.mirrored import Mirrored, mixed, twin_faces
from enrollment.instant.surface import sample
from enrollment.instant.texture_completion import twins
from enrollment.portrait.portrait import Portrait
from models import binding
from models.binding import BoundGaussians
from models.heads.base import HeadModel, PersonHead
from models.heads.raster import vertex_normals
from tests.enrollment.heads import known, portrait_of
from tests.enrollment.instant.test_far_half import photographed, rings


@pytest.fixture(scope="module")
def person(model: HeadModel) -> PersonHead:
    return model.person(np.zeros(model.identity_count))


@pytest.fixture(scope="module")
def portrait(model: HeadModel) -> Portrait:
    return portrait_of(model, known(model))


def covered(person: PersonHead) -> BoundGaussians:
    """Gaussians all over the face, in rings around the mouth."""
    model, face = person.model, _face_area(person.model, person)
    samples = sample(person, np.where(face & model.region_faces("skin"), 0.004, 0.0).astype(np.float32))
    points, normals = (samples.at(model.faces, v) for v in (person.rest, vertex_normals(person.rest, model.faces)))
    colors, full = samples.at(model.faces, rings(model)), np.full(len(points), 0.9, np.float32)
    return surfels(binding.frames(person.rest, model.faces), points, normals, samples.spacing, samples.face, colors, full)


def test_each_lies_across_from_its_source(person: PersonHead, portrait: Portrait) -> None:
    model = person.model
    surface, portrait = photographed(person, portrait, 45.0)
    far = FarHalf.of(surface, portrait, np.zeros(model.vertex_count, np.float32), _face_area(model, person))
    lifted, at = covered(person), binding.frames(person.rest, model.faces)
    made = Mirrored.of(lifted, person, far, np.zeros(len(model.faces), bool))
    ours, theirs = binding.to_world(made.gaussians, at).means, binding.to_world(lifted.select(made.source), at).means
    assert len(ours) > 100 and (ours[:, 0] > -0.01).all() and (theirs[:, 0] < 0.01).all()
    assert np.abs(ours - theirs * (-1, 1, 1)).max() < 1e-3
    assert far.copied()[made.gaussians.face].all() and not far.wholly()[lifted.face[made.source]].any()
    darker = made.colors_like(0.5 * lifted.colors)
    assert np.abs(darker - 0.5 * made.gaussians.colors).max() < 0.05
    clad = np.zeros(len(model.faces), bool)
    clad[lifted.face[made.source[:50]]] = True
    bare = ~np.isin(lifted.face[made.source], lifted.face[made.source[:50]])
    bald = np.ones(len(lifted), bool)
    assert np.array_equal(made.alike(lifted, clad, bald), bare | clad[made.gaussians.face]) and not bare.all(), (
        "a collar on a bare neck"
    )
    bald[made.source[60:90]] = False
    strand = np.arange(len(made.source))[60:90]
    assert not made.alike(lifted, clad, bald)[strand].any() and made.alike(lifted, ~clad | clad, bald).sum() == len(bare) - 30
    hairy = np.ones(len(model.faces), bool)
    assert not len(Mirrored.of(lifted, person, far, hairy).source), "hair falls to one side"


def test_a_face_from_the_front_has_none(person: PersonHead, portrait: Portrait) -> None:
    model = person.model
    surface, portrait = photographed(person, portrait, 0.0)
    far = FarHalf.of(surface, portrait, np.zeros(model.vertex_count, np.float32), _face_area(model, person))
    lifted = covered(person)
    made = Mirrored.of(lifted, person, far, np.zeros(len(model.faces), bool))
    assert len(made.source) < 0.01 * len(lifted)
    same = mixed(lifted, binding.frames(surface.vertices, model.faces), far, portrait.colors)
    assert (np.abs(same.colors - lifted.colors).max(axis=1) > 0.01).mean() < 0.05


def test_skin_has_mirrored_triangles(model: HeadModel) -> None:
    across = twin_faces(model.faces, twins(model)[0])
    skin = model.region_faces("skin")
    assert (across[skin] >= 0).all() and (across[across[skin]] == np.flatnonzero(skin)).all()
