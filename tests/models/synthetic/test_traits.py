"""Every hat, hair style, beard, pair of glasses and piece of clothing shows in the picture, at its place.

Several traits are drawn on one head, since their places do not overlap: hats and hair above the brows, glasses before the eyes,
beards about the mouth, clothes below the neck. Each is compared with one bare head; depth and the strand mask show
a piece whatever its colour.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import cycle

import numpy as np
import pytest
from numpy.typing import NDArray

from models.heads.base import HeadModel
from models.synthetic import clothing
from models.synthetic.anatomy import HEIGHT, WIDTH, anatomy
from models.synthetic.head import HeadSample, SyntheticHead
from models.synthetic.skin import masks, paint_skin
from models.synthetic.traits import BEARDS, CLOTHES, HAIR_STYLES, HATS
from tests.models.synthetic.looks import PLAIN, box, drawn, somebody

SIZE = 160
BLUE = ((0.01, 0.02, 0.7), (0.01, 0.02, 0.7))
BARE = {**PLAIN, "fringe": 0.0, "masculine": 1.0, "pattern": "plain", "cloth_colors": BLUE, "grey": 0.0, "age": 0.3}
TOPS = [("hat", hat) for hat in HATS if hat != "none"] + [("hair_style", style) for style in HAIR_STYLES[1::2]]
LOOKS = list(zip(TOPS, cycle(BEARDS[2:]), cycle(("thin", "thick", "rimless", "sun")), cycle(CLOTHES)))


@cache
def bare() -> HeadSample:
    return drawn(somebody(2, **BARE), size=SIZE)


def nearer(sample: HeadSample, metres: float) -> NDArray[np.bool_]:
    """Where something stands this far before the bare head."""
    return (bare().matte > 0.9) & (sample.depth > 0) & (sample.depth < bare().depth - metres)


def rows_above(landmark: int, offset: int = 0) -> NDArray[np.bool_]:
    head = somebody(2, **BARE)
    y = bare().camera.project(head.person.landmarks(head.person.rest)[landmark])[1]
    return np.broadcast_to((np.arange(SIZE) < y + offset)[:, None], (SIZE, SIZE))


@pytest.mark.parametrize(("top", "beard", "glasses", "clothes"), LOOKS, ids=lambda value: str(value))
def test_every_piece_shows_at_its_place(top: tuple[str, str], beard: str, glasses: str, clothes: str) -> None:
    head = somebody(2, **BARE | {top[0]: top[1], "beard": beard, "glasses": glasses, "clothes": clothes})
    sample = drawn(head, size=SIZE)
    skull = rows_above(9, -10) & (bare().matte > 0.9)
    if top[0] == "hat":
        assert nearer(sample, 0.003)[skull].mean() > 0.5
    else:
        assert not bare().hair[skull].any()
        # a receding style leaves most of the front bare
        assert sample.hair[rows_above(9, -10)].sum() > (0.1 if top[1] == "receding" else 0.5) * skull.sum()
    eyes = box(head, bare(), 70, 300, 50, 280)
    assert nearer(sample, 0.004)[eyes].sum() > 60
    if glasses == "sun":
        assert sample.color[eyes].mean() < bare().color[eyes].mean() - 0.08
    mouth = box(head, bare(), 61, 291, 2, 152)
    assert sample.hair[mouth].sum() > bare().hair[mouth].sum() + 100
    torso = (bare().matte > 0.9) & ~rows_above(152, 30)
    blue = sample.color[..., 2] > 2 * sample.color[..., 0]
    assert (blue & torso).sum() > (0.02 if clothes == "strappy" else 0.4) * torso.sum()
    assert not blue[rows_above(152)].any() or top[0] == "hat"


def test_brows_and_lashes_show() -> None:
    head = somebody(2, **BARE)
    assert bare().hair[box(head, bare(), 70, 107, 63, 55)].sum() > 15
    close = drawn(head, size=2 * SIZE)
    assert close.hair[box(head, close, 33, 133, 159, 145)].sum() > 3


def test_stubble_darkens_the_skin_where_a_beard_grows(model: HeadModel) -> None:
    a, traits = anatomy(model), somebody(2, **BARE).traits
    none, stubble = (
        paint_skin(a, replace(traits, beard=beard), np.zeros((HEIGHT, WIDTH), np.float32), np.random.default_rng(1))[..., :3]
        for beard in ("none", "stubble")
    )
    grows = masks(a).beard > 0.9
    assert (stubble / none)[grows].mean() < 0.95
    assert np.array_equal(stubble[masks(a).beard == 0], none[masks(a).beard == 0])


@pytest.mark.parametrize("clothes", ["shirt", "jacket"])
def test_a_collar_shows(clothes: str, model: HeadModel, monkeypatch: pytest.MonkeyPatch) -> None:
    traits = BARE | {"clothes": clothes}
    with_collar = drawn(somebody(2, **traits), size=SIZE)
    monkeypatch.setattr(clothing, "collar", lambda *_: None)
    without = drawn(SyntheticHead.random(model, 2, **traits), size=SIZE)
    assert (with_collar.depth < without.depth - 0.004)[~rows_above(152)].sum() > 60


def test_a_cap_has_a_peak_and_a_headscarf_falls_over_the_neck() -> None:
    cap = drawn(somebody(2, **BARE | {"hat": "cap", "beard": "moustache", "glasses": "thin", "clothes": "tee"}), size=SIZE)
    assert nearer(cap, 0.03)[rows_above(9)].sum() > 30
    scarf = drawn(somebody(2, **BARE | {"hat": "headscarf"}), size=SIZE)
    assert nearer(scarf, 0.01)[~rows_above(152, 6)].sum() > 300
