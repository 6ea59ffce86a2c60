"""Learns the numbers of models/tracking/tracker_bias.py: `python -m models.tracking.tracker_bias_bake [people]`, some minutes on
one core.

Random people in random light are drawn with random poses and expressions, the tracker is run on the pictures, and the difference
of its landmarks from the truth is split by ridge regression into: each person's own constant, a linear answer to every
coefficient, an answer to the head's rotation, and noise (its largest patterns, and the rest for each landmark).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import numpy as np
from safetensors.numpy import save_file

from models import arkit
from models.heads.anny import AnnyHead
from models.heads.base import HeadModel
from models.tracking import eyes
from models.tracking.face_basis import MAIN, FaceBasis, face_basis
from models.tracking.landmarks import FaceMesh
from models.tracking.pinhole import POSE, jacobian, project
from models.tracking.synthetic_landmarks import (
    SyntheticPerson,
    gaze_coefficients,
    head_pose,
    look,
    random_expression,
    random_person,
)
from models.tracking.tracker_bias import LEFT_IRIS, PATH, RIGHT_IRIS, TURNS, TrackerBias, roll_of, turn_features
from models.types import Array, Array64

PICTURES = 22
"""Of each person; the first three are nearly frontal and at rest."""
RIDGE = 3.0
MODES = 24
MISTRACKED = 3.5e-3
"""Metres; a picture whose landmarks are further off than this in the median shows a lost face, not the bias."""
FLOOR = 0.35e-3
"""Metres; no landmark is trusted more than this."""
ROUNDS = 6
EYE_REGION = 0.03
"""Metres."""
KEEP = 170
"""Landmarks."""


@dataclass(frozen=True)
class Sample:
    """One picture's truth and error. person: number. beyond: (2, N) metres in head space, tracked landmarks less true ones.
    coefficients: (52,). rotation: (3, 3)."""

    person: int
    beyond: Array64
    coefficients: Array
    rotation: Array64


def no_bias() -> TrackerBias:
    """No bias, before anything is learned, for all landmarks of the face and the middles of the irises."""
    landmarks = np.array([*range(468), RIGHT_IRIS, LEFT_IRIS])
    n = len(landmarks)
    return TrackerBias(landmarks, np.zeros((arkit.COUNT, 2, n)), np.zeros((TURNS, 2, n)), np.zeros((0, 2, n)), np.ones((2, n)))


def draw_samples(model: HeadModel, people: int, rng: np.random.Generator) -> list[Sample]:
    """Pictures of random people, tracked."""
    samples = []
    with FaceMesh(static=False) as mesh:
        for number in range(people):
            someone = SyntheticPerson(random_person(model, rng), rng)
            basis = face_basis(someone.person, no_bias())
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
                pixels = points[basis.bias.landmarks, :2].astype(np.float64) - 0.5 * someone.size
                sample = compare(number, basis, pixels, coefficients, head, someone.focal)
                if np.median(np.abs(sample.beyond)) < MISTRACKED:
                    samples.append(sample)
    return samples


def compare(person: int, basis: FaceBasis, pixels: Array64, coefficients: Array, head: Array64, focal: float) -> Sample:
    """Tracked landmarks, (N, 2) pixels from the picture's middle, against the truth."""
    truth = basis.points + np.tensordot(coefficients, basis.expression, 1).T
    seen = project(truth, head[:3, :3], head[:3, 3], focal)
    off = (pixels - seen.pixels).T * (-seen.points[:, 2] / focal)
    return Sample(person, np.linalg.solve(head[:2, :2], off * np.array([[1.0], [-1.0]])), coefficients, head[:3, :3])


def learn(samples: list[Sample]) -> TrackerBias:
    """The bias that explains the samples best."""
    who = np.array([s.person for s in samples])
    known = np.array([[*s.coefficients, *turn_features(s.rotation)] for s in samples], np.float64)
    beyond = np.array([s.beyond.reshape(-1) for s in samples])
    answer = np.zeros((known.shape[1], beyond.shape[1]))
    constant = np.zeros_like(beyond)
    for _ in range(ROUNDS):
        left = beyond - known @ answer
        for person in np.unique(who):
            constant[who == person] = np.median(left[who == person], axis=0)
        square = known.T @ known + RIDGE * np.eye(known.shape[1])
        answer = np.linalg.solve(square, known.T @ (beyond - constant))
    level = np.array([_in_picture(e, s.rotation) for e, s in zip(beyond - constant - known @ answer, samples, strict=True)])
    size = np.sqrt((level**2).mean(axis=1))
    level = level[size < np.percentile(size, 97)]
    covariance = level.T @ level / len(level)
    values, vectors = np.linalg.eigh(covariance)
    modes = (vectors[:, -MODES:] * np.sqrt(values[-MODES:])).T[::-1]
    rest = np.maximum(covariance.diagonal() - (modes**2).sum(axis=0), 0)
    n = rest.size // 2
    return TrackerBias(
        no_bias().landmarks, answer[: arkit.COUNT].reshape(-1, 2, n), answer[arkit.COUNT :].reshape(TURNS, 2, n),
        modes.reshape(MODES, 2, n), np.sqrt(rest + FLOOR**2).reshape(2, n),
    )  # fmt: skip


def gaze_at_the_eyes(bias: TrackerBias, model: HeadModel) -> TrackerBias:
    """The bias with its answers to gaze faded out away from the eyes, where they are chance."""
    points = face_basis(model.person(np.zeros(model.identity_count)), bias).points
    apart = np.linalg.norm(points[:, None] - points[np.isin(bias.landmarks, (RIGHT_IRIS, LEFT_IRIS))], axis=2).min(axis=1)
    faded = bias.coefficients.copy()
    faded[list(arkit.GAZE)] *= np.exp(-((apart / EYE_REGION) ** 2))
    return replace(bias, coefficients=faded)


def thin(bias: TrackerBias, model: HeadModel, keep: int = KEEP) -> TrackerBias:
    """The bias of the `keep` landmarks that determine pose and coefficients best (greedy, D-optimal), with those of the lids."""
    basis = face_basis(model.person(np.zeros(model.identity_count)), bias)
    seen = project(basis.points, np.eye(3), np.array([0.0, 0.0, -0.6]), 1.0)
    slopes = jacobian(seen, np.eye(3), 1.0, basis.directions) * 0.6
    rows = (np.concatenate([slopes, bias.modes]) / bias.noise).transpose(2, 1, 0)
    prior = np.concatenate([np.full(POSE, 1e-3), basis.spread**-2, np.ones(len(bias.modes))])
    chosen = {int(i) for i in np.searchsorted(bias.landmarks, [*eyes.LANDMARKS, RIGHT_IRIS, LEFT_IRIS])}
    inverse = np.linalg.inv(np.diag(prior) + sum(rows[i].T @ rows[i] for i in chosen))
    while len(chosen) < keep:
        gain = np.linalg.slogdet(np.eye(2) + rows @ inverse @ rows.transpose(0, 2, 1))[1]
        gain[list(chosen)] = -np.inf
        best = int(np.argmax(gain))
        chosen.add(best)
        across = inverse @ rows[best].T
        inverse = inverse - across @ np.linalg.solve(np.eye(2) + rows[best] @ across, across.T)
    kept = sorted(chosen)
    return TrackerBias(
        bias.landmarks[kept], bias.coefficients[..., kept], bias.turns[..., kept], bias.modes[..., kept],
        bias.noise[..., kept],
    )  # fmt: skip


def _in_picture(beyond: Array64, rotation: Array64) -> Array64:
    """Head-space errors (2 N,) as errors in the picture's plane, turned with the head's roll."""
    c, s = np.cos(roll_of(rotation)), np.sin(roll_of(rotation))
    return np.asarray(np.array([[c, s], [-s, c]]) @ rotation[:2, :2] @ beyond.reshape(2, -1)).reshape(-1)


def save(bias: TrackerBias) -> None:
    """Write the file that `load_tracker_bias` reads."""
    PATH.parent.mkdir(exist_ok=True)
    tensors = {name: np.ascontiguousarray(a, np.float16) for name, a in vars(bias).items()}
    save_file(tensors | {"landmarks": bias.landmarks.astype(np.int16)}, PATH)
    PATH.chmod(0o644)


def main(people: int = 140) -> None:
    """Learn and write the file."""
    model = AnnyHead()
    samples = draw_samples(model, people, np.random.default_rng(20))
    bias = thin(gaze_at_the_eyes(learn(samples), model), model)
    save(bias)
    print(f"{len(samples)} pictures of {people} people; noise {np.median(bias.noise) * 1e3:.2f} mm beside the patterns")


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:]))
