"""The work behind `visavis eval prior`: novel-view synthesis of held-out synthetic people.

Each synthetic person is enrolled from one virtual photo. The prior gets the conditions of cameras all around the head, as in
enrollment. Its pictures, and the coarse view (the instant avatar with completed texture), are compared with the truth.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from enrollment.high.conditions import target_camera
from enrollment.prior_training import face_crops
from enrollment.prior_training.figures import angle_deg, linear_readout, psnr, triples
from enrollment.prior_training.pair_cache import HELD_OUT, to_batch, to_faces
from enrollment.prior_training.sheet import MOST, sheet
from enrollment.prior_training.training_pairs import TrainingPairMaker
from models import png
from models.diffusion.batch import Batch, Faces
from models.diffusion.config import PriorConfigError
from models.diffusion.prior import Prior
from models.diffusion.sampler import Sampled, sample
from models.heads.base import HeadModel
from models.heads.registry import by_name
from models.progress import ProgressCallback, no_progress
from models.synthetic.expressions import random_expression
from models.synthetic.head import SyntheticHead
from server.evaluation.outlines import OutlineBenchmark

TURNED = (-55.0, -40.0, 40.0, 55.0)
"""Yaws at which colours are compared, degrees: 30 to 60 degrees away from the photo."""
ELSEWHERE = (0.0, 90.0, -120.0, 180.0)
"""Yaws of further views, of which only the normals are compared, degrees."""
FACES, FIRST_FACE = 300, HELD_OUT + 500_000
"""People on whose faces the expression latent is measured, and the seed of the first."""
GROUPS = 2
"""Groups of faces of each person, see `enrollment.prior_training.face_crops`."""
PITCH = 2.0
"""Of all cameras, degrees."""
BATCH = 16
"""Views in one call of the network."""


@dataclass(frozen=True)
class Figures:
    """Figures for `steps` sampling steps. unseen_db: PSNR of the colours that the photo does not show, views 40 and 55 degrees to
    the sides. normals_deg: mean angle over the foreground of all views. hair_deg: the same on hair over the fitted head.
    seconds: a view, on one thread as torch has it."""

    steps: int
    unseen_db: float
    normals_deg: float
    hair_deg: float
    seconds: float


@dataclass(frozen=True)
class PriorResult:
    """people, views: measured. painted_db: of the coarse view, where `Figures.unseen_db` is. coarse_deg: of its normals.
    fitted_hair_deg: of the fitted head's own normals, where `Figures.hair_deg` is. readout_r2, triples: of the expression
    latent, see `enrollment.prior_training.figures`. outline: error of the instant avatar's silhouette
    (`server.evaluation.outlines`); not a number for a benchmark without outlines."""

    people: int
    views: int
    painted_db: float
    coarse_deg: float
    fitted_hair_deg: float
    readout_r2: float
    triples: float
    outline: float
    figures: list[Figures]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self)

    def rows(self) -> list[dict[str, Any]]:
        """For a table."""
        first = {
            "steps": "coarse view", "unseen_db": self.painted_db, "gain_db": 0.0, "normals_deg": self.coarse_deg,
            "hair_deg": self.fitted_hair_deg, "seconds": 0.0,
        }  # fmt: skip
        return [first, *({**dataclasses.asdict(f), "gain_db": f.unseen_db - self.painted_db} for f in self.figures)]


@dataclass(frozen=True)
class PriorBenchmark:
    """Held-out test set, one for all priors. batch: all views. turned: (B,) bool, views whose colours count. hair: (B, 1, H, W)
    float mask of hair over the fitted head. faces: of `FACES` other people, each with `GROUPS` groups. outlines: of each
    person, or none."""

    people: int
    batch: Batch
    turned: Tensor
    hair: Tensor
    faces: Faces
    outlines: list[OutlineBenchmark]

    @staticmethod
    def generate(
        people: int, size: int, progress: ProgressCallback = no_progress, *, with_outlines: bool = True
    ) -> PriorBenchmark:
        """Enroll `people` held-out synthetic people and render the truth of their views at `size` pixels; deterministic."""
        model = by_name("anny")
        rows, hair, outlines = [], [], []
        for k in range(people):
            progress("enrolling held-out people", k / people)
            rng = np.random.default_rng([HELD_OUT + k, 0xE8A])
            maker = TrainingPairMaker.of(SyntheticHead.random(model, HELD_OUT + k), rng, size)
            if with_outlines:
                outlines.append(OutlineBenchmark.of(maker))
            for yaw in (*TURNED, *ELSEWHERE):
                camera = target_camera(yaw, PITCH, size=size)
                row, seen = maker.pair(yaw, camera, random_expression(rng, model), rng)
                rows.append(row)
                hair.append(seen.hair & (seen.matte > 0.9) & (np.linalg.norm(row["pose"] / 127.0, axis=2) > 0.9))
        stacked = np.stack(rows)
        turned = torch.from_numpy(np.isin(stacked["yaw"].astype(np.float64), TURNED))
        shown = _faces(model, FIRST_FACE, FACES, partial(progress, "drawing held-out faces"))
        return PriorBenchmark(
            people, to_batch(stacked), turned, torch.from_numpy(np.stack(hair)[:, None]).float(), shown, outlines
        )


def evaluate_prior(
    prior: Prior, benchmark: PriorBenchmark, *, steps: tuple[int, ...] = (1, 10, 25, 50), out_sheet: Path | None = None,
    progress: ProgressCallback = no_progress,
) -> PriorResult:  # fmt: skip
    """Measure. Raises `PriorConfigError` when the prior wants crops of another size than the benchmark has."""
    if prior.config.expression.crop != face_crops.CROP:
        raise PriorConfigError(
            f"the prior was expected to see faces on {face_crops.CROP} pixels, it sees them on {prior.config.expression.crop}; "
            "train it again with expression.crop left out of its configuration"
        )
    batch, where = benchmark.batch, _unseen(benchmark)
    figures, shown = [], None
    for k, count in enumerate(steps):
        progress(f"sampling, {count} steps", k / len(steps))
        began = time.perf_counter()
        parts = [sample(prior, batch.take(rows).conditions(), steps=count) for rows in _slices(len(batch))]
        seconds = (time.perf_counter() - began) / len(batch)
        color, normals = torch.cat([p.color for p in parts]), torch.cat([p.normals for p in parts])
        shown = shown or Sampled(color, normals, normals.norm(dim=1, keepdim=True))
        figures.append(
            Figures(
                count,
                psnr(color, batch.target_color, where),
                angle_deg(normals, batch.target_normals, batch.target_matte),
                angle_deg(normals, batch.target_normals, benchmark.hair),
                seconds,
            )
        )
    if out_sheet is not None and shown is not None:
        some = torch.linspace(0, len(batch) - 1, min(MOST, len(batch))).long()  # of different people, from different sides
        png.write(out_sheet, sheet(batch.take(some), Sampled(shown.color[some], shown.normals[some], shown.matte[some])))
    r2, nearer = _latent(prior, benchmark.faces)
    errors = []
    for k, outline in enumerate(benchmark.outlines):
        progress("outlines", k / len(benchmark.outlines))
        errors.append(outline.error(outline.enrollment.avatar, by_name("anny")))
    outline_error = float(np.mean(errors)) if errors else math.nan
    return PriorResult(
        benchmark.people, len(batch), psnr(batch.coarse_color, batch.target_color, where),
        angle_deg(batch.coarse_normals, batch.target_normals, batch.target_matte),
        angle_deg(batch.pose, batch.target_normals, benchmark.hair), r2, nearer, outline_error, figures,
    )  # fmt: skip


def _unseen(benchmark: PriorBenchmark) -> Tensor:
    """(B, 1, H, W) weights of colours: pixels of the person, in truth or in the coarse view, that the photo does not show."""
    there = torch.maximum(benchmark.batch.target_matte, benchmark.batch.coarse_alpha) * (1 - benchmark.batch.visibility)
    return there * benchmark.turned[:, None, None, None]


@torch.no_grad()
def _latent(prior: Prior, some: Faces) -> tuple[float, float]:
    """R² of the readout and the triples."""
    crops = some.crops.flatten(0, 2)
    z = torch.cat([prior.expression(crops[rows]) for rows in _slices(len(crops))]).reshape(*some.crops.shape[:3], -1)
    c = some.coefficients[:, :, None].expand(-1, -1, 2, -1)
    people = len(z) // GROUPS
    return linear_readout(z.reshape(people, -1, z.shape[-1]), c.reshape(people, -1, c.shape[-1])), triples(z)


def _faces(model: HeadModel, first: int, count: int, progress: Callable[[float], None]) -> Faces:
    drawn: list[NDArray[np.void]] = []
    for k in range(count):
        progress(k / count)
        drawn.append(face_crops.rows(model, first + k, groups=GROUPS))
    return to_faces(np.concatenate(drawn))


def _slices(count: int) -> list[slice]:
    return [slice(i, i + BATCH) for i in range(0, count, BATCH)]
