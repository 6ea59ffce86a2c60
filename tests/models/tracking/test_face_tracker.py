from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

data = pytest.importorskip("skimage.data")

from models.heads.anny import AnnyHead  # noqa: E402
from models.tracking.face_tracker import FaceTracker  # noqa: E402
from models.tracking.solver import Solver  # noqa: E402
from models.tracking.synthetic_landmarks import SyntheticPerson, head_pose, random_person  # noqa: E402

FACE = (170, 60, 290, 200)
"""Around the astronaut's face: left, top, right, bottom."""


def test_a_face_is_found_and_solved(astronaut: NDArray[np.uint8]) -> None:
    with FaceTracker(static=True) as tracker:
        face = tracker.track(astronaut)
    assert face is not None and face.confidence > 0.8 and face.points.shape == (478, 3)
    left, top, right, bottom = face.box
    assert left > FACE[0] and top > FACE[1] and right < FACE[2] and bottom < FACE[3]
    model = AnnyHead()
    solver = Solver(model.person(np.zeros(model.identity_count)))
    frame = solver.solve(face, 0.0)
    assert solver.fit is not None and solver.fit.rms < 8e-3  # of an average head, metres
    assert frame.confidence > 0.3
    assert frame.coefficients[[0, 7]].max() < 0.5  # her eyes are open


def test_nothing_is_found_in_noise_and_the_face_again_after_it(astronaut: NDArray[np.uint8]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, astronaut.shape, np.uint8)
    with FaceTracker() as tracker:
        found = [tracker.track(picture) is not None for picture in (noise, astronaut, noise, noise, astronaut)]
    assert found[0] is False and found[1] is True and found[3] is False and found[4] is True


def test_the_followed_face_is_kept_beside_another(astronaut: NDArray[np.uint8]) -> None:
    face = astronaut[20:260, 120:360]
    alone = np.full((300, 640, 3), 128, np.uint8)
    alone[30:270, 20:260] = face
    both = alone.copy()
    larger = cv2.resize(face, None, fx=1.2, fy=1.2)
    both[6:294, 340:628] = larger
    with FaceTracker() as tracker:
        first = tracker.track(alone)
        kept = [tracker.track(both) for _ in range(3)][-1]
    with FaceTracker(static=True) as fresh:
        chosen = fresh.track(both)
    assert first is not None and kept is not None and chosen is not None
    assert abs(kept.points[:, 0].mean() - first.points[:, 0].mean()) < 10
    assert chosen.points[:, 0].mean() > 340


def test_it_works_in_another_thread(astronaut: NDArray[np.uint8]) -> None:
    def work() -> bool:
        with FaceTracker() as tracker:
            return tracker.track(astronaut) is not None

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result(60)


def test_a_face_cut_by_the_border_is_trusted_less() -> None:
    person = SyntheticPerson(random_person(AnnyHead(), np.random.default_rng(1)), np.random.default_rng(1))
    whole, cut = (
        person.draw(np.zeros(52), head_pose(0, 0, 0, (x, 0.0, -person.distance))) for x in (0.0, 0.21 * 512 / person.focal * 2)
    )
    with FaceTracker(static=True) as tracker:
        a, b = tracker.track(whole), tracker.track(cut)
    assert a is not None and a.confidence > 0.9
    assert b is None or b.confidence < a.confidence
