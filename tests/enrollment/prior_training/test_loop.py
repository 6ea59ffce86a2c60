from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
import torch

from enrollment.prior_training import curves
from enrollment.prior_training.checkpoint import CheckpointError
from enrollment.prior_training.loop import CHECKPOINT, LoopOptions, TrainingData, rate, train
from models import tensor_file
from models.diffusion import weights
from models.diffusion.batch import Batch, Faces
from models.diffusion.config import PriorConfigError
from models.diffusion.prior import Prior
from models.diffusion.sampler import sample
from tests.models.diffusion.tiny import batch, config

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def source(step: int) -> Batch:
    return batch(seed=step)


def test_a_single_batch_is_learnt_colour_and_normals(tmp_path: Path) -> None:
    one = batch(2, 8)
    c = config(size=8, training={"rate": 5e-3, "dropout": 0.0, "schedule_steps": 160, "last_rate": 5e-4, "log_every": 50})
    result = train(c, TrainingData(lambda _: one), tmp_path, LoopOptions(steps=160))
    prior = weights.load(result.weights)
    got = sample(prior, one.conditions(), steps=10, strength=1.0, guidance=1.0)
    for ours, coarse, truth in (
        (got.color, one.coarse_color, one.target_color),
        (got.normals, one.coarse_normals, one.target_normals),
    ):
        # from different noise than in training; random pictures are the hardest there are
        assert (ours - truth).square().mean() < 0.35 * (coarse - truth).square().mean()


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    c = config()
    whole = train(c, TrainingData(source), tmp_path / "whole", LoopOptions(steps=5))
    asked: list[int] = []

    def watched(step: int) -> Batch:
        asked.append(step)
        return source(step)

    train(c, TrainingData(watched), tmp_path / "parts", LoopOptions(steps=2))
    parts = train(c, TrainingData(watched), tmp_path / "parts", LoopOptions(steps=5))
    assert asked == [0, 1, 2, 3, 4]
    assert parts.steps == whole.steps == 5 and parts.loss == whole.loss
    for name in ("prior.safetensors", CHECKPOINT):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()
    steps = [row["step"] for row in curves.read_log(tmp_path / "parts" / "log.jsonl")]
    assert steps == [1, 2, 3, 4, 5]


def test_seed_and_configuration_decide(tmp_path: Path) -> None:
    first, other = (
        train(config(), TrainingData(source), tmp_path / "a", LoopOptions(steps=1)),
        train(config(), TrainingData(source), tmp_path / "b", LoopOptions(steps=1, seed=1)),
    )
    assert first.weights.read_bytes() != other.weights.read_bytes()
    with pytest.raises(CheckpointError, match="another configuration or seed"):
        train(config(), TrainingData(source), tmp_path / "a", LoopOptions(steps=2, seed=1))
    with pytest.raises(CheckpointError, match="another configuration or seed"):
        train(config(mechanisms={"warp": False}), TrainingData(source), tmp_path / "a", LoopOptions(steps=2))
    assert train(config(), TrainingData(source), tmp_path / "a", LoopOptions(steps=1, seed=1, resume=False)).steps == 1
    (tmp_path / "a" / CHECKPOINT).write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="choose another folder"):
        train(config(), TrainingData(source), tmp_path / "a", LoopOptions(steps=2))


def test_it_leaves_a_log_curves_and_a_sheet(tmp_path: Path) -> None:
    reports: list[float] = []
    train(
        config(training={"sample_every": 2}),
        TrainingData(source, held=batch(3, seed=99)),
        tmp_path,
        LoopOptions(steps=4),
        progress=lambda stage, part: reports.append(part),
    )
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {"loss", "color", "normals", "rate", "samples_per_second"} <= set(rows[0])
    looked = [row for row in rows if "gain_db" in row]
    assert [row["step"] for row in looked] == [2, 4] and looked[0]["coarse_unseen_db"] > 0
    assert reports == [0.25, 0.5, 0.75, 1.0]
    assert cv2.imread(str(tmp_path / "samples_000004.png")).shape == (3 * 128, 9 * 128, 3)
    picture = cv2.imread(str(tmp_path / "curves.png"))
    assert picture.shape[1] == curves.WIDTH and picture.shape[0] % curves.HEIGHT == 0 and (picture != 255).any()


def test_it_stops_when_told_to_and_when_the_time_is_over(tmp_path: Path) -> None:
    reports: list[float] = []
    stopped = train(
        config(),
        TrainingData(source),
        tmp_path / "a",
        LoopOptions(steps=9),
        progress=lambda stage, part: reports.append(part),
        cancelled=lambda: len(reports) == 2,
    )
    assert stopped.steps == 2 and (tmp_path / "a" / CHECKPOINT).is_file()
    assert train(config(), TrainingData(source), tmp_path / "b", LoopOptions(minutes=0)).steps == 0


def test_a_batch_that_is_not_finite_changes_no_weight(tmp_path: Path) -> None:
    train(config(), TrainingData(source), tmp_path / "a", LoopOptions(steps=1))
    before = weights.load(tmp_path / "a" / "prior.safetensors").state_dict()

    def broken(step: int) -> Batch:
        return Batch(**{**batch().__dict__, "target_color": torch.full((4, 3, 16, 16), torch.nan)})

    train(config(), TrainingData(broken), tmp_path / "a", LoopOptions(steps=3))
    after = weights.load(tmp_path / "a" / "prior.safetensors").state_dict()
    assert all(torch.isfinite(t).all() for t in after.values()) and before.keys() == after.keys()


def test_what_ships_are_the_averaged_weights(tmp_path: Path) -> None:
    result = train(config(), TrainingData(source), tmp_path, LoopOptions(steps=4))
    path = tmp_path / CHECKPOINT
    with path.open("rb") as stream:
        _, tensors = tensor_file.read(stream, path.stat().st_size, 1 << 20, lambda _: None)
    name = "denoiser.unet.conv_in.weight"
    average, last = tensors[f"ema.{name}"], tensors[f"model.prior.{name}"]
    assert abs(average - last).max() > 1e-4
    shipped = weights.load(result.weights).state_dict()[name].numpy()
    assert abs(shipped - average).max() < abs(shipped - last).max() / 4


def test_training_goes_on_from_given_weights(tmp_path: Path) -> None:
    first = train(config(), TrainingData(source), tmp_path / "a", LoopOptions(steps=3))
    start = weights.load(first.weights)
    again = train(
        config(size=32), TrainingData(lambda step: batch(2, 32, step)), tmp_path / "b", LoopOptions(steps=0, start=start)
    )
    assert torch.equal(
        weights.load(again.weights).denoiser.unet.conv_in.weight, start.denoiser.unet.conv_in.weight.half().float()
    )


def test_the_rate_warms_up_and_comes_down() -> None:
    how = config(training={"rate": 1.0, "last_rate": 0.1, "warmup": 10, "schedule_steps": 110}).training
    assert rate(how, 0) == pytest.approx(0.1) and rate(how, 9) == rate(how, 10) == 1.0
    assert rate(how, 60) == pytest.approx(0.55) and rate(how, 110) == rate(how, 10_000) == pytest.approx(0.1)
    how = replace(how, faces=1, encoder_steps=30, encoder_rate=3.0)
    assert rate(how, 9) == rate(how, 10) == 3.0 and rate(how, 20) == pytest.approx(1.5) and rate(how, 29) < 0.1
    assert rate(how, 30) == pytest.approx(0.1) and rate(how, 90) == pytest.approx(0.55), "then all of it from the start"


def test_the_encoder_learns_first_and_alone(tmp_path: Path) -> None:
    c = config(training={"faces": 2, "encoder_steps": 3, "readout": 1.0, "contrast": 1.0})
    drawn: list[int] = []

    def watched(step: int) -> Batch:
        drawn.append(step)
        return source(step)

    start = Prior(c)
    torch.manual_seed(0)
    faces = Faces(torch.rand(2, 3, 2, 3, 64, 64), torch.rand(2, 3, 2, 4, 64, 2), torch.rand(2, 3, 52))
    train(c, TrainingData(watched, faces=lambda step: faces), tmp_path / "a", LoopOptions(steps=3, start=start))
    assert not drawn
    early = weights.load(tmp_path / "a" / "prior.safetensors")
    assert not torch.equal(early.expression.head.weight, start.expression.head.weight.half().float())
    assert torch.equal(early.denoiser.unet.conv_in.weight, start.denoiser.unet.conv_in.weight.half().float())
    train(c, TrainingData(watched, faces=lambda step: faces), tmp_path / "a", LoopOptions(steps=5, start=start))
    assert drawn == [3, 4]
    train(c, TrainingData(watched), tmp_path / "b", LoopOptions(steps=1))
    assert drawn == [3, 4, 0], "without faces there is nothing to learn alone"
    with pytest.raises(PriorConfigError, match=r"training\.faces is 0"):
        config(training={"encoder_steps": 3})


def test_an_encoder_that_has_learned_is_held_still(tmp_path: Path) -> None:
    c = config(training={"faces": 2, "encoder_steps": 3, "readout": 1.0, "hold_encoder": True})
    torch.manual_seed(0)
    faces = Faces(torch.rand(2, 3, 2, 3, 64, 64), torch.rand(2, 3, 2, 4, 64, 2), torch.rand(2, 3, 52))
    asked: list[int] = []

    def watched(step: int) -> Faces:
        asked.append(step)
        return faces

    train(c, TrainingData(source, faces=watched), tmp_path / "a", LoopOptions(steps=3))
    early = weights.load(tmp_path / "a" / "prior.safetensors")
    train(c, TrainingData(source, faces=watched), tmp_path / "a", LoopOptions(steps=6))
    late = weights.load(tmp_path / "a" / "prior.safetensors")
    assert asked == [0, 1, 2], "the faces are done with"
    assert not torch.equal(early.denoiser.unet.conv_in.weight, late.denoiser.unet.conv_in.weight)
    for name, tensor in early.expression.state_dict().items():
        assert torch.equal(tensor, late.expression.state_dict()[name]), name
    on = config(training={"hold_encoder": True})
    train(on, TrainingData(source), tmp_path / "b", LoopOptions(steps=2, start=late))
    again = weights.load(tmp_path / "b" / "prior.safetensors")
    assert torch.equal(again.expression.head.weight, late.expression.head.weight), "and from the first step without faces"
    assert not torch.equal(again.tokens.weight, late.tokens.weight)
