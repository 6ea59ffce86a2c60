"""An animal that the face detectors take for a person is told by where its landmarks lie."""

from __future__ import annotations

import numpy as np
import pytest

from enrollment.portrait import person_check
from enrollment.portrait.person_check import LEAST_PERSON, check_person, landmark_instability, person_score
from enrollment.portrait.portrait import SIZE, Portrait, _crop
from models.errors import PhotoError
from models.heads.base import HeadModel
from models.tracking.landmarks import detect_faces
from tests.enrollment.heads import picture_of
from tests.enrollment.portrait.test_portrait import cats

Pixels = np.ndarray


def portrait_in(picture: Pixels) -> Portrait:
    """The largest face, cropped without any judgement."""
    image, inside, face, matrix = _crop(picture, detect_faces(picture)[0], 0.0)
    scale = float(np.sqrt(np.linalg.det(matrix[:, :2])))
    middle = matrix @ (picture.shape[1] / 2, picture.shape[0] / 2, 1.0)
    alpha = np.ones((SIZE, SIZE), np.float32)
    return Portrait(image, inside, alpha, face, (float(middle[0]), float(middle[1])), scale, scale * max(picture.shape))


@pytest.fixture(scope="module")
def fooling() -> list[Portrait]:
    """Pictures of a cat on which the landmark network sees a person."""
    return [portrait_in(cat) for cat in cats() if detect_faces(cat)][:4]


def test_people_are_people(portrait: Portrait, model: HeadModel) -> None:
    assert check_person(portrait) is portrait and person_score(portrait) > LEAST_PERSON + 0.2
    rng = np.random.default_rng(1)
    odd = portrait_in(picture_of(model.person(rng.normal(scale=1.5, size=model.identity_count))))
    assert person_score(odd) > LEAST_PERSON


def test_a_cat_is_none(fooling: list[Portrait]) -> None:
    assert fooling
    for cat in fooling:
        assert person_score(cat) < LEAST_PERSON - 0.2
        with pytest.raises(PhotoError, match="more like an animal"):
            check_person(cat)


def test_it_is_none_even_when_the_detectors_are_sure(
    fooling: list[Portrait], portrait: Portrait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(person_check, "human_face_score", lambda *_: 0.6)
    assert fooling
    for cat in fooling:
        assert person_score(cat) < LEAST_PERSON
        assert landmark_instability(cat) > 2 * landmark_instability(portrait)
    assert person_score(portrait) > LEAST_PERSON
