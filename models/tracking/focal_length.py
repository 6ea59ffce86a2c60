"""The focal length of a clip's camera, which says how strong the perspective is and so how far away the head stands."""

from __future__ import annotations

import cv2
import numpy as np

from models.avatar import AvatarPoser
from models.heads.base import PersonHead
from models.posture import pose_of
from models.renderer import tracked_camera
from models.splat.choose import best
from models.tracking.dense_alignment import Aligner
from models.tracking.landmarks import Landmarks
from models.tracking.matting import matte
from models.tracking.same_person import Pixels
from models.tracking.solver import Solver
from models.types import Array64

FOCALS = (1.1, 1.3, 1.6, 1.9, 2.3, 2.8, 3.4, 4.2, 5.2)
"""Focal lengths that are tried, in larger sides of the picture; the first is a webcam's."""
TRIED = 16
"""Pictures that each of them is tried on, by landmarks."""
SIDE = 128
"""Pixels of the larger side, of the pictures that are compared."""


def by_landmarks(person: PersonHead, offset: Array64, faces: list[Landmarks]) -> Solver:
    """A solver with the focal length under which the head fits the faces of one camera best. offset: as `Solver.offset`."""
    some = faces[:: max(1, len(faces) // TRIED)]
    solvers = _solvers(person, offset, faces[0])
    return min(solvers, key=lambda solver: float(np.median([_misfit(solver, face) for face in some])))


def by_pictures(poser: AvatarPoser, first: Solver, looks: list[tuple[Pixels, Landmarks]]) -> Solver:
    """A solver with the focal length under which the avatar of the clip's own person, aligned, looks most like the pictures
    (H, W, 3) of one camera; uphill from `first`, whose focal length is one of `FOCALS`."""
    face = looks[0][1]
    solvers = _solvers(poser.person, first.offset, face)
    people = [matte(rgb) for rgb, _ in looks]
    known: dict[int, float] = {}

    def error(i: int) -> float:
        if i not in known:
            known[i] = _difference(poser, solvers[i], looks, people) if 0 <= i < len(solvers) else np.inf
        return known[i]

    wanted = first.focal(face.width, face.height)
    at = int(np.argmin([abs(solver.focal(face.width, face.height) - wanted) for solver in solvers]))
    while (better := min((at - 1, at, at + 1), key=error)) != at:
        at = better
    return solvers[at]


def _solvers(person: PersonHead, offset: Array64, face: Landmarks) -> list[Solver]:
    solvers = [Solver(person, focal=part * max(face.width, face.height)) for part in FOCALS]
    for solver in solvers:
        solver.offset = offset
    return solvers


def _misfit(solver: Solver, face: Landmarks) -> float:
    """Metres RMS that are left after solving a face without regard to others."""
    solver.reset()
    solver.solve(face, 0.0)
    return solver.fit.rms if solver.fit is not None else np.inf


def _difference(poser: AvatarPoser, solver: Solver, looks: list[tuple[Pixels, Landmarks]], people: list[np.ndarray]) -> float:
    """Mean squared difference of colours between the aligned avatar and the matted pictures, both on white."""
    rasterizer = best()
    aligner, errors = Aligner(poser, rasterizer), []
    for (rgb, face), alpha in zip(looks, people, strict=True):
        solver.reset()
        drive = solver.solve(face, 0.0)
        camera = tracked_camera(face.width, face.height, solver.focal(face.width, face.height))
        pose = pose_of(drive, poser.person.joints)
        coefficients, pose = aligner.refine(rgb, alpha, face.points[:, :2], camera, drive.coefficients, pose)
        part = SIDE / max(face.width, face.height)
        size = max(1, round(face.width * part)), max(1, round(face.height * part))
        drawn = rasterizer.render(poser.pose(coefficients, pose), camera.resized(*size)).color
        shown = cv2.resize(alpha[..., None] * (rgb / 255) + 1 - alpha[..., None], size, interpolation=cv2.INTER_AREA)
        errors.append(float(np.mean((drawn - shown) ** 2)))
    return float(np.mean(errors))
