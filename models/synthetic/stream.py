"""Synthetic heads without end, for training: samples go from the generator to the network and never touch the disk."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

import numpy as np

from models.heads.base import HeadModel, Pose, rotation_vector
from models.posture import body_under
from models.synthetic.head import HeadSample, SyntheticHead
from models.synthetic.views import gaze_of, random_camera, random_expression
from models.types import Array64


def random_pose(head: SyntheticHead, coefficients: np.ndarray, rng: np.random.Generator, *, turn: float = 0.25) -> Pose:
    """The head a little turned (radians, one standard deviation about the upright axis) on shoulders that follow."""
    matrix: Array64 = np.eye(4)
    angles = rng.normal(0, 1, 3) * np.array([0.5, 1.0, 0.35]) * turn
    matrix[:3, :3] = rotation_vector(np.clip(angles, -0.6, 0.6))
    return Pose(head=matrix, body=body_under(matrix, head.person.joints), gaze=gaze_of(head.person.model, coefficients))


def stream(
    model: HeadModel, seed: int, size: int = 256, views: int = 4, *, kept: int = 8, expressions: int = 2, supersample: int = 2
) -> Iterator[list[HeadSample]]:
    """Groups of `views` samples of one head each, for ever; the same for the same arguments.

    The views of a group share `expressions` expressions (sample i has the i-th modulo `expressions`), so that a group holds the
    same moment from several cameras and several moments. `kept` heads are held at a time and each is drawn from several
    times before another takes its place, since making one costs as much as drawing a dozen views.
    """
    rng = np.random.default_rng([seed, 0x5EED])
    heads: OrderedDict[int, SyntheticHead] = OrderedDict()
    born = 0
    while True:
        if len(heads) < kept or rng.random() < 0.25:
            if len(heads) >= kept:
                heads.popitem(last=False)
            heads[born] = SyntheticHead.random(model, int(np.random.default_rng([seed, born]).integers(1 << 31)))
            born += 1
        head = heads[int(rng.choice(list(heads)))]
        moments = [random_expression(rng, model) for _ in range(expressions)]
        poses = [random_pose(head, c, rng) for c in moments]
        group = []
        for i in range(views):
            k = i % expressions
            group.append(head.render(random_camera(rng, size=size), moments[k], poses[k], supersample=supersample))
        yield group
