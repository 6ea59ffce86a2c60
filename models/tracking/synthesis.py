"""Analysis by synthesis for recorded clips: pose, expression and gaze under which the avatar's own picture shows the landmarks
that the clip's picture shows.

The landmark tracker does not report the places that the head model has for its landmarks, and the difference changes with pose,
expression and looks. So the avatar is drawn as it was solved, the tracker looks at that picture too, and what is left between the
two sets of landmarks is solved for again. Too slow for a live call.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from models import arkit
from models.heads.base import JOINTS, PersonHead, Pose, rotation_vector
from models.tracking.dense_alignment import Aligner
from models.tracking.face_geometry import face_height
from models.tracking.gauss_newton import Equations, minimise
from models.tracking.landmarks import FaceMesh, Landmarks
from models.tracking.pinhole import POSE, pixel_motion, point_motion, project
from models.types import Array, Array64, Camera

ROUNDS = 2
"""Pictures that are drawn and looked at."""
SIDE, HEIGHTS = 320, 2.2
"""Pixels of the square window that both pictures are looked at in, and face heights that it is wide."""
MISSED = 0.12
"""Face heights; where the two sets of landmarks are this far apart on average the tracker has seen something else."""
STEPS = 2
"""Gauss-Newton steps after each."""
NOISE, CORRELATION = 1.0, 12.0
"""Standard deviation of a landmark, pixels of the window, and how many landmarks count as one observation."""
TURN_SPREAD, SHIFT_SPREAD, DEPTH_SPREAD = 0.012, 0.0005, 0.003
"""Standard deviations of the head's pose from the aligned one: radians, metres across and along the line of sight. Hair that does
not turn with the head pulls the aligned pose off the face; landmarks alone would pull the outline off the hair."""
EXPRESSION_SPREAD = 0.35
"""Standard deviation of a coefficient from the aligned one."""
OUTLIER = 4.0
"""Standard deviations at which a landmark's weight is halved."""
MESH = 468
"""Landmarks but the irises."""
IRISES = ((473, "left_eye"), (468, "right_eye"))
EYE_RADIUS = 0.012
"""Metres from the middle of an eye to its iris."""
IRIS_NOISE, GAZE_SPREAD, MOST_TURN = 0.7, 0.2, 0.3
"""Pixels of the window; radians of a correction, one standard deviation; most radians of all corrections."""
OPEN, OWN = 0.5, 0.7
"""How far an eye must be open to be asked where it looks, and which part of what it says it keeps from the other."""
BLINKS = [arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"]]


class Synthesis:
    """Solves frames of one clip after they are aligned. For one thread; `close` it or use it in a `with` statement."""

    def __init__(self, aligner: Aligner) -> None:
        self._aligner, self._mesh = aligner, FaceMesh(static=True)
        model = aligner.poser.person.model
        self._free = np.array([i for i, name in enumerate(arkit.NAMES) if not name.startswith(("eyeLook", "tongue"))])
        basis = model.expression_basis[self._free][:, model.landmark_corners[:MESH]]
        moved = np.einsum("nk,dnkc->dcn", model.landmark_barycentric[:MESH], basis)
        self._directions = np.ascontiguousarray(moved.astype(np.float64))

    def refine(
        self, frame: NDArray[np.uint8], face: Landmarks, camera: Camera, coefficients: Array, pose: Pose
    ) -> tuple[Array, Pose]:
        """Coefficients (52,) and pose (head and gaze) of this frame. frame: (H, W, 3) uint8; face: found in it; camera: of the
        frame; coefficients, pose: as aligned, in the camera's OpenGL axes. Where no face is found they stay as they are."""
        window = _Window.around(face)
        seen, small = self._marks(window.cut(frame)), window.camera(camera)
        if seen is None:
            return coefficients, pose
        aligner, first = self._aligner, _State(pose, coefficients)
        state = first
        for _ in range(ROUNDS):
            drawn = aligner.rasterizer.render(aligner.poser.pose(state.coefficients, state.pose), small).color
            shown = self._marks(np.round(255 * drawn.clip(0, 1)).astype(np.uint8))
            if shown is None or np.linalg.norm(shown - seen, axis=1).mean() > MISSED * SIDE / HEIGHTS:
                break
            head = state.pose.head
            marks = aligner.expression(state.coefficients).landmarks @ head[:3, :3].T + head[:3, 3]
            gaze = self._looking(state, seen - shown, small)
            gaze = np.clip(gaze, pose.gaze - MOST_TURN, pose.gaze + MOST_TURN)
            problem = _Problem(
                aligner.poser.person, self._free, self._directions, small.project(marks) + seen - shown, small, first
            )
            state = minimise(problem, state, steps=STEPS) or state
            state = replace(state, pose=replace(state.pose, gaze=np.asarray(gaze, np.float32)))
        return state.coefficients, state.pose

    def _marks(self, picture: NDArray[np.uint8]) -> Array64 | None:
        """(478, 2) pixels, or None where there is no face."""
        found = self._mesh(picture)
        return found[0][:, :2].astype(np.float64) if found else None

    def _looking(self, state: _State, apart: Array64, camera: Camera) -> Array64:
        """Gaze (2, 2) turned by what the irises are apart, (478, 2) pixels. A closed eye says nothing, and turns as the other."""
        joints, pose = self._aligner.poser.person.joints, state.pose
        rotation = camera.world_to_camera[:3, :3] @ pose.head[:3, :3]
        turns, seen = np.zeros((2, 2)), 1 - state.coefficients[BLINKS].astype(np.float64)
        for row, (mark, name) in enumerate(IRISES):
            joint = pose.head[:3, :3] @ joints[JOINTS.index(name)] + pose.head[:3, 3]
            depth = float(camera.world_to_camera[2, :3] @ joint + camera.world_to_camera[2, 3])
            slope = EYE_RADIUS * camera.fx / max(depth, 1e-3) * rotation[:2, :2]
            held = slope.T @ slope + np.eye(2) * (IRIS_NOISE / GAZE_SPREAD) ** 2
            turns[row] = np.linalg.solve(held, slope.T @ apart[mark])
        seen = np.where(seen > OPEN, seen, 0.0)
        common = (seen[:, None] * turns).sum(axis=0) / max(seen.sum(), 1.0)
        return np.asarray(pose.gaze + common + OWN * seen[:, None] * (turns - common))

    def close(self) -> None:
        """Free the networks."""
        self._mesh.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class _State:
    """coefficients: (52,) float32."""

    pose: Pose
    coefficients: Array


class _Problem:
    """Head pose and coefficients from landmarks of the mesh (`gauss_newton.Problem`), with a prior around `first`."""

    def __init__(
        self, person: PersonHead, free: NDArray[np.int64], directions: Array64, landmarks: Array64, camera: Camera, first: _State
    ) -> None:
        """free: (K,) numbers of the coefficients. directions: (K, 3, N) metres. landmarks: (478, 2) pixels."""
        self._person, self._free, self._directions, self._camera, self._first = person, free, directions, camera, first
        self._pixels = landmarks[:MESH] - (camera.cx, camera.cy)
        self._weight = person.model.landmark_weight[:MESH].astype(np.float64)
        spread = [TURN_SPREAD] * 3 + [SHIFT_SPREAD] * 2 + [DEPTH_SPREAD] + [EXPRESSION_SPREAD] * len(free)
        self._precision = 1 / np.square(spread)

    def equations(self, state: _State) -> Equations:
        """See `gauss_newton.Problem`."""
        person, head, focal = self._person, state.pose.head, (self._camera.fx, self._camera.fy)
        points = person.landmarks(person.expressed(state.coefficients))[:MESH].astype(np.float64)
        seen = project(points, head[:3, :3], head[:3, 3], *focal)
        motion = point_motion(seen.turned, head[:3, :3], self._directions)
        rows = pixel_motion(seen.points, motion, *focal).transpose(0, 2, 1).reshape(len(motion), -1) / NOISE
        error = (seen.pixels - self._pixels).ravel() / NOISE
        weight = np.repeat(self._weight, 2) / (1 + (error / OUTLIER) ** 2) / CORRELATION
        coefficients, before = state.coefficients[self._free].astype(np.float64), self._first.coefficients[self._free]
        moved = head[:3, 3] - self._first.pose.head[:3, 3]
        away = np.concatenate([_turn(head, self._first.pose.head), moved, coefficients - before])
        hessian = (rows * weight) @ rows.T + np.diag(self._precision)
        gradient = (rows * weight) @ error + away * self._precision
        return Equations(hessian, gradient, -coefficients, 1 - coefficients)

    def moved(self, state: _State, step: Array64) -> _State:
        """See `gauss_newton.Problem`."""
        head, coefficients = state.pose.head.copy(), state.coefficients.copy()
        head[:3, :3] = rotation_vector(step[:3]) @ head[:3, :3]
        head[:3, 3] += step[3:POSE]
        coefficients[self._free] = np.clip(coefficients[self._free] + step[POSE:], 0, 1)
        return _State(replace(state.pose, head=head), coefficients)


def _turn(head: Array64, first: Array64) -> Array64:
    """(3,) the small rotation from one pose (4, 4) to another, radians about the camera's axes."""
    r = head[:3, :3] @ first[:3, :3].T
    return 0.5 * np.array([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]])


@dataclass(frozen=True)
class _Window:
    """A square of a frame, scaled to `SIDE`. left, top: pixels of the frame. scale: pixels of the window for one of the frame."""

    left: float
    top: float
    scale: float

    @staticmethod
    def around(face: Landmarks) -> _Window:
        left, top, right, bottom = face.box
        side = HEIGHTS * face_height(face)
        return _Window((left + right - side) / 2, (top + bottom - side) / 2, SIDE / max(side, 1.0))

    def cut(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(SIDE, SIDE, 3), white beyond the frame."""
        s = self.scale
        matrix = np.array([[s, 0, (0.5 - self.left) * s - 0.5], [0, s, (0.5 - self.top) * s - 0.5]])  # from pixel centres
        if s < 1:
            frame = np.asarray(cv2.GaussianBlur(frame, (0, 0), 0.4 / s), np.uint8)
        return np.asarray(cv2.warpAffine(frame, matrix, (SIDE, SIDE), borderValue=(255, 255, 255)), np.uint8)

    def camera(self, camera: Camera) -> Camera:
        """The frame's camera, looking at the window."""
        s = self.scale
        cx, cy = (camera.cx - self.left) * s, (camera.cy - self.top) * s
        return replace(camera, width=SIDE, height=SIDE, fx=camera.fx * s, fy=camera.fy * s, cx=cx, cy=cy)
