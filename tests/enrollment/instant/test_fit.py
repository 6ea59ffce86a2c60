"""The fit finds what a known head was: pose, shape and expression; and its derivatives are those of its energy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from enrollment.instant import fit as fitting
from enrollment.instant.fit import FREE, MARKS, PhotoFit, fit
from enrollment.instant.pipeline import Enrollment
from models import arkit
from models.heads.base import LEFT_EYE, RIGHT_EYE, HeadModel, PersonHead, rotation_log
from models.similarity import similarity
from models.tracking.gauss_newton import MANY_SWEEPS
from models.types import Array64
from tests.enrollment.heads import Known, known, landmarks_of, portrait_of

EXPRESSIONS: tuple[dict[str, float], ...] = (
    {},
    {"jawOpen": 0.6, "mouthSmileLeft": 0.7, "mouthSmileRight": 0.7},
    {"eyeBlinkLeft": 0.9, "mouthFrownRight": 0.8, "mouthPucker": 0.7},
)
TURNS = ((0.0, 0.0, 0.0), (5.0, 20.0, -8.0), (0.0, 40.0, 0.0), (-15.0, -30.0, 10.0))


def degrees_apart(photo: PhotoFit, truth: Known) -> float:
    return float(np.degrees(np.linalg.norm(rotation_log(photo.rotation @ truth.rotation.T))))


def marks(person: PersonHead) -> Array64:
    return person.landmarks(person.rest)[:MARKS].astype(np.float64)


def shape_error(a: PersonHead, b: PersonHead) -> float:
    """Metres (root mean square) between the neutral faces once the best rotation, size and place are taken out."""
    p, q = marks(a), marks(b)
    size, rotation, shift = similarity(p, q)
    return float(np.sqrt(np.mean(np.sum((size * p @ rotation.T + shift - q) ** 2, axis=1))))


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_known_head_is_recovered(model: HeadModel, turn: tuple[float, float, float], expression: dict[str, float]) -> None:
    truth = known(model, 1, turn=turn, **expression)  # type: ignore[arg-type]
    found = fit([portrait_of(model, truth)], model)
    photo, true = found.photos[0], model.person(truth.identity)
    assert photo.rms < 0.5
    assert degrees_apart(photo, truth) < 2.0
    assert shape_error(model.person(found.identity), true) < 0.5 * shape_error(model.person(0 * truth.identity), true)
    assert np.abs(photo.coefficients - truth.coefficients).max() < 0.2


def test_depths_tell_a_receding_chin_from_a_bowed_head(model: HeadModel, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = known(model, 1, mouthSmileLeft=0.5, mouthSmileRight=0.5, jawOpen=0.3)
    true, portrait = model.person(truth.identity), portrait_of(model, truth)
    error = shape_error(model.person(fit([portrait], model).identity), true)
    monkeypatch.setattr(fitting, "DEPTH_NOISE", 1e6)
    assert error < 0.6 * shape_error(model.person(fit([portrait], model).identity), true)


def test_brows_are_the_persons_own_rather_than_an_expression(model: HeadModel) -> None:
    def told(name: str, amount: float) -> float:
        photo = fit([portrait_of(model, known(model, 1, **{name: amount}))], model).photos[0]  # type: ignore[arg-type]
        return float(photo.coefficients[arkit.INDEX[name]])

    assert told("mouthSmileLeft", 0.3) > 0.2
    assert told("browInnerUp", 0.3) < 0.2
    assert told("browInnerUp", 1.0) > 0.5  # but these are raised


@pytest.mark.parametrize("seed", range(3))
def test_landmark_noise_does_little(model: HeadModel, seed: int) -> None:
    truth = known(model, seed, turn=(5, 20, 0), jawOpen=0.5)
    photo = fit([portrait_of(model, truth, noise=1.0, seed=seed)], model).photos[0]
    assert degrees_apart(photo, truth) < 2.0
    assert photo.rms < 1.6  # the noise itself is 1.41
    assert photo.coefficients[arkit.INDEX["jawOpen"]] == pytest.approx(0.5, abs=0.15)


def test_a_few_wild_landmarks_are_ignored(model: HeadModel) -> None:
    truth = known(model, 4, turn=(0, 15, 0))
    portrait = portrait_of(model, truth)
    portrait.landmarks.points[50:80, :2] += 60.0
    photo = fit([portrait], model).photos[0]
    assert degrees_apart(photo, truth) < 3.0


def test_the_prior_keeps_a_noisy_fit_sane(model: HeadModel) -> None:
    """Noise of 8 pixels says next to nothing about a face: the head must stay a head of human size."""
    truth = known(model, 2, turn=(5, 20, 0))
    found = fit([portrait_of(model, truth, noise=8.0)], model)
    person, photo = model.person(found.identity), found.photos[0]
    assert degrees_apart(photo, truth) < 6.0
    assert np.abs(found.identity).max() < 5.0
    assert similarity(model.template, person.rest)[0] == pytest.approx(1.0, abs=0.15)
    assert 0.05 < np.linalg.norm(person.joints[LEFT_EYE] - person.joints[RIGHT_EYE]) < 0.075
    assert 0.4 < -photo.translation[2] < 1.6


def test_a_real_face_is_of_human_size(model: HeadModel, enrolled: Enrollment) -> None:
    person = enrolled.avatar.person(model)
    assert 0.05 < np.linalg.norm(person.joints[LEFT_EYE] - person.joints[RIGHT_EYE]) < 0.075


def test_coefficients_stay_in_range_and_what_landmarks_cannot_tell_stays_zero(model: HeadModel) -> None:
    truth = known(model, 5, jawOpen=1.0, mouthSmileLeft=1.0, eyeBlinkRight=1.0)
    coefficients = fit([portrait_of(model, truth, noise=1.5)], model).photos[0].coefficients
    assert coefficients.min() >= 0 and coefficients.max() <= 1 and coefficients.dtype == np.float32
    assert not np.delete(coefficients, FREE).any()


def test_two_photos_share_one_identity(model: HeadModel) -> None:
    one = known(model, 3, turn=(0, -25, 0))
    other = known(model, identity=one.identity, turn=(0, 25, 0), jawOpen=0.6)
    portraits = [portrait_of(model, truth, noise=1.0, seed=i) for i, truth in enumerate((one, other))]
    found = fit(portraits, model)
    assert len(found.photos) == 2
    for photo, truth in zip(found.photos, (one, other), strict=True):
        assert degrees_apart(photo, truth) < 2.0 and photo.rms < 1.6
    jaw = [photo.coefficients[arkit.INDEX["jawOpen"]] for photo in found.photos]
    assert jaw[0] < 0.15 and jaw[1] > 0.4
    true = model.person(one.identity)
    alone = fit(portraits[:1], model)
    assert shape_error(model.person(found.identity), true) < shape_error(model.person(alone.identity), true)


def test_the_fit_is_deterministic(model: HeadModel) -> None:
    portrait = portrait_of(model, known(model, 6), noise=1.0)
    a, b = fit([portrait], model), fit([portrait], model)
    assert np.array_equal(a.identity, b.identity) and a.photos[0].rms == b.photos[0].rms


def test_the_photo_camera_sees_the_fit_where_the_landmarks_are(model: HeadModel) -> None:
    truth = known(model, 7, turn=(3, -12, 5), jawOpen=0.4)
    portrait = portrait_of(model, truth)
    found = fit([portrait], model)
    photo, person = found.photos[0], model.person(found.identity)
    head = photo.head_pose()
    seen = person.landmarks(person.expressed(photo.coefficients))[:MARKS] @ head[:3, :3].T + head[:3, 3]
    miss = photo.camera(portrait).project(seen) - portrait.landmarks.points[:MARKS, :2]
    assert np.sqrt(np.mean(np.sum(miss**2, axis=1))) == pytest.approx(photo.rms, abs=0.05)
    assert np.allclose(landmarks_of(model, truth)[:MARKS].mean(axis=0), seen.mean(axis=0), atol=0.12)


def _problem(model: HeadModel) -> tuple[fitting._Problem, fitting._State]:
    """Two photos in the middle of a fit, with outliers, all coefficients away from their bounds."""
    rng = np.random.default_rng(11)
    truths = [known(model, 8, turn=t, jawOpen=0.5) for t in ((0, 10, 0), (5, -15, 3))]
    problem = fitting._Problem.of([portrait_of(model, t, noise=3.0) for t in truths], model)
    photos = tuple(
        replace(
            photo,
            coefficients=rng.uniform(0.1, 0.6, arkit.COUNT),
            translation=photo.translation + rng.normal(scale=0.005, size=3),
            log_focal=photo.log_focal + 0.1,
        )
        for photo in problem.start().photos
    )
    return problem, fitting._State(rng.normal(scale=0.5, size=model.identity_count), photos)


def test_the_gradient_is_that_of_the_energy(model: HeadModel) -> None:
    problem, state = _problem(model)
    gradient = problem.equations(state).gradient
    k, rng = len(state.identity), np.random.default_rng(0)
    for at in (
        *range(k, k + 14),
        *rng.choice(k, 12, replace=False),
        *rng.choice(np.arange(k + 14, len(gradient)), 24, replace=False),
    ):
        step = np.zeros(len(gradient))
        step[at] = 1e-5
        numeric = (problem.energy(problem.moved(state, step)) - problem.energy(problem.moved(state, -step))) / 4e-5
        assert gradient[at] == pytest.approx(numeric, rel=1e-4, abs=1e-3), at


def test_a_step_goes_downhill_and_its_hessian_is_positive(model: HeadModel) -> None:
    problem, state = _problem(model)
    equations = problem.equations(state)
    assert np.allclose(equations.hessian, equations.hessian.T) and np.linalg.eigvalsh(equations.hessian).min() > 0
    step = equations.step(1.0, MANY_SWEEPS)
    assert equations.gradient @ step < 0
    after = np.concatenate([photo.coefficients[FREE] for photo in state.photos]) + step[-2 * len(FREE) :]
    assert after.min() > -1e-9 and after.max() < 1 + 1e-9
    assert problem.energy(problem.moved(state, 0.2 * step)) < problem.energy(state)
