"""What the head's own brows, lids, lips and tongue do, on several people: as filmed faces do it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from models import arkit
from models.heads.anny import AnnyHead
from models.heads.base import PersonHead
from models.types import Array
from tests.models.heads.looking import face

MODEL = AnnyHead()
BROW, LOWER_BROW, LIDS = (336, 296, 334, 293), (285, 295, 282, 283), (386, 374)


def somebody(seed: int) -> PersonHead:
    return MODEL.person(np.random.default_rng(seed).normal(scale=0.5, size=MODEL.identity_count) * (seed > 0))


def moved(name: str) -> Array:
    """(478, 3) how the landmarks move at a coefficient of 1."""
    direction = MODEL.expression_basis[arkit.INDEX[name]]
    return np.einsum("nk,nkc->nc", MODEL.landmark_barycentric, direction[MODEL.landmark_corners])


def lid_gap(person: PersonHead, **expression: float) -> float:
    at = person.landmarks(person.expressed(face(**expression)))
    return float(at[LIDS[0], 1] - at[LIDS[1], 1])


@pytest.mark.parametrize("seed", range(3))
def test_an_oh_is_round(seed: int) -> None:
    """The opening between the lips fills an ellipse (a diamond fills 0.64 of it), has no dent, and is hardly wider than high."""
    edge = np.intersect1d(MODEL.region_vertices("skin"), MODEL.region_vertices("mouth_inside"))
    at = somebody(seed).expressed(face(jawOpen=0.45, mouthFunnel=1.0))[edge, :2]
    hull = ConvexHull(at)
    width, height = np.ptp(at, axis=0)
    assert hull.volume > 0.9 * np.pi / 4 * width * height
    assert width < 1.75 * height
    outline = hull.equations  # every vertex of the edge lies close to the outline: none dents it
    depth = -(at @ outline[:, :2].T + outline[:, 2]).max(axis=1)
    assert depth.max() < 0.12 * height


def test_a_brow_falls_as_one_piece_and_leaves_the_lid_alone() -> None:
    fall = -moved("browDownLeft")[:, 1]
    assert fall[list(BROW)].min() > 3.5e-3 and fall[list(BROW)].max() < 8e-3
    assert (fall[list(LOWER_BROW)] > 0.6 * fall[list(BROW)]).all(), "its lower edge comes along: it gets low, not thin"
    assert abs(fall[LIDS[0]]) < 1e-3


def test_a_blink_unfolds_the_lid_and_leaves_the_skin_under_the_brow() -> None:
    blink = MODEL.expression_basis[arkit.INDEX["eyeBlinkLeft"]]
    brow = np.abs(moved("eyeBlinkLeft")[list(LOWER_BROW)]).max()
    assert brow < 0.1e-3
    share = -blink[:, 1] / -blink[:, 1].min()
    middling = (share > 0.03) & (share < 0.25)
    assert middling.sum() < 0.5 * (share > 0.5).sum(), "little skin is dragged along"


def test_the_lower_lid_meets_the_upper_one() -> None:
    """A little: shut eyes are shut a quarter of an eye's opening above its lower lid, no higher."""
    way = moved("eyeBlinkLeft")[:, 1]
    assert 0.08 * -way[LIDS[0]] < way[LIDS[1]] < 0.2 * -way[LIDS[0]]


@pytest.mark.parametrize("seed", range(3))
def test_a_lowered_gaze_does_not_close_the_eye(seed: int) -> None:
    person = somebody(seed)
    assert lid_gap(person, eyeLookDownLeft=0.8) > 0.8 * lid_gap(person)
    assert moved("eyeLookDownLeft")[LIDS[0], 1] < -1e-3, "the upper lid goes down with the gaze"


@pytest.mark.parametrize("jaw", [0.0, 0.6])
def test_the_tongue_lies_between_the_lower_teeth(jaw: float) -> None:
    person = MODEL.person(np.zeros(MODEL.identity_count))
    at = person.expressed(face(jawOpen=jaw))
    teeth, tongue = (at[MODEL.region_vertices(name)] for name in ("lower_teeth", "tongue"))
    front = tongue[tongue[:, 2] > teeth[:, 2].min() + 0.008]
    reach = np.interp(-front[:, 2], *_arch(teeth))
    assert (np.abs(front[:, 0]) < reach).all(), "none of it shows through them"
    assert front[front[:, 2] > teeth[:, 2].max() - 0.012][:, 1].max() < teeth[:, 1].max()


def _arch(teeth: Array) -> tuple[Array, Array]:
    """Half the width of the arch's outside over the depth, as `np.interp` takes it."""
    side = teeth[teeth[:, 0] >= 0]
    order = np.argsort(-side[:, 2])
    return -side[order, 2], np.maximum.accumulate(side[order, 0])


def test_a_tongue_comes_out_over_the_lower_lip() -> None:
    """As wide as a tongue is, in front of the lips, above the lower one, with a round tip."""
    person = MODEL.person(np.zeros(MODEL.identity_count))
    at = person.expressed(face(jawOpen=0.3, tongueOut=1.0))
    tongue, lip = at[MODEL.region_vertices("tongue")], person.landmarks(at)[14]
    beyond = tongue[tongue[:, 2] > lip[2]]
    assert beyond[:, 2].max() > lip[2] + 8e-3
    assert 20e-3 < np.ptp(beyond[:, 0]) < 32e-3
    assert np.ptp(tongue[tongue[:, 2] > tongue[:, 2].max() - 1e-3][:, 0]) < 0.7 * np.ptp(beyond[:, 0])
    over = tongue[np.abs(tongue[:, 2] - lip[2]) < 4e-3]
    assert over[:, 1].max() > lip[1]


def test_a_brow_that_falls_bulges() -> None:
    forward = moved("browDownLeft")[list(LOWER_BROW), 2]
    assert (forward > 0.5e-3).all()
