"""A photo that cuts the head: no straight cut, no slab, a forehead up to its hairline."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from enrollment.instant.photo_edge import bare_beyond, shown_part
from enrollment.instant.surface import VisibleSurface
from enrollment.portrait.portrait import Portrait
from models.heads.base import REGION, HeadModel
from models.tracking.parsing import CLASSES, Parsing
from models.types import Camera
from tests.enrollment.heads import FOCAL, known, portrait_of


@pytest.fixture(scope="module")
def whole(model: HeadModel) -> tuple[VisibleSurface, Portrait]:
    """A bald head before a background."""
    truth = known(model, identity=np.zeros(model.identity_count))
    portrait = portrait_of(model, truth)
    person = model.person(truth.identity)
    side = portrait.image.shape[0]
    vertices = (person.rest @ truth.rotation.T + truth.translation).astype(np.float32)
    camera = Camera(side, side, FOCAL, FOCAL, side / 2, side / 2, np.diag([1.0, -1.0, -1.0, 1.0]))
    surface = VisibleSurface.of(model, vertices, camera)
    label = np.where(surface.fragments.face < 0, 0, CLASSES.index("face_skin"))
    shares = np.eye(len(CLASSES), dtype=np.float32)[label]
    return surface, replace(portrait, parsing=Parsing(shares), inside=np.ones((side, side), bool))


def cropped(whole: tuple[VisibleSurface, Portrait], height: float) -> tuple[int, Portrait]:
    """The first row that is left, at a height on the template of the middle of the forehead, and the portrait."""
    surface, portrait = whole
    template = surface.model.template
    front = np.flatnonzero((np.abs(template[:, 0]) < 0.02) & (template[:, 2] > 0.05))
    nearest = front[np.argmin(np.abs(template[front, 1] - height))]
    row = int(surface.camera.project(surface.vertices[nearest : nearest + 1])[0, 1])
    inside = portrait.inside.copy()
    inside[:row] = False
    return row, replace(portrait, inside=inside)


def test_a_whole_photo_counts_everywhere_and_a_cut_one_fades(whole: tuple[VisibleSurface, Portrait]) -> None:
    surface, portrait = whole
    assert shown_part(surface, portrait).min() == 1
    row, cut = cropped(whole, 0.07)
    part = shown_part(surface, cut)
    middle = part.shape[1] // 2
    assert part[row, middle] < 0.1 and part[row + 40, middle] == 1 and (np.diff(part[row : row + 40, middle]) >= 0).all()
    face = surface.fragments.face
    beside = np.flatnonzero(face[row + 20] < 0)[0]
    assert part[row + 20, beside] < 0.5 * part[row + 20, middle], "what stands off the head is a slab"
    body = (face >= 0) & (surface.model.region[np.maximum(face, 0)] == REGION["body"])
    assert part[body].min() == 1 and part[-1, middle] == 1


def test_cloth_off_the_mesh_fades_before_the_photos_side(whole: tuple[VisibleSurface, Portrait]) -> None:
    """A collar, or a wall that the parsing takes for one: it would be a torn strip from the side."""
    surface, portrait = whole
    face, model = surface.fragments.face, surface.model
    body = (face >= 0) & (model.region[np.maximum(face, 0)] == REGION["body"])
    row = np.flatnonzero(body[:, body.shape[1] // 4])[0] - 30  # above a shoulder
    inside = np.zeros_like(portrait.inside)
    inside[:, body.shape[1] // 4 - 20 :] = True
    label = np.where(face < 0, CLASSES.index("clothes"), CLASSES.index("face_skin"))
    parsing = Parsing(np.eye(len(CLASSES), dtype=np.float32)[label])
    part = shown_part(surface, replace(portrait, inside=inside, parsing=parsing))
    assert part[row, body.shape[1] // 4] < 0.3 and part[body & inside].min() == 1


def test_what_stands_off_a_shoulder_fades_above_the_photos_lower_edge(whole: tuple[VisibleSurface, Portrait]) -> None:
    """The strip of a shirt that the edge leaves would hang in the air; hair goes on below, and the mesh has its own end."""
    surface, portrait = whole
    face, model = surface.fragments.face, surface.model
    body = (face >= 0) & (model.region[np.maximum(face, 0)] == REGION["body"])
    column = body.shape[1] // 4
    row = np.flatnonzero(body[:, column])[0] - 12
    inside = portrait.inside.copy()
    inside[row + 3 :] = False
    found = []
    for kind in ("clothes", "hair"):
        label = np.where(face < 0, CLASSES.index(kind), CLASSES.index("face_skin"))
        parsing = Parsing(np.eye(len(CLASSES), dtype=np.float32)[label])
        found.append(shown_part(surface, replace(portrait, inside=inside, parsing=parsing)))
    cloth, hair = found
    assert cloth[row, column] < 0.3 and hair[row, column] == 1
    assert cloth[row, column - 20] < 0.3 and cloth[(face >= 0) & inside].min() == 1


def test_a_forehead_that_the_edge_cuts_goes_on_to_an_arched_hairline(whole: tuple[VisibleSurface, Portrait]) -> None:
    surface, portrait = whole
    template = surface.model.template
    shares, trust = np.zeros(len(template), np.float32), np.ones(len(template), np.float32)
    assert not bare_beyond(surface, portrait, shares, trust).any()
    row, cut = cropped(whole, 0.06)
    xy = surface.camera.project(surface.vertices)
    trust = (xy[:, 1] > row).astype(np.float32)
    bare = bare_beyond(surface, cut, shares, trust)
    assert bare.sum() > 10 and (xy[bare, 1] < row + 1).all() and template[bare, 2].min() > 0
    assert 0.085 < template[bare, 1].max() < 0.11
    side = np.abs(template[bare, 0]) > 0.035
    assert template[bare, 1][side].max() < template[bare, 1][~side].max() - 0.005
    assert not bare_beyond(surface, cut, shares + 1, trust).any(), "hair under the edge: no forehead"
    assert cut.parsing is not None
    label, middle = cut.parsing.shares.argmax(axis=-1), int(xy[bare, 0].mean())
    label[:, middle:][label[:, middle:] > 0] = CLASSES.index("hair")
    over_temple = replace(cut, parsing=Parsing(np.eye(len(CLASSES), dtype=np.float32)[label]))
    left = bare_beyond(surface, over_temple, shares, trust)
    assert left.any() and not left[xy[:, 0] > middle].any(), "hair over one temple goes on upwards"
    assert np.array_equal(left, bare & (xy[:, 0] < middle))
