"""Eyeballs as the photo shows them, and whole where lids hide them."""

from __future__ import annotations

import numpy as np
import pytest

from enrollment.instant import eyes
from enrollment.instant.pipeline import Enrollment
from enrollment.instant.surface import Samples, VisibleSurface, sample
from enrollment.portrait.portrait import Portrait
from models import binding
from models.heads.base import REGION, HeadModel, PersonHead
from models.types import Array, Camera
from tests.enrollment.heads import FOCAL, known, portrait_of

IRIS, WHITE, SKIN = np.array([0.2, 0.35, 0.6]), np.array([0.82, 0.8, 0.78]), np.array([0.7, 0.5, 0.42])


def painted(
    model: HeadModel, *, turn: float = 0.0, red: float = 0.0
) -> tuple[PersonHead, Samples, VisibleSurface, Portrait, Array]:
    """A head in front of a camera with blue irises. red: how much of the skin's colour the whites have, as a wrong outline reads
    them from lids."""
    truth = known(model, identity=np.zeros(model.identity_count), turn=(0.0, turn, 0.0))
    portrait, person = portrait_of(model, truth), model.person(truth.identity)
    vertices = (person.rest @ truth.rotation.T + truth.translation).astype(np.float32)
    side = portrait.image.shape[0]
    camera = Camera(side, side, FOCAL, FOCAL, side / 2, side / 2, np.diag([1.0, -1.0, -1.0, 1.0]))
    surface = VisibleSurface.of(model, vertices, camera)
    colors = np.tile(SKIN, (side, side, 1)).astype(np.float32)
    y, x = np.mgrid[:side, :side] + 0.5
    for name, (_, centre, edge) in eyes.EYES.items():
        marks = portrait.landmarks.points[:, :2]
        width = np.ptp(marks[list(eyes._outline(name)), 0])
        away = np.hypot(x - marks[centre, 0], y - marks[centre, 1])
        colors[away < width] = WHITE + red * (SKIN - WHITE)
        colors[away < np.linalg.norm(marks[list(edge)] - marks[centre], axis=1).max()] = IRIS
    return person, sample(person, eyes.spacings(person, eyes.eyeballs(person, surface, portrait))), surface, portrait, colors


def painted_eyes(person: PersonHead, samples: Samples, surface: VisibleSurface, portrait: Portrait, colors: Array) -> Array:
    return eyes.eye_colors(person, eyes.eyeballs(person, surface, portrait), samples, surface, portrait, colors)


def angles(
    person: PersonHead, samples: Samples, surface: VisibleSurface, portrait: Portrait, name: str
) -> tuple[np.ndarray, Array]:
    of = person.model.region[samples.face] == REGION[name]
    ball = eyes.eyeballs(person, surface, portrait)[name]
    return of, ball.polar(samples.at(person.model.faces, person.rest)[of])[0]


def test_an_iris_is_round_and_whole_under_the_lids(model: HeadModel) -> None:
    person, samples, surface, portrait, colors = painted(model)
    out = painted_eyes(person, samples, surface, portrait, colors)
    for name in eyes.EYES:
        of, angle = angles(person, samples, surface, portrait, name)
        blue = out[of][:, 2] - out[of][:, 0]
        assert (blue[angle < 0.25] > 0.3).mean() > 0.97, "hidden parts of the iris are iris"
        assert (np.abs(out[of] - WHITE).max(axis=1)[angle > 0.75] < 0.08).mean() > 0.95, "and what is behind the lids is white"
    assert not out[~np.isin(model.region[samples.face], [REGION[name] for name in eyes.EYES])].any()


def test_what_was_read_from_lids_is_no_white(model: HeadModel) -> None:
    person, samples, surface, portrait, colors = painted(model, red=0.9)
    out = painted_eyes(person, samples, surface, portrait, colors)
    of, angle = angles(person, samples, surface, portrait, "left_eye")
    hidden = np.median(out[of][angle > 0.95], axis=0)
    assert np.ptp(hidden) < 1.2 * eyes.MOST_TINT * hidden.max() < np.ptp(colors[0, 0])


def test_an_eye_that_is_turned_away_is_painted_as_the_other_one(model: HeadModel) -> None:
    person, samples, surface, portrait, colors = painted(model, turn=50.0)
    widths = {name: eyes._width(portrait, name) for name in eyes.EYES}
    far = min(widths, key=lambda name: widths[name])
    x = portrait.landmarks.points[eyes.EYES[far][1], 0]
    colors[:, int(x - 1.5 * widths[far]) : int(x + 1.5 * widths[far])] = (0.9, 0.0, 0.0)
    out = painted_eyes(person, samples, surface, portrait, colors)
    of, angle = angles(person, samples, surface, portrait, far)
    assert widths[far] < eyes.NARROW * max(widths.values())
    assert (out[of][:, 2] > out[of][:, 0])[angle < 0.2].mean() > 0.9


def test_a_mirrored_eye_looks_as_the_other_one_does(model: HeadModel) -> None:
    person, _, surface, portrait, _ = painted(model, turn=30.0)
    balls = eyes.eyeballs(person, surface, portrait, ("left_eye",))
    assert np.allclose(balls["left_eye"].pupil, balls["right_eye"].pupil * (-1, 1, 1))


@pytest.mark.parametrize("down", [0.0, 1.5, 60.0])
def test_an_iris_lies_where_the_photo_has_it(model: HeadModel, down: float) -> None:
    """down: millimetres from where the head model has its irises; landmarks that are lost are not followed."""
    person, _, surface, portrait, _ = painted(model)
    pixels = down * 1e-3 * FOCAL / -surface.vertices[:, 2].max()
    portrait.landmarks.points[468:, 1] += pixels
    for name, ball in eyes.eyeballs(person, surface, portrait).items():
        _, centre, _ = eyes.EYES[name]
        of = model.region_vertices(name)
        rotation, shift = eyes._rigid(person.rest[of], surface.vertices[of])
        radius = np.linalg.norm(person.rest[of] - ball.middle, axis=1)[person.rest[of, 2] > ball.middle[2]].mean()
        drawn = surface.camera.project((rotation @ (ball.middle + radius * ball.pupil) + shift)[None].astype(np.float32))[0]
        away = np.linalg.norm(drawn - portrait.landmarks.points[centre, :2])
        assert away < 0.5 if down < 10 else away > 0.5 * pixels


def test_the_neutral_eyes_are_as_open_as_the_photos(enrolled: Enrollment, model: HeadModel) -> None:
    """The astronaut looks straight ahead with her lids at rest: no more white shows around the iris than in the photo."""
    person, fitted = enrolled.avatar.person(model), enrolled.fit.photos[0]
    neutral, as_photo = (person.landmarks(person.expressed(c)) for c in (0 * fitted.coefficients, fitted.coefficients))
    for upper, lower in ((386, 374), (159, 145)):
        gaps = [points[upper, 1] - points[lower, 1] for points in (neutral, as_photo)]
        assert gaps[0] < 1.1 * gaps[1]


@pytest.mark.parametrize("part", ["front", "back"])
def test_only_what_comes_to_light_has_gaussians(model: HeadModel, part: str) -> None:
    person, _, surface, portrait, _ = painted(model)
    spacing = eyes.spacings(person, eyes.eyeballs(person, surface, portrait))
    centre = person.rest[model.faces].mean(axis=1)
    ball = model.region_faces("left_eye")
    middle = eyes._middle(person, "left_eye")
    chosen = ball & ((centre[:, 2] > middle[2] + 0.009) if part == "front" else (centre[:, 2] < middle[2]))
    assert (
        chosen.any() and (spacing[chosen] > 0).all() == (part == "front") and not spacing[~model.region_faces(*eyes.EYES)].any()
    )


def test_no_pixel_of_the_photo_turns_with_an_eye(enrolled: Enrollment, model: HeadModel) -> None:
    """The avatar's eyeballs are evenly covered, and nothing of them stands before the lids."""
    avatar = enrolled.avatar
    person = avatar.person(model)
    world = binding.to_world(avatar.gaussians, binding.frames(person.rest, model.faces))
    for name in eyes.EYES:
        of = model.region[avatar.gaussians.face] == REGION[name]
        ball = person.rest[model.region_vertices(name)]
        reach = np.linalg.norm(world.means[of] - ball.mean(axis=0), axis=1)
        assert of.sum() > 400 and reach.max() < np.linalg.norm(ball - ball.mean(axis=0), axis=1).max() - 0.5 * eyes.RECESS
        assert world.scales[of].max() < 1.5 * eyes.SPACING_WHITE


def test_eyes_that_are_shut_are_not_painted_as_lids(model: HeadModel) -> None:
    person, samples, surface, portrait, colors = painted(model)
    points = portrait.landmarks.points
    for upper, lower in ((386, 374), (159, 145)):
        points[upper, :2] = points[lower, :2] - (0.0, 1.0)
    out = painted_eyes(person, samples, surface, portrait, np.tile(SKIN, (*colors.shape[:2], 1)).astype(np.float32))
    for name in eyes.EYES:
        of, angle = angles(person, samples, surface, portrait, name)
        assert np.abs(out[of][angle > 0.75] - eyes.WHITE).max() < 0.1
        assert out[of][angle < 0.05].max() < 0.2 and 0.1 < np.median(out[of][(angle > 0.25) & (angle < 0.35)]) < 0.35
