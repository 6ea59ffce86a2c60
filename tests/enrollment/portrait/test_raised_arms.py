"""An arm raised beside the head is left out of the matte; shoulders, neck and hair stay."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from enrollment.portrait.raised_arms import CROWN, hidden_head, without_raised_arms
from models.tracking.face_geometry import CHIN, CONTOUR, FOREHEAD, face_height
from models.tracking.landmarks import Landmarks
from models.tracking.parsing import CLASSES, Parsing
from models.types import Array

SIDE, HEIGHT, MIDDLE, TOP = 300, 100, 150, 60


def face() -> Landmarks:
    """An upright oval in the picture's middle, its chin at row 160."""
    angle = np.linspace(0, 2 * np.pi, 478)
    points = np.stack([MIDDLE + 35 * np.sin(angle), TOP + 50 - 50 * np.cos(angle), 0 * angle], axis=1)
    for i, mark in enumerate(CONTOUR):
        turn = 2 * np.pi * i / len(CONTOUR)
        points[mark] = (MIDDLE + 35 * np.sin(turn), TOP + 50 - 50 * np.cos(turn), 0)
    points[FOREHEAD], points[CHIN] = (MIDDLE, TOP, 0), (MIDDLE, TOP + HEIGHT, 0)
    return Landmarks(points.astype(np.float32), 1.0, SIDE, SIDE)


def person(arm: NDArray[np.bool_] | None = None) -> tuple[Array, NDArray[np.int64]]:
    """Matte and class of each pixel: hair around a face, a neck, shoulders in a dress, and an arm."""
    rows, columns = np.indices((SIDE, SIDE))
    kind = np.zeros((SIDE, SIDE), int)
    kind[(rows > 200) & (np.abs(columns - MIDDLE) < 110)] = CLASSES.index("clothes")
    kind[(rows > 150) & (rows < 215) & (np.abs(columns - MIDDLE) < 28)] = CLASSES.index("body_skin")
    kind[(np.abs(columns - MIDDLE) < 55) & (rows > 40) & (rows < 150)] = CLASSES.index("hair")
    kind[((columns - MIDDLE) / 35) ** 2 + ((rows - TOP - 50) / 50) ** 2 < 1] = CLASSES.index("face_skin")
    if arm is not None:
        kind[arm & (kind == 0)] = CLASSES.index("body_skin")
    return (kind > 0).astype(np.float32), kind


def left_of(alpha: Array, kind: NDArray[np.int64]) -> tuple[Array, NDArray[np.bool_]]:
    return without_raised_arms(alpha, Parsing(np.eye(len(CLASSES), dtype=np.float32)[kind]), face())


def test_an_arm_is_left_out_with_the_cushion_behind_it_and_nothing_else() -> None:
    assert face_height(face()) == HEIGHT
    rows, columns = np.indices((SIDE, SIDE))
    alpha, kind = person(arm := (columns < 100) & (columns > 5) & (rows > 70) & (rows < 180))
    cushion = (columns < 40) & (rows >= 180) & (rows < 230)
    alpha = np.maximum(alpha, cushion)
    kept, arms = left_of(alpha, kind)
    assert arms[arm & (columns < 90)].mean() > 0.9
    assert kept[(arm | (cushion & (kind == 0))) & (columns < 70)].max() == 0
    plain, _ = person()
    inner = (plain > 0) & ((columns > 102) | (rows > 205))
    assert kept[inner].min() == 1, "hair, face, neck and shoulders"


def test_neck_and_bare_shoulders_are_no_arm() -> None:
    rows, columns = np.indices((SIDE, SIDE))
    alpha, kind = person((rows > 175) & (np.abs(columns - MIDDLE) < 110))
    kept, arms = left_of(alpha, kind)
    assert not arms.any() and (kept == alpha).all()
    assert not without_raised_arms(alpha, None, face())[1].any()


def test_a_lock_that_hung_over_the_arm_goes_with_it() -> None:
    rows, columns = np.indices((SIDE, SIDE))
    alpha, kind = person((columns < 100) & (rows > 70) & (rows < 180))
    lock = (np.abs(rows - 120) < 3) & (columns > 60) & (columns < 97)
    kind[lock] = CLASSES.index("hair")
    kept, _ = left_of(alpha, kind)
    assert kept[lock & (columns < 75)].max() == 0


def test_a_bald_skull_is_no_arm() -> None:
    rows, columns = np.indices((SIDE, SIDE))
    alpha, kind = person()
    skull = (np.hypot(columns - MIDDLE - 25, rows - 75) < 55) & (rows < 110)
    kind[kind == CLASSES.index("hair")] = CLASSES.index("background")
    kind[skull & (kind == CLASSES.index("background"))] = CLASSES.index("body_skin")
    alpha = (kind > 0).astype(np.float32)
    kept, arms = left_of(alpha, kind)
    assert not arms.any() and (kept == alpha).all()


def test_a_hand_on_the_forehead_does_not_keep_its_arm() -> None:
    rows, columns = np.indices((SIDE, SIDE))
    _, kind = person(arm := (columns < 100) & (rows > 40) & (rows < 75))
    kind[(rows <= 40) & (rows > 20) & (np.abs(columns - MIDDLE) < 55)] = CLASSES.index("hair")
    kind[(rows > 40) & (rows < 75) & (columns >= 100) & (columns < 190)] = CLASSES.index("body_skin")
    kept, arms = left_of((kind > 0).astype(np.float32), kind)
    assert arms.any() and kept[arm & (columns < 90)].max() == 0
    assert kept[(kind == CLASSES.index("hair")) & (columns > 105)].mean() > 0.9, "the hair beside it stays"
    behind = hidden_head(arms, face())
    away = np.hypot(columns - MIDDLE, rows - TOP - 50)
    assert behind[arms & (away < CROWN * HEIGHT - 2)].all(), "hair may be there"
    assert not behind[~arms | (away > CROWN * HEIGHT + 2)].any()
