"""`visavis bench prior`: every row is a training run of its own that lacks what its name says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from enrollment.prior_training import face_crops
from enrollment.prior_training.pair_cache import HELD_OUT, TRAINING
from enrollment.prior_training.train_prior import train_prior
from models.diffusion import weights
from models.diffusion.config import PriorConfig
from server.evaluation.prior import PriorBenchmark
from server.evaluation.prior_ablation import CASES, WHOLE, ablate
from tests.enrollment.prior_training.test_training_pairs import fake_rows
from tests.models.diffusion.tiny import config


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    (folder / "faces").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for seed in (*range(TRAINING, TRAINING + 3), *range(HELD_OUT, HELD_OUT + 16)):
        np.save(folder / f"{seed}.npy", fake_rows(seed, views=12))
        rows = np.zeros(2, face_crops.ROW)
        rows["parts"] = rng.integers(0, 255, rows["parts"].shape)
        rows["coefficients"] = rng.random(rows["coefficients"].shape)
        np.save(folder / "faces" / f"{seed}.npy", rows)
    return folder


@pytest.mark.usefixtures("one_torch_thread")
def test_a_row_for_each_mechanism(
    benchmark_of_one: PriorBenchmark, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []

    def generate(people: int, size: int, *_: Any, with_outlines: bool) -> PriorBenchmark:
        asked.append((people, size))
        return replace(benchmark_of_one, outlines=benchmark_of_one.outlines if with_outlines else [])

    monkeypatch.setattr(PriorBenchmark, "generate", generate)
    c = config(expression={"crop": face_crops.CROP}, training={"batch": 2, "faces": 1, "readout": 1.0})
    began: list[PriorConfig] = []

    def watched(config: PriorConfig, out: Path, options: Any, **more: Any) -> Any:
        began.append(config)
        return train_prior(config, out, options, **more)

    monkeypatch.setattr("server.evaluation.prior_ablation.train_prior", watched)
    done = ablate(c, tmp_path / "out", encoder_steps=2, steps=2, heads=3, people=1, cache=cache, workers=0)
    assert [row.fit for row in done.rows] == list(CASES) and json.dumps(done.as_dict())
    assert done.rows[0].lost_db == 0.0 and all(np.isfinite(row.gain_db) for row in done.rows)
    assert len(began) == 2 + len(CASES) and asked == [(1, c.size)]
    for name, mechanism in CASES.items():
        made = weights.load(tmp_path / "out" / name.replace(" ", "_") / "prior.safetensors")
        off = [key for key, on in made.config.as_dict()["mechanisms"].items() if not on and key != "temporal"]
        assert off == ([mechanism] if mechanism else []), name
    whole, other = (
        weights.load(tmp_path / "out" / name.replace(" ", "_") / "prior.safetensors")
        for name in (WHOLE, "without cross-view pairing")
    )
    assert (whole.expression.head.weight != other.expression.head.weight).any(), "its encoder learned from one webcam alone"
    half = weights.load(tmp_path / "out" / "without_the_reference" / "prior.safetensors")
    assert (whole.expression.head.weight == half.expression.head.weight).all(), "the others share one"
