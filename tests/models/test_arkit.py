from __future__ import annotations

import pytest

from models import arkit


def test_apples_names_in_apples_order() -> None:
    """https://developer.apple.com/documentation/arkit/arfaceanchor/blendshapelocation"""
    assert arkit.COUNT == len(arkit.NAMES) == len(set(arkit.NAMES)) == 52
    assert arkit.NAMES[:2] == ("eyeBlinkLeft", "eyeLookDownLeft")
    assert arkit.NAMES[17] == "jawOpen"
    assert arkit.NAMES[-1] == "tongueOut"
    assert all(arkit.NAMES[i] == name for name, i in arkit.INDEX.items())


def test_mirror_is_its_own_inverse() -> None:
    assert arkit.mirror("eyeBlinkLeft") == "eyeBlinkRight"
    assert arkit.mirror("jawOpen") == "jawOpen"
    for name in arkit.NAMES:
        assert arkit.mirror(name) in arkit.INDEX
        assert arkit.mirror(arkit.mirror(name)) == name


def test_gaze_is_the_eight_that_turn_the_eyes() -> None:
    assert len(arkit.GAZE) == 8
    assert {arkit.NAMES[i][:7] for i in arkit.GAZE} == {"eyeLook"}


def test_vector() -> None:
    v = arkit.vector(jawOpen=0.5, tongueOut=1)
    assert (len(v), sum(v), v[arkit.INDEX["jawOpen"]]) == (52, 1.5, 0.5)
    with pytest.raises(KeyError):
        arkit.vector(jawOpened=1)


def test_both_names_both_sides() -> None:
    assert arkit.both(eyeBlink=0.5, mouthSmile=1.0) == {
        "eyeBlinkLeft": 0.5, "eyeBlinkRight": 0.5, "mouthSmileLeft": 1.0, "mouthSmileRight": 1.0,
    }  # fmt: skip
    assert sum(arkit.vector(**arkit.both(browDown=1.0))) == 2
