"""Steps of the prior's training in the acceptance, at 128 pixels: one batch again and again, so its loss falls."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

SIDE = 128


def steps(device: str, count: int, side: int = SIDE, *, tiny: bool = False) -> tuple[float, float, float]:
    """Seconds a step after the first, and the mean losses of the first and the last third. tiny: of a small network instead of
    the one that ships."""
    import torch

    from enrollment.prior_training.loop import LOG, LoopOptions, TrainingData, train
    from models.diffusion.config import load_config
    from tests.models.diffusion import tiny as small

    chosen = small.config(size=side) if tiny else load_config("small").replace(size=side)
    how = {
        "log_every": 1,
        "sample_every": 10_000,
        "warmup": 1,
        "batch": 4,
        "encoder_steps": 0,
        "hold_encoder": False,
        "augment": 0.0,
    }
    chosen = chosen.replace(training=how)
    batch = small.batch(4, side)
    crop = chosen.expression.crop
    batch = replace(batch, driving=torch.rand(4, 3, crop, crop, generator=torch.Generator().manual_seed(1)))
    with tempfile.TemporaryDirectory() as folder:
        train(chosen, TrainingData(lambda _: batch), Path(folder), LoopOptions(steps=count, device=device))
        rows = [json.loads(line) for line in (Path(folder) / LOG).read_text().splitlines()]
    third = max(1, count // 3)
    losses = [row["loss"] for row in rows]
    seconds = (rows[-1]["seconds"] - rows[0]["seconds"]) / max(1, count - 1)
    return seconds, sum(losses[:third]) / third, sum(losses[-third:]) / third
