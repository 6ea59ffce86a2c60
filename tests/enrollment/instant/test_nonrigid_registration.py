"""After conforming, the head's landmarks and its outline are the photo's, and nothing flew away."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from enrollment.instant import nonrigid_registration
from enrollment.instant.fit import CONTOUR, MARKS, PhotoFit
from enrollment.instant.nonrigid_registration import (
    MOST_BARE_NECK,
    MOST_NECK,
    _most_neck,
    landmark_offset,
    not_behind,
    one_sided,
    outline_offset,
    posed,
)
from enrollment.instant.pipeline import Enrollment
from enrollment.instant.surface_labels import ears
from enrollment.instant.texture_completion import scalp, twins
from enrollment.portrait.portrait import Portrait
from models import arkit
from models.heads.base import HeadModel, PersonHead
from models.heads.raster import rasterize
from models.tracking.parsing import CLASSES, Parsing
from models.types import Array, Camera
from tests.enrollment.heads import FOCAL, known, portrait_of


@pytest.fixture(scope="module")
def person(enrolled: Enrollment, model: HeadModel) -> PersonHead:
    return enrolled.avatar.person(model)


@pytest.fixture(scope="module")
def by_landmarks(enrolled: Enrollment, model: HeadModel) -> Array:
    """The part of the offsets (V, 3) that the landmarks ask for."""
    return landmark_offset(model, enrolled.avatar.identity, enrolled.fit.photos[0], enrolled.portraits[0])


def test_landmarks_lie_on_the_photos(enrolled: Enrollment, person: PersonHead) -> None:
    photo, portrait = enrolled.fit.photos[0], enrolled.portraits[0]
    at = photo.camera(portrait).project(person.landmarks(posed(person, photo))[:MARKS])
    miss = np.linalg.norm(at - portrait.landmarks.points[:MARKS, :2], axis=1)
    assert np.sqrt(np.mean(miss**2)) < 1.5
    assert np.sqrt(np.mean(miss**2)) < photo.rms


def test_the_outline_is_the_mattes(enrolled: Enrollment, person: PersonHead, model: HeadModel) -> None:
    """Intersection over union, where the photo shows anything."""
    photo, portrait = enrolled.fit.photos[0], enrolled.portraits[0]
    mesh = rasterize(posed(person, photo), model.faces, photo.camera(portrait), cull=False).face >= 0
    mesh &= portrait.inside
    matte = portrait.matte > 0.5
    assert (mesh & matte).sum() / (mesh | matte).sum() > 0.97


def test_offsets_are_finite_and_bounded(enrolled: Enrollment) -> None:
    length = np.linalg.norm(enrolled.avatar.offset, axis=1)
    assert enrolled.avatar.offset.dtype == np.float32 and np.isfinite(length).all()
    assert length.max() < 0.15, "hair, not a tail"
    assert length.max() > 0.005, "this person has hair"


def test_the_inner_face_keeps_its_place(enrolled: Enrollment, model: HeadModel, by_landmarks: Array) -> None:
    """The outline moves hair and shoulders; the landmarks inside the face stay to less than a millimetre."""
    outline = enrolled.avatar.offset - by_landmarks
    inner = np.setdiff1d(np.arange(MARKS), CONTOUR)
    moved = np.einsum("nk,nkc->nc", model.landmark_barycentric[inner], outline[model.landmark_corners[inner]])
    assert np.linalg.norm(moved, axis=1).max() < 1e-3


def test_landmark_offsets_end_beyond_the_face_and_keep_eyes_whole(model: HeadModel, by_landmarks: Array) -> None:
    for name in ("left_eye", "right_eye"):
        ball = by_landmarks[model.region_vertices(name)]
        assert np.abs(ball - ball[0]).max() < 1e-6, "an eyeball moves in one piece"
    back = model.template[:, 2] < -0.05
    assert np.linalg.norm(by_landmarks[back], axis=1).max() < 0.002


def test_the_surface_stays_in_one_piece(person: PersonHead, model: HeadModel) -> None:
    """No edge of the conformed skin is torn out to many times its length."""
    faces = model.faces[model.region_faces("skin", "body")]
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    before, after = (np.linalg.norm(v[edges[:, 0]] - v[edges[:, 1]], axis=1) for v in (model.template, person.rest))
    assert np.quantile(after / np.maximum(before, 1e-4), 0.999) < 6


def test_a_turned_heads_far_ear_is_behind_and_its_near_ear_is_not(model: HeadModel) -> None:
    """The outline would pull the far ear out: it lies near the silhouette in the picture, half a head behind it."""
    turned = Rotation.from_euler("y", 40, degrees=True).apply(model.template) - (0, 0, 1)
    vertices = turned.astype(np.float32)
    camera = Camera(256, 256, 600.0, 600.0, 128.0, 128.0, np.diag([1.0, -1.0, -1.0, 1.0]))
    before = not_behind(vertices, camera.project(vertices), rasterize(vertices, model.faces, camera, cull=False).depth)
    right, left = ears(model)
    assert before[left].all() != before[right].all()
    far, near = (right, left) if vertices[right, 2].mean() < vertices[left, 2].mean() else (left, right)
    assert before[near].mean() > 0.95 and before[far].mean() < 0.3


def test_a_turned_persons_bare_neck_is_not_pulled_out_to_the_shoulder(model: HeadModel) -> None:
    """The root of a bare one would be pulled up to a shoulder as a wing of skin."""
    portrait, front = (portrait_of(model, known(model, turn=(0.0, yaw, 0.0))) for yaw in (45.0, 0.0))
    chin = int(portrait.landmarks.points[152, 1])

    def most(above: str, below: str, portrait: Portrait = portrait) -> float:
        shares = np.zeros((*portrait.matte.shape, len(CLASSES)), np.float32)
        shares[:chin, :, CLASSES.index(above)] = 1.0
        shares[chin:, :, CLASSES.index(below)] = 1.0
        return _most_neck(replace(portrait, parsing=Parsing(shares)))

    assert most("hair", "clothes") == most("hair", "body_skin") == MOST_BARE_NECK
    assert most("hair", "hair") == most("others", "clothes") == MOST_NECK
    assert most("hair", "clothes", front) == MOST_NECK, "a collar stands as far off as the photo shows"


def test_hair_of_a_turned_head_is_as_thick_on_both_sides(model: HeadModel) -> None:
    """The outline shows the front of one side and the back of the other; with a hat, each side is its own."""
    truth = known(model, turn=(0.0, 45.0, 0.0))
    still = np.zeros(arkit.COUNT, np.float32)
    photo = PhotoFit(truth.rotation, truth.translation, FOCAL, still, np.zeros((2, 2), np.float32), 0.0)
    portrait, person = portrait_of(model, truth), model.person(truth.identity)
    mesh = rasterize(posed(person, photo), model.faces, photo.camera(portrait), cull=False).face >= 0
    portrait = replace(portrait, matte=ndimage.binary_dilation(mesh, iterations=16).astype(np.float32))
    nothing, everywhere = np.zeros((model.vertex_count, 3), np.float32), np.ones(model.vertex_count, bool)
    assert one_sided(portrait) and not one_sided(portrait_of(model, known(model, turn=(0.0, 10.0, 0.0))))
    thick = np.linalg.norm(outline_offset(model, truth.identity, nothing, photo, portrait, everywhere), axis=1)
    hair = scalp(model) & (np.abs(model.template[:, 0]) > 0.03)
    apart = np.abs(thick - thick[twins(model)[0]])[hair]
    assert thick[hair].mean() > 0.002 and apart.mean() < 0.4 * thick[hair].mean()


def test_hair_that_the_photos_edge_cuts_goes_on_to_the_edge(model: HeadModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its outline is not in the photo; without a surface it would be a sheet from the side. A background is none of it."""
    monkeypatch.setattr(nonrigid_registration, "ROUNDS", 2)
    truth = known(model, identity=np.zeros(model.identity_count))
    photo = PhotoFit(
        truth.rotation, truth.translation, FOCAL, np.zeros(arkit.COUNT, np.float32), np.zeros((2, 2), np.float32), 0.0
    )
    portrait, person = portrait_of(model, truth), model.person(truth.identity)
    camera = photo.camera(portrait)
    vertices = posed(person, photo)
    mesh = rasterize(vertices, model.faces, camera, cull=False).face >= 0
    row = int(camera.project(vertices[scalp(model)])[:, 1].mean())
    columns = np.flatnonzero(mesh[row])
    inside = np.zeros_like(mesh)
    inside[:, columns[0] - 25 : columns[-1] + 26] = True
    covers = np.where(mesh, CLASSES.index("face_skin"), CLASSES.index("hair"))
    covers[:, : portrait.matte.shape[1] // 2][~mesh[:, : portrait.matte.shape[1] // 2]] = CLASSES.index("others")
    parsing = Parsing(np.eye(len(CLASSES), dtype=np.float32)[covers])
    portrait = replace(portrait, inside=inside, matte=inside.astype(np.float32), parsing=parsing)
    nothing, everywhere = np.zeros((model.vertex_count, 3), np.float32), np.ones(model.vertex_count, bool)
    grown = model.person(truth.identity, outline_offset(model, truth.identity, nothing, photo, portrait, everywhere))
    after = np.flatnonzero(rasterize(posed(grown, photo), model.faces, camera, cull=False).face[row] >= 0)
    assert after[-1] > columns[-1] + 18, "hair"
    assert after[0] > columns[0] - 8, "what is neither hair nor clothes"


def test_a_throat_gets_no_hook_of_hair_that_falls_before_a_shoulder(model: HeadModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nonrigid_registration, "ROUNDS", 2)
    truth = known(model, turn=(0.0, 20.0, 0.0), identity=np.zeros(model.identity_count))
    photo = PhotoFit(
        truth.rotation, truth.translation, FOCAL, np.zeros(arkit.COUNT, np.float32), np.zeros((2, 2), np.float32), 0.0
    )
    portrait, person = portrait_of(model, truth), model.person(truth.identity)
    mesh = rasterize(posed(person, photo), model.faces, photo.camera(portrait), cull=False).face >= 0
    portrait = replace(portrait, matte=ndimage.binary_dilation(mesh, iterations=130).astype(np.float32))
    nothing, everywhere = np.zeros((model.vertex_count, 3), np.float32), np.ones(model.vertex_count, bool)
    x, y, z = model.template.T
    neck = (y < -0.07) & (y > -0.12) & (np.abs(x) < 0.07)

    def moved(name: str) -> Array:
        shares = np.tile(np.eye(len(CLASSES), dtype=np.float32)[CLASSES.index(name)], (*portrait.matte.shape, 1))
        seen = replace(portrait, parsing=Parsing(shares))
        return np.linalg.norm(outline_offset(model, truth.identity, nothing, photo, seen, everywhere), axis=1)

    hair = moved("hair")
    assert hair[neck & (z > 0.025)].max() < 0.03
    assert hair[neck & (z < -0.01)].max() > 0.04, "hair around the neck"
    assert moved("clothes")[neck & (z > 0.025)].max() > 0.035, "a collar stands around the throat"
