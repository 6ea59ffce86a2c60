"""Measures the depth bias that `enrollment.instant.depths` uses: `python -m enrollment.instant.depths_bake [people]`, a few
minutes on one core."""

from __future__ import annotations

import sys

import numpy as np
from safetensors.numpy import save_file
from scipy.spatial import cKDTree

from enrollment.high.conditions import target_camera
from enrollment.instant.depths import MARKS, PATH
from models import arkit
from models.heads.base import HeadModel, Pose
from models.heads.registry import by_name
from models.synthetic.expressions import gaze_of, random_expression
from models.synthetic.head import SyntheticHead
from models.tracking.face_geometry import face_height
from models.tracking.landmarks import detect_faces
from models.types import Array64

FIRST = 7_000_000
"""Seed of the first synthetic head: neither trained on nor evaluated with elsewhere."""
YAW, PITCH = 10.0, 6.0
"""Standard deviations of the camera's direction, degrees: portraits are taken from the front."""
SIDE = 512
"""Of the pictures, pixels."""


def error_of(model: HeadModel, seed: int) -> Array64 | None:
    """Face heights by which a synthetic head's landmarks are taken for nearer than they are, about their mean, (468,); None
    where no face is found in the picture. Every other head makes a face."""
    rng = np.random.default_rng([seed, 0xDE9])
    head = SyntheticHead.random(model, seed, glasses="none")
    coefficients = random_expression(rng, model) if seed % 2 else np.zeros(arkit.COUNT, np.float32)
    camera = target_camera(float(rng.normal(0, YAW)), float(rng.normal(0, PITCH)), size=SIDE)
    pose = Pose(gaze=gaze_of(model, coefficients))
    picture = np.asarray(255 * head.render(camera, coefficients, pose).color.clip(0, 1), np.uint8)
    faces = detect_faces(picture, max_faces=1)
    if not faces:
        return None
    truth = head.person.landmarks(head.person.vertices(coefficients, pose))[:MARKS]
    away = (truth @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3])[:, 2]
    weight = model.landmark_weight[:MARKS]
    error = -faces[0].points[:MARKS, 2] + away * camera.fx / np.average(away, weights=weight)
    return np.asarray((error - np.average(error, weights=weight)) / face_height(faces[0]), np.float64)


def bake(model: HeadModel, people: int) -> Array64:
    """The mean over people, the same on both sides of the face, (468,)."""
    found = [error for error in (error_of(model, FIRST + k) for k in range(people)) if error is not None]
    mean = np.mean(found, axis=0)
    places = np.einsum("nk,nkc->nc", model.landmark_barycentric, model.template[model.landmark_corners])[:MARKS]
    _, twin = cKDTree(places).query(places * (-1, 1, 1))
    return np.asarray(0.5 * (mean + mean[twin]))


if __name__ == "__main__":
    error = bake(by_name("anny"), int(sys.argv[1]) if len(sys.argv) > 1 else 160)
    PATH.parent.mkdir(exist_ok=True)
    save_file({"nearer": error.astype(np.float32)}, PATH)
    print(f"{PATH}: {np.abs(error).max():.3f} of a face's height at most")
