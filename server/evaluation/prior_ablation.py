"""The work behind `visavis bench prior`: the prior trained short, whole and then with one mechanism left out at a time."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from enrollment.prior_training.train_prior import PriorTrainingOptions, check_places, train_prior
from models.diffusion import weights
from models.diffusion.config import PriorConfig
from models.progress import ProgressCallback, no_progress
from server.evaluation.prior import PriorBenchmark, PriorResult, evaluate_prior

WHOLE = "everything on"
CASES = {
    WHOLE: "", "without joint normals": "joint_normals", "without domain attention": "domain_attention",
    "without cross-view pairing": "cross_view", "without the warped photo": "warp", "without the reference": "reference",
}  # fmt: skip
"""Name of each row -> the one of `models.diffusion.config.Mechanisms` that is switched off in it."""


@dataclass(frozen=True)
class PriorAblationRow:
    """Figures of one case with one sampling step. gain_db: over the coarse view, colours that the photo does not show. lost_db:
    of it, against everything on. The others as in `server.evaluation.prior`."""

    fit: str
    gain_db: float
    lost_db: float
    normals_deg: float
    hair_deg: float
    readout_r2: float
    triples: float


@dataclass(frozen=True)
class Ablation:
    """encoder_steps, steps: of the expression encoder, and of the rest in each row. heads: trained on. people: measured."""

    encoder_steps: int
    steps: int
    heads: int
    people: int
    rows: list[PriorAblationRow]

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def ablate(
    config: PriorConfig, out: Path, *, encoder_steps: int, steps: int, heads: int, people: int, cache: Path | None = None,
    threads: int | None = None, workers: int = 2, progress: ProgressCallback = no_progress,
) -> Ablation:  # fmt: skip
    """Train and measure each case, all from the same random start and on the same data.

    The expression encoder learns first, once with and once without cross-view pairing; then it is held still. Each case has a
    folder of `out`; what is finished there is not trained again. Raises what `train_prior` raises.
    """
    config = config.replace(training={"encoder_steps": encoder_steps, "hold_encoder": True, "schedule_steps": steps})
    data = cache or out / "cache"
    encoder = {crossed: f"expression encoder {'with' if crossed else 'without'} pairing" for crossed in (True, False)}
    for name in (*encoder.values(), *CASES):
        check_places(_folder(out, name), data, None, workers)
    benchmark = PriorBenchmark.generate(people, config.size, progress, with_outlines=False)

    def trained(name: str, changed: PriorConfig, count: int, start: Path | None) -> Path:
        options = PriorTrainingOptions(
            steps=count, heads=heads, cache=data, threads=threads, workers=workers, start=start
        )  # fmt: skip
        done = train_prior(changed, _folder(out, name), options, progress=lambda stage, part: progress(f"{name}: {stage}", part))
        return Path(done.weights)

    encoders = {
        crossed: trained(name, config.replace(mechanisms={"cross_view": crossed}), encoder_steps, None)
        for crossed, name in encoder.items()
    }
    rows: list[PriorAblationRow] = []
    for name, mechanism in CASES.items():
        changed = config.replace(
            mechanisms={mechanism: False} if mechanism else {}, training={"encoder_steps": 0, "faces": 0, "warmup": 0}
        )
        path = trained(name, changed, steps, encoders[changed.mechanisms.cross_view])
        rows.append(_row(name, evaluate_prior(weights.load(path), benchmark, steps=(1,)), rows))
    return Ablation(encoder_steps, steps, heads, people, rows)


def _folder(out: Path, name: str) -> Path:
    return out / name.replace(" ", "_")


def _row(name: str, result: PriorResult, before: list[PriorAblationRow]) -> PriorAblationRow:
    (figures,) = result.figures
    gain = figures.unseen_db - result.painted_db
    lost = before[0].gain_db - gain if before else 0.0
    return PriorAblationRow(name, gain, lost, figures.normals_deg, figures.hair_deg, result.readout_r2, result.triples)
