"""Everybody's lids meet in a blink, whether the eyes are narrow or wide."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from enrollment import workflow
from enrollment.instant.blink import BLINKS, OVERLAP, blinking, only_blinks, own_blink, with_own_blink
from enrollment.instant.pipeline import Enrollment
from models import arkit
from models.avatar import Avatar, AvatarPoser
from models.binding import BoundGaussians
from models.corrections import Basis, Corrections
from models.heads.base import HeadModel, PersonHead
from models.types import Array

LIDS = ((386, 374), (159, 145))
"""Landmarks in the middle of the upper and of the lower lid, left and right."""
SHUT = np.array(arkit.vector(eyeBlinkLeft=1, eyeBlinkRight=1), np.float32)


def somebody(model: HeadModel, narrower: float) -> PersonHead:
    """A person whose eyes are as much narrower as that part of a blink makes them."""
    blinks = model.expression_basis[[arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"]]].sum(axis=0)
    return model.person(np.zeros(model.identity_count), narrower * blinks)


def gaps(person: PersonHead, coefficients: Array) -> Array:
    """(2,) metres between the lids, below 0 where the upper one lies below the lower one's edge."""
    at = person.landmarks(person.expressed(coefficients))
    return np.array([at[upper, 1] - at[lower, 1] for upper, lower in LIDS])


@pytest.mark.parametrize("narrower", [-0.3, 0.0, 0.25])
def test_the_lids_meet(model: HeadModel, narrower: float) -> None:
    plain = somebody(model, narrower)
    own, ways = own_blink(plain)
    person = with_own_blink(plain, own)
    shut, before = gaps(person, SHUT), gaps(plain, SHUT)
    assert (shut < 0.2e-3).all() and (shut > -OVERLAP - 1.0e-3).all()
    np.testing.assert_allclose(gaps(person, 0 * SHUT), gaps(plain, 0 * SHUT))
    assert np.ptp([gaps(somebody(model, n), SHUT).mean() for n in (-0.3, 0.25)]) > 4e-3, "the model's own blink does not care"
    assert (np.sign(before - shut) == np.sign(ways - 1)).all()


def test_a_wink_shuts_one_eye_and_an_avatar_keeps_it(model: HeadModel) -> None:
    plain = somebody(model, 0.25)
    own, _ = own_blink(plain)
    shapes = ((3,), (4,), (3,), (), (3,))
    nothing = BoundGaussians(np.zeros(0, np.int32), *(np.zeros((0, *shape), np.float32) for shape in shapes))
    kept = AvatarPoser(
        Avatar(model.name, np.zeros(model.identity_count), plain.rest - model.template, nothing, corrections=own), model
    )
    left = np.array(arkit.vector(eyeBlinkLeft=1), np.float32)
    person = with_own_blink(plain, own)
    np.testing.assert_allclose(kept.person.expressed(left), person.expressed(left), atol=1e-5)
    shut = gaps(person, left)
    assert shut[0] < 0.2e-3 and abs(shut[1] - gaps(plain, 0 * left)[1]) < 1e-4


def test_the_optimiser_gets_the_models_blinks_and_its_avatar_the_persons(enrolled: Enrollment, model: HeadModel) -> None:
    plain = workflow._with_model_blinks(enrolled, model)
    own, ways = own_blink(plain.avatar.person(model))
    assert plain.avatar.corrections is None and enrolled.avatar.corrections is not None and abs(ways - 1).max() > 0.05
    ours, theirs = enrolled.fit.photos[0].coefficients, plain.fit.photos[0].coefficients
    np.testing.assert_allclose(theirs[BLINKS], ours[BLINKS] * ways, atol=1e-6)
    assert (np.delete(theirs, BLINKS) == np.delete(ours, BLINKS)).all()
    again = blinking(plain.avatar, model).corrections
    assert again is not None and own.vertices is not None and again.vertices is not None and only_blinks(again)
    np.testing.assert_allclose(again.vertices.directions, enrolled.avatar.corrections.vertices.directions, atol=1e-4)  # type: ignore[union-attr]
    smile = replace(own.vertices, mixing=own.vertices.mixing + 1)
    learned = Corrections(np.zeros(0, np.int32), None, Basis(smile.directions, smile.mixing), 0.0)
    assert not only_blinks(learned)
    assert blinking(replace(plain.avatar, corrections=learned), model).corrections is learned
