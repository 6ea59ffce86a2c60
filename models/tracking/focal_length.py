"""The focal length of a clip's camera, which decides how strong the perspective is and so how far away the head stands."""

from __future__ import annotations

import cv2
import numpy as np

from models.avatar import AvatarPoser
from models.heads.base import PersonHead
from models.posture import pose_of
from models.renderer import tracked_camera
from models.splat.choose import best
from models.tracking.dense_alignment import Aligner, drawn_small
from models.tracking.landmarks import Landmarks, Pixels
from models.tracking.matting import matte
from models.tracking.solver import Solver
from models.types import Array64

FOCALS = (1.1, 1.3, 1.6, 1.9, 2.3, 2.8, 3.4, 4.2, 5.2)
"""Focal lengths that are tried, in larger sides of the picture; the first is a webcam's."""
TRIED = 16
"""Pictures that each focal length is tried on, by landmarks."""
SIDE = 128
"""Larger side of the pictures that are compared, pixels."""


def estimate_focal(person: PersonHead, resting_offset: Array64, faces: list[Landmarks]) -> Solver:
    """A solver with the focal length under which the head fits the faces of one camera best. resting_offset: as for `Solver`."""
    some = faces[:: max(1, len(faces) // TRIED)]
    solvers = _solvers(person, resting_offset, faces[0])
    return min(solvers, key=lambda solver: float(np.median([_misfit(solver, face) for face in some])))


def refine_focal(poser: AvatarPoser, first: Solver, pictures: list[tuple[Pixels, Landmarks]]) -> Solver:
    """A solver with the focal length under which the avatar of the clip's own person, aligned, looks most like the pictures
    (H, W, 3) of one camera. The search goes downhill from `first`, whose focal length is one of `FOCALS`, to where a parabola
    through the least difference and those beside it is lowest."""
    face = pictures[0][1]
    solvers = _solvers(poser.person, first.resting_offset, face)
    mattes = [matte(rgb) for rgb, _ in pictures]
    known: dict[int, float] = {}

    def error(i: int) -> float:
        if i not in known:
            known[i] = _difference(poser, solvers[i], pictures, mattes) if 0 <= i < len(solvers) else np.inf
        return known[i]

    start = first.focal(face.width, face.height)
    at = int(np.argmin([abs(solver.focal(face.width, face.height) - start) for solver in solvers]))
    while (better := min((at - 1, at, at + 1), key=error)) != at:
        at = better
    if not 0 < at < len(FOCALS) - 1:
        return solvers[at]
    focal = max(face.width, face.height) * lowest(
        np.array(FOCALS[at - 1 : at + 2]), np.array([error(at + i) for i in (-1, 0, 1)])
    )
    return Solver(poser.person, focal=focal, resting_offset=first.resting_offset)


def lowest(focals: Array64, errors: Array64) -> float:
    """Where a parabola through the errors (3,), over the logarithm of focal lengths (3,), is lowest; the middle one has the least
    error."""
    steps = np.log(focals / focals[1])
    bend, slope, _ = np.polyfit(steps, errors, 2)
    turn = np.clip(-slope / (2 * bend), steps[0], steps[2]) if bend > 0 else 0.0
    return float(focals[1] * np.exp(turn))


def _solvers(person: PersonHead, resting_offset: Array64, face: Landmarks) -> list[Solver]:
    side = max(face.width, face.height)
    return [Solver(person, focal=part * side, resting_offset=resting_offset) for part in FOCALS]


def _misfit(solver: Solver, face: Landmarks) -> float:
    """Metres RMS between landmarks and model after a face is solved without regard to others."""
    solver.reset()
    solver.solve(face, 0.0)
    return solver.fit.rms if solver.fit is not None else np.inf


def _difference(poser: AvatarPoser, solver: Solver, pictures: list[tuple[Pixels, Landmarks]], mattes: list[np.ndarray]) -> float:
    """Mean squared difference of colours between the aligned avatar and the matted pictures, both on white."""
    rasterizer = best()
    aligner, errors = Aligner(poser, rasterizer), []
    for (rgb, face), alpha in zip(pictures, mattes, strict=True):
        solver.reset()
        drive = solver.solve(face, 0.0)
        camera = tracked_camera(face.width, face.height, solver.focal(face.width, face.height))
        pose = pose_of(drive, poser.person.joints)
        coefficients, pose = aligner.refine(rgb, alpha, face.points[:, :2], camera, drive.coefficients, pose)
        part = SIDE / max(face.width, face.height)
        size = max(1, round(face.width * part)), max(1, round(face.height * part))
        rendered = drawn_small(rasterizer, poser.pose(coefficients, pose), camera.resized(*size))
        target = cv2.resize(alpha[..., None] * (rgb / 255) + 1 - alpha[..., None], size, interpolation=cv2.INTER_AREA)
        errors.append(float(np.mean((rendered - target) ** 2)))
    return float(np.mean(errors))
