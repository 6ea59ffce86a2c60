"""Learns realtime/response.py's numbers: `python -m realtime.response_bake [people]`, some minutes on one core.

Random people in random light are drawn with random poses and expressions, the tracker looks at the pictures, and what it
reports beyond the truth is split by ridge regression into: each person's own constant, a linear answer to every coefficient,
an answer to the head's turn, and noise (its largest patterns, and the rest for each landmark).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from safetensors.numpy import save_file

from models import arkit
from models.heads.anny import AnnyHead
from models.heads.base import HeadModel
from models.landmarks import FaceMesh
from models.types import Array, Array64
from realtime.eyes import BLINK, IRISES, gaze_features, iris_shift
from realtime.face_basis import MAIN, FaceBasis, face_basis
from realtime.landmark_fit import project
from realtime.response import MESH, PATH, TURNS, TrackerResponse, no_response, roll_of, turn_features
from realtime.synthetic import SyntheticPerson, gaze_coefficients, head_pose, look, random_expression

PICTURES = 22
"""Of each person; the first three are nearly frontal and at rest."""
RIDGE = 3.0
MODES = 24
MISTRACKED = 3.5e-3
"""Metres; a picture whose landmarks are further off than this in the median shows the tracker lost, not its habits."""
FLOOR = 0.35e-3
"""Metres; no landmark is trusted more than this."""
ROUNDS = 6
GAZE_GAIN = 1.1
"""The mean of both eyes is calmer than each, so it need not be damped as much as the regression on one eye does."""


@dataclass(frozen=True)
class Sample:
    """One picture's truth and answer. person: number. beyond: (2, 468) metres in head space, what the tracker reported beyond
    the truth. coefficients: (52,). rotation: (3, 3). gaze: (2,) of both eyes; eyes: (2, 7) `gaze_features` of what was seen."""

    person: int
    beyond: Array64
    coefficients: Array
    rotation: Array64
    gaze: Array
    eyes: Array64


def draw_samples(model: HeadModel, people: int, rng: np.random.Generator) -> list[Sample]:
    """Pictures of random people, looked at by the tracker."""
    samples = []
    with FaceMesh(static=False) as mesh:
        for number in range(people):
            someone = SyntheticPerson(model, rng)
            basis = face_basis(someone.person, no_response())
            for picture in range(PICTURES):
                rest = picture < 3
                yaw, pitch, roll = np.deg2rad([14, 10, 8]) * np.clip(rng.normal(0, 1, 3), -3, 3) * (0.2 if rest else 1)
                place = rng.uniform(-0.06, 0.06, 2)
                head = head_pose(yaw, pitch, roll, (place[0], place[1], -someone.distance * rng.uniform(0.92, 1.08)))
                gaze = np.zeros((2, 2), np.float32)
                if not rest and rng.random() < 0.4:
                    gaze[:] = rng.uniform(-0.33, 0.33), rng.uniform(-0.25, 0.17)
                named = {} if rest else random_expression(rng, MAIN, 0.25, 0.06) | gaze_coefficients(model, gaze)
                if not rest and rng.random() < 0.15:
                    named["eyeBlinkLeft"] = named["eyeBlinkRight"] = rng.uniform(0.6, 1.0)
                coefficients = np.array(arkit.vector(**named), np.float32)
                points = look(mesh, someone.draw(coefficients, head, gaze))
                if points is None:
                    continue
                sample = compare(number, basis, points[:, :2] - 0.5 * someone.size, coefficients, head, gaze[0], someone.focal)
                if np.median(np.abs(sample.beyond)) < MISTRACKED:
                    samples.append(sample)
    return samples


def compare(
    person: int, basis: FaceBasis, pixels: Array64, coefficients: Array, head: Array64, gaze: Array, focal: float
) -> Sample:
    """What the tracker saw, (478, 2) pixels from the picture's middle, against the truth."""
    rotation, translation = head[:3, :3], head[:3, 3]
    truth = basis.points[:MESH] + np.tensordot(coefficients, basis.every, 1).T
    seen = project(truth, rotation, translation, focal)
    off = (pixels[:MESH] - seen.pixels).T * (-seen.points[:, 2] / focal)
    beyond = np.linalg.solve(head[:2, :2], off * np.array([[1.0], [-1.0]]))
    shift = iris_shift(pixels[IRISES], basis.points[IRISES], rotation, translation, focal)
    return Sample(person, beyond, coefficients, rotation, gaze, gaze_features(shift, rotation))


def learn(samples: list[Sample]) -> TrackerResponse:
    """The response that explains the samples best."""
    who = np.array([s.person for s in samples])
    known = np.array([[*s.coefficients, *turn_features(s.rotation)] for s in samples], np.float64)
    beyond = np.array([s.beyond.reshape(-1) for s in samples])
    answer = np.zeros((known.shape[1], beyond.shape[1]))
    own = np.zeros_like(beyond)
    for _ in range(ROUNDS):
        left = beyond - known @ answer
        for person in np.unique(who):
            own[who == person] = np.median(left[who == person], axis=0)
        square = known.T @ known + RIDGE * np.eye(known.shape[1])
        answer = np.linalg.solve(square, known.T @ (beyond - own))
    level = np.array([_in_picture(e, s.rotation) for e, s in zip(beyond - own - known @ answer, samples, strict=True)])
    size = np.sqrt((level**2).mean(axis=1))
    level = level[size < np.percentile(size, 97)]
    covariance = level.T @ level / len(level)
    values, vectors = np.linalg.eigh(covariance)
    modes = (vectors[:, -MODES:] * np.sqrt(values[-MODES:])).T[::-1]
    rest = np.maximum(covariance.diagonal() - (modes**2).sum(axis=0), 0)
    return TrackerResponse(
        answer[: arkit.COUNT].reshape(arkit.COUNT, 2, MESH), answer[arkit.COUNT :].reshape(TURNS, 2, MESH),
        modes.reshape(MODES, 2, MESH), np.sqrt(rest + FLOOR**2).reshape(2, MESH), learn_gaze(samples),
    )  # fmt: skip


def learn_gaze(samples: list[Sample]) -> Array64:
    """(2, 7): see `TrackerResponse.gaze`. Both eyes together, the right one as in a mirror, each person's constant aside."""
    who = np.array([s.person for s in samples])
    seen, truth = np.array([s.eyes for s in samples]), np.array([s.gaze for s in samples])
    opened = np.array([s.coefficients[BLINK].max() < 0.4 for s in samples])
    for person in np.unique(who):
        seen[who == person] -= np.median(seen[(who == person) & opened], axis=0)
    rows = np.concatenate([seen[opened, 0], seen[opened, 1]])
    answers = np.concatenate([truth[opened], truth[opened] * (-1.0, 1.0)])
    return np.asarray(np.linalg.lstsq(rows, answers, rcond=None)[0].T) * GAZE_GAIN


def _in_picture(beyond: Array64, rotation: Array64) -> Array64:
    """Head-space errors (936,) as errors in the picture's plane, turned with the head's roll."""
    c, s = np.cos(roll_of(rotation)), np.sin(roll_of(rotation))
    return np.asarray(np.array([[c, s], [-s, c]]) @ rotation[:2, :2] @ beyond.reshape(2, MESH)).reshape(-1)


def main(people: int = 140) -> None:
    """Learn and write the file."""
    samples = draw_samples(AnnyHead(), people, np.random.default_rng(20))
    response = learn(samples)
    PATH.parent.mkdir(exist_ok=True)
    save_file({name: np.ascontiguousarray(a, np.float16) for name, a in vars(response).items()}, PATH)
    print(f"{len(samples)} pictures of {people} people; noise {np.median(response.noise) * 1e3:.2f} mm beside the patterns")


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:]))
