"""Measures the error of landmarks that `enrollment.portrait.turned_bias` subtracts: `python -m
enrollment.portrait.turned_bias_bake [people]`, a few minutes on one core."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from scipy.spatial import cKDTree

from enrollment.high.conditions import target_camera
from enrollment.instant.lift import LIPS, OPENINGS
from enrollment.portrait.turned_bias import MARKS, PATH, turn
from models import arkit
from models.heads.base import HeadModel, Pose
from models.heads.registry import by_name
from models.synthetic.expressions import gaze_of
from models.synthetic.head import SyntheticHead
from models.tracking.face_geometry import face_height, turned_away
from models.tracking.landmarks import detect_faces
from models.tracking.synthetic_landmarks import BROWS
from models.types import Array64

FIRST = 7_100_000
"""Seed of the first synthetic head: neither trained on nor evaluated with elsewhere."""
PICTURES, YAW, PITCH, SIDE = 4, 60.0, 5.0, 512
"""Of each head; greatest yaw and standard deviation of the pitch of the camera, degrees; pixels."""
MISTRACKED = 15.0
"""Degrees by which the tracker may misjudge the yaw; beyond, it has lost the face."""
NOSE = (1, 2, 4, 94, 98, 327)
FEATURES = (0.005, 0.02)
"""Distances from eyes, brows, lips and nostrils between which the error in the picture fades in, metres."""
RIDGE = 2.0


@dataclass(frozen=True)
class TurnedSample:
    """turned: degrees, by the landmarks. error: (468, 3), landmarks less the truth, right, down and away, face heights, of a face
    whose left side is nearer."""

    turned: float
    error: Array64


def twins(model: HeadModel) -> NDArray[np.int64]:
    """(468,) the mirrored landmark of each."""
    places = _places(model)
    return np.asarray(cKDTree(places).query(places * (-1, 1, 1))[1], np.int64)


def samples_of(model: HeadModel, seed: int, pictures: int = PICTURES) -> list[TurnedSample]:
    """Of one synthetic head from several sides."""
    rng, found = np.random.default_rng([seed, 0xDE9]), []
    head = SyntheticHead.random(model, seed, glasses="none")
    coefficients = np.zeros(arkit.COUNT, np.float32)
    pose = Pose(gaze=gaze_of(model, coefficients))
    marks = head.person.landmarks(head.person.vertices(coefficients, pose))[:MARKS]
    weight = model.landmark_weight[:MARKS]
    for _ in range(pictures):
        yaw = float(rng.uniform(-YAW, YAW))
        camera = target_camera(yaw, float(rng.normal(0, PITCH)), size=SIDE)
        picture = np.asarray(255 * head.render(camera, coefficients, pose).color.clip(0, 1), np.uint8)
        faces = detect_faces(picture, max_faces=1)
        if not faces or abs(turned_away(faces[0]) - abs(yaw)) > MISTRACKED:
            continue
        points = faces[0].points[:MARKS].astype(np.float64)
        away = (marks @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3])[:, 2]
        middle = np.average(away, weights=weight)
        true = np.concatenate([camera.project(marks), ((away - middle) * camera.fx / middle)[:, None]], axis=1)
        error = points - true
        error[:, 2] -= np.average(error[:, 2], weights=weight)
        error /= face_height(faces[0])
        found.append(TurnedSample(turned_away(faces[0]), error if yaw > 0 else error[twins(model)] * (-1, 1, 1)))
    return found


def learned(model: HeadModel, samples: list[TurnedSample]) -> Array64:
    """(2, 468, 3) what grows linearly and with the square of `turn`; what a frontal face has already is left out."""
    parts = np.array([turn(s.turned) for s in samples])
    known = np.stack([np.ones_like(parts), parts, parts**2], axis=1)
    square = known.T @ known + RIDGE * np.diag([0.0, 1.0, 1.0])
    answer = np.linalg.solve(square, known.T @ np.array([s.error.ravel() for s in samples]))
    error = answer[1:].reshape(2, MARKS, 3)
    places = _places(model)
    features = [*LIPS, *NOSE, *(i for brow in BROWS for i in brow), *(i for outline, _ in OPENINGS for i in outline)]
    away = cKDTree(places[features]).query(places)[0]
    part = np.clip((away - FEATURES[0]) / (FEATURES[1] - FEATURES[0]), 0, 1)
    error[..., :2] *= (part * part * (3 - 2 * part))[:, None]
    return np.asarray(error)


def _places(model: HeadModel) -> Array64:
    """(468, 3) the landmarks on the template."""
    corners = model.template[model.landmark_corners[:MARKS]]
    return np.einsum("nk,nkc->nc", model.landmark_barycentric[:MARKS].astype(np.float64), corners)


if __name__ == "__main__":
    head = by_name("anny")
    people = int(sys.argv[1]) if len(sys.argv) > 1 else 160
    bias = learned(head, [sample for k in range(people) for sample in samples_of(head, FIRST + k)])
    PATH.parent.mkdir(exist_ok=True)
    save_file({"error": bias.astype(np.float16), "twin": twins(head).astype(np.int16)}, PATH)
    PATH.chmod(0o644)
    print(f"{PATH}: {np.abs(bias.sum(axis=0)).max():.3f} of a face's height at most, turned by 48 degrees")
