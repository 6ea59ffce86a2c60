"""A portrait photo of a synthetic head, as enrollment would have it from a real one: cropped, with landmarks and a matte that
err as MediaPipe's do."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from enrollment.instant.depths import MARKS, mean_depth_error
from enrollment.portrait.portrait import CROP, SIZE, Portrait
from models.heads.base import LANDMARKS, Pose, rotation_vector
from models.posture import body_under
from models.synthetic.expressions import gaze_of, random_expression
from models.synthetic.head import SyntheticHead
from models.tracking.face_geometry import CHIN, FOREHEAD, face_height, well_within
from models.tracking.landmarks import Landmarks
from models.tracking.matting import parse_person
from models.types import Array, Array64, Camera

TURN = (12.0, 7.0, 4.0)
"""Degrees, one standard deviation: to the side, up or down, tilted; at most twice that is used."""
MILD = 0.35
"""Strength of most expressions: people look into a portrait camera nearly neutral."""
JITTER, DRIFT = 0.8, 1.0
"""Errors of the landmarks, pixels at `SIZE`, one standard deviation: of each its own, and of whole parts of the face together."""
DEPTH_DRIFT = 0.028
"""Error of the landmarks' depths beside the usual one (`enrollment.instant.depths`), face heights, one standard deviation."""
FRAYED = 2.5
"""Pixels at `SIZE` by which the matte's edge wanders."""
CUT_OFF = 0.3
"""How many of the photos end above the shoulders' end."""


@dataclass(frozen=True)
class VirtualPhoto:
    """portrait: what enrollment sees. pose, coefficients: the truth, in a world whose axes are the photo camera's OpenGL axes."""

    portrait: Portrait
    pose: Pose
    coefficients: Array


def photograph(head: SyntheticHead, rng: np.random.Generator, *, side: int = SIZE) -> VirtualPhoto:
    """Take one photo of `head`. side: pixels of the portrait; enrollment's own is `SIZE`, smaller is quicker."""
    model = head.person.model
    coefficients = random_expression(rng, model, strength=MILD if rng.random() < 0.8 else 0.8)
    turn = np.clip(rng.normal(0, 1, 3), -2, 2) * np.deg2rad(TURN)
    matrix = np.eye(4)
    matrix[:3, :3] = (
        rotation_vector(np.array([0, turn[0], 0]))
        @ rotation_vector(np.array([turn[1], 0, 0]))
        @ rotation_vector(np.array([0, 0, turn[2]]))
    )
    matrix[:3, 3] = [rng.normal(0, 0.02), rng.normal(0, 0.02), -np.exp(rng.normal(np.log(0.8), 0.25))]
    pose = Pose(matrix, body_under(matrix, head.person.joints, float(rng.uniform(0, 0.7))), gaze_of(model, coefficients))
    marks = head.person.landmarks(head.person.vertices(coefficients, pose))
    camera = _framed(marks, side)
    fine = head.render(camera, coefficients, pose)
    scale = side / SIZE
    xy = camera.project(marks)
    error, nearer = _errors(marks @ matrix[:3, :3], rng)
    depth = (marks[:, 2].mean() - marks[:, 2]) * camera.fx / -marks[:, 2].mean()
    depth -= nearer * side / CROP
    points = np.concatenate([xy + scale * error, depth[:, None]], axis=1).astype(np.float32)
    landmarks = Landmarks(points, 1.0, side, side)
    inside = np.ones((side, side), bool)
    if rng.random() < CUT_OFF:
        inside[int(side * rng.uniform(0.82, 1.0)) :] = False
    matte = _matte(fine.matte, landmarks, scale, rng) * inside
    image = np.round(255 * fine.color.clip(0, 1)).astype(np.uint8)
    image[~inside] = 255
    photo_side = camera.fx / 1.2 * float(np.exp(rng.normal(0, 0.25)))
    parsing = parse_person(image, landmarks)
    middle = (camera.cx, camera.cy)
    portrait = Portrait(image, inside, matte.astype(np.float32), landmarks, middle, 1.0, photo_side, parsing=parsing)
    return VirtualPhoto(portrait, pose, coefficients)


def _framed(marks: Array, side: int) -> Camera:
    """The camera of the crop that `enrollment.portrait.portrait` would make around landmarks (478, 3) in OpenGL axes."""
    plain = Camera(1, 1, 1.0, 1.0, 0.0, 0.0, np.diag([1.0, -1.0, -1.0, 1.0]))
    xy = np.zeros((LANDMARKS, 3), np.float32)
    xy[:, :2] = plain.project(marks)
    focal = side / (CROP * face_height(Landmarks(xy, 1.0, 1, 1)))
    middle = focal * 0.5 * (xy[FOREHEAD, :2] + xy[CHIN, :2])
    return Camera(side, side, focal, focal, float(side / 2 - middle[0]), float(side / 2 - middle[1]), plain.world_to_camera)


def _errors(marks: Array, rng: np.random.Generator) -> tuple[Array64, Array64]:
    """(478, 2) pixels at `SIZE`: noise, and waves over the face (marks: (478, 3) metres) under which neighbours err alike; and
    how many face heights each seems nearer than it is, (478,)."""
    around = marks - marks.mean(axis=0)
    waves = rng.normal(0, 1 / 0.04, (4, 3))
    errors = np.sin(around @ waves.T + rng.uniform(0, 2 * np.pi, 4))
    drift = errors @ rng.normal(0, DRIFT / np.sqrt(2), (4, 2))
    nearer = errors @ rng.spawn(1)[0].normal(0, DEPTH_DRIFT / np.sqrt(2), 4)
    nearer[:MARKS] += mean_depth_error()
    return np.asarray(drift + rng.normal(0, JITTER, drift.shape), np.float64), nearer


def _matte(true: Array, landmarks: Landmarks, scale: float, rng: np.random.Generator) -> Array:
    """What a segmentation makes of the true matte (S, S): blurred, its edge wandering, fine strands lost, the face whole."""
    side = true.shape[0]
    coarse = cv2.resize(
        rng.normal(0, 1, (2, 24, 24)).astype(np.float32).transpose(1, 2, 0), (side, side), interpolation=cv2.INTER_CUBIC
    )
    y, x = np.mgrid[:side, :side].astype(np.float32)
    amount = scale * FRAYED
    moved = cv2.remap(
        true, x + amount * coarse[..., 0], y + amount * coarse[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    soft = ndimage.gaussian_filter(moved, scale * rng.uniform(1.5, 4.0))
    middle, width = rng.uniform(0.4, 0.62), rng.uniform(0.15, 0.35)
    matte = np.clip((soft - middle) / width + 0.5, 0, 1)
    return np.asarray(np.maximum(matte, well_within(landmarks, (side, side))), np.float32)
