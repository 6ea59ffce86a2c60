"""The tracker and the solver against the truth: a known head is drawn with known poses and expressions, and recovered.

The path of a live call from picture to drive frame, except that each picture is tracked and solved on its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models import arkit
from models.avatar import Avatar
from models.heads.anny import AnnyHead
from models.heads.base import PersonHead, quaternion, rotation_log, rotation_matrix
from models.renderer import AvatarRenderer, tracked_camera
from models.tracking.calibration import Calibration
from models.tracking.landmarks import FaceMesh, Landmarks
from models.tracking.solver import Solver
from models.tracking.synthetic_landmarks import SyntheticPerson, head_pose, look, random_person
from models.types import Array64, DriveFrame

NAMED = (
    "jawOpen", "eyeBlinkLeft", "eyeBlinkRight", "mouthSmileLeft", "mouthSmileRight", "mouthPucker", "browInnerUp",
)  # fmt: skip
LEVELS = (0.3, 0.6, 1.0)
RESTING = 20
"""Pictures of the neutral face, for the calibration."""
TURN = np.deg2rad([20.0, 12.0, 10.0])
"""Most yaw, pitch and roll."""
DISTANCE = 0.7
SIZE = 512

Draw = Callable[[DriveFrame], NDArray[np.uint8]]


def bench_solver(
    subject: Avatar | PersonHead | None = None, *, combined: int = 40, seed: int = 0, quiet: bool = False
) -> dict[str, float]:
    """Each of `NAMED` alone at `LEVELS`, then `combined` random mixtures, all in moderately turned heads.

    subject: an avatar, drawn as it is; a person's head, drawn as a painted mesh; or None for a random person.
    Returns mean absolute errors ("mae", "mae.jawOpen", ...), "rotation" and "rotation_p95" in degrees (relative to the
    neutral pose), "solve_ms", "solve_ms_p95", "track_ms", and how many pictures were "missed"; prints them unless `quiet`.
    """
    rng = np.random.default_rng(seed)
    draw, person, focal, distance = _subject(subject, rng)
    solver = Solver(person, focal=focal)
    calibration = Calibration(solver)
    turned: list[float] = []
    errors: list[NDArray[np.floating]] = []
    track_ms: list[float] = []
    solve_ms: list[float] = []
    missed = 0
    with FaceMesh(static=False) as mesh:
        for i in range(RESTING):
            resting = _frame({}, 0.15 * _turn(rng), rng, distance)
            points = look(mesh, draw(resting))
            if points is not None:
                calibration.solve(Landmarks(points, 1.0, SIZE, SIZE), 0.1 * i)
        base = rotation_matrix(quaternion(calibration.pose[:3, :3]))
        for named in _expressions(rng, combined):
            truth = _frame(named, _turn(rng), rng, distance)
            picture = draw(truth)
            start = time.perf_counter()
            points = look(mesh, picture)
            track_ms.append((time.perf_counter() - start) * 1000 / 3)
            if points is None:
                missed += 1
                continue
            face = Landmarks(points, 1.0, SIZE, SIZE)
            solver.reset()
            found = solver.solve(face, 0.0)
            start = time.perf_counter()
            solver.solve(face, 1 / 30)
            solve_ms.append((time.perf_counter() - start) * 1000)
            errors.append(np.abs(found.coefficients - truth.coefficients))
            relative = rotation_matrix(found.rotation) @ base.T
            turned.append(float(np.rad2deg(np.linalg.norm(rotation_log(relative @ rotation_matrix(truth.rotation).T)))))
    result = _summary(np.array(errors), np.array(turned), track_ms, solve_ms, missed)
    if not quiet:
        for name, value in result.items():
            print(f"{name:20} {value:8.3f}")
    return result


def _subject(subject: Avatar | PersonHead | None, rng: np.random.Generator) -> tuple[Draw, PersonHead, float, float]:
    """How to draw it, its head, the focal length in pixels, the distance in metres."""
    if isinstance(subject, Avatar):
        from models.heads import registry
        from models.splat import choose

        renderer = AvatarRenderer(subject, registry.by_name(subject.head), choose.best(), SIZE, SIZE, tracked=True)
        focal = 2.0 * SIZE
        camera = tracked_camera(SIZE, SIZE, focal)
        return lambda frame: renderer.render(frame, camera), renderer.person, focal, DISTANCE
    painted = SyntheticPerson(subject or random_person(AnnyHead(), rng), rng, size=SIZE)

    def draw(frame: DriveFrame) -> NDArray[np.uint8]:
        head = np.eye(4)
        head[:3, :3], head[:3, 3] = rotation_matrix(frame.rotation), frame.translation
        return painted.draw(frame.coefficients, head, frame.gaze)

    return draw, painted.person, painted.focal, painted.distance


def _turn(rng: np.random.Generator) -> Array64:
    return TURN * rng.uniform(-1, 1, 3)


def _frame(named: dict[str, float], turn: Array64, rng: np.random.Generator, distance: float) -> DriveFrame:
    x, y = rng.uniform(-0.04, 0.04, 2)
    head = head_pose(turn[0], turn[1], turn[2], (x, y, -distance * rng.uniform(0.95, 1.05)))
    coefficients = np.array(arkit.vector(**named), np.float32)
    return DriveFrame(rotation=quaternion(head[:3, :3]), translation=head[:3, 3], coefficients=coefficients)


def _expressions(rng: np.random.Generator, combined: int) -> list[dict[str, float]]:
    alone = [{name: level} for name in NAMED for level in LEVELS]
    pairs = [{"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}, {"mouthSmileLeft": 0.7, "mouthSmileRight": 0.7}, {}]
    mixed = [{name: rng.uniform(0.2, 1.0) for name in NAMED if rng.random() < 0.45} for _ in range(combined)]
    return alone + pairs + mixed


def _summary(
    errors: NDArray[np.floating], turned: Array64, track_ms: list[float], solve_ms: list[float], missed: int
) -> dict[str, float]:
    named = {f"mae.{name}": float(errors[:, arkit.INDEX[name]].mean()) for name in NAMED}
    return {
        "mae": float(np.mean(list(named.values()))), **named,
        "rotation": float(turned.mean()), "rotation_p95": float(np.percentile(turned, 95)),
        "solve_ms": float(np.median(solve_ms)), "solve_ms_p95": float(np.percentile(solve_ms, 95)),
        "track_ms": float(np.median(track_ms)), "missed": float(missed),
    }  # fmt: skip
