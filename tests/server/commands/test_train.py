"""`visavis train prior`: a run on the pairs of a cache, resumed, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from diffusers import UNet2DConditionModel
from numpy.typing import NDArray
from PIL import Image

from enrollment.high import synthesize
from enrollment.prior_training import checkpoint, loop
from enrollment.prior_training.pair_cache import HELD_OUT, TRAINING
from models import arkit, avatar_file
from models.diffusion import weights
from models.diffusion.config import PriorConfigError
from models.diffusion.stable_diffusion import autoencoder
from models.errors import StorageError
from server.cli import cli
from tests.enrollment.prior_training.test_training_pairs import fake_rows

TINY = """
name = "tiny"
size = 16
[space]
patch = 2
[network]
channels = [32, 32]
attention = [false, true]
cross_channels = 16
[expression]
channels = [8, 8, 16, 16]
latent = 16
[training]
batch = 2
log_every = 1
sample_every = 1000
precision = "float32"
"""


pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cache").mkdir()
    for seed in (*range(TRAINING, TRAINING + 3), HELD_OUT):
        np.save(tmp_path / "cache" / f"{seed}.npy", fake_rows(seed))
    (tmp_path / "tiny.toml").write_text(TINY, "utf-8")
    return tmp_path


def arguments(folder: Path, *more: str) -> list[str]:
    return [
        "train", "prior", "--config", str(folder / "tiny.toml"), "--out", str(folder / "run"), "--cache", str(folder / "cache"),
        "--heads", "3", "--held", "1", "--views", "4", "--workers", "0", "--threads", "1", *more,
    ]  # fmt: skip


def run(folder: Path, *more: str) -> dict[str, object]:
    done = CliRunner().invoke(cli, arguments(folder, *more, "--json"), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    result: dict[str, object] = json.loads(done.output.strip().splitlines()[-1])
    return result


def test_a_run_writes_weights_and_goes_on(folder: Path) -> None:
    first = run(folder, "--steps", "2")
    assert first["steps"] == 2 and first["heads"] == 3 and first["pairs"] == 12
    weights = folder / "run" / "prior.safetensors"
    before = weights.read_bytes()
    second = run(folder, "--steps", "3")
    assert second["steps"] == 3 and weights.read_bytes() != before
    steps = [json.loads(line)["step"] for line in (folder / "run" / "log.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3], "the second call made one step only"


def test_fresh_begins_anew(folder: Path) -> None:
    run(folder, "--steps", "2")
    run(folder, "--steps", "1", "--fresh")
    assert len((folder / "run" / "log.jsonl").read_text().splitlines()) == 1


def test_what_cannot_be_trained_is_said(folder: Path) -> None:
    runner = CliRunner()
    done = runner.invoke(cli, [*arguments(folder), "--config", "full"])
    assert isinstance(done.exception, PriorConfigError) and "--weights-folder" in str(done.exception)
    (folder / "small_crop.toml").write_text(TINY.replace("latent = 16", "latent = 16\ncrop = 64"), "utf-8")
    done = runner.invoke(cli, [*arguments(folder), "--config", str(folder / "small_crop.toml")])
    assert isinstance(done.exception, PriorConfigError) and "expression.crop 128" in str(done.exception)
    for path in (folder / "cache").iterdir():
        path.unlink()
    done = runner.invoke(cli, arguments(folder, "--steps", "1"))
    assert isinstance(done.exception, StorageError) and "make some first" in str(done.exception)


def test_a_request_to_end_is_told_by_the_exit_code(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `kill` does: the run is saved, then the program ends as one that was stopped."""
    step = loop._step

    def killed(*arguments: Any) -> dict[str, float]:
        os.kill(os.getpid(), signal.SIGTERM)
        return step(*arguments)

    monkeypatch.setattr(loop, "_step", killed)
    done = CliRunner().invoke(cli, arguments(folder))
    assert done.exit_code == 143
    assert checkpoint.is_one(folder / "run" / "checkpoint.safetensors") and weights.is_one(folder / "run" / "prior.safetensors")
    assert len((folder / "run" / "log.jsonl").read_text().splitlines()) == 1


def test_weights_to_begin_with_are_not_written_over(folder: Path) -> None:
    run(folder, "--steps", "1")
    made = folder / "run" / "prior.safetensors"
    before = made.read_bytes()
    done = CliRunner().invoke(cli, arguments(folder, "--fresh", "--steps", "1", "--start", str(made)))
    assert isinstance(done.exception, StorageError) and "than the input" in str(done.exception)
    assert made.read_bytes() == before


CLIPS = TINY.replace(
    "[training]\nbatch = 2", "[mechanisms]\ntemporal = true\n[training]\nframes = 2\ntemporal_only = true\nbatch = 4"
)


def test_the_second_stage_trains_the_attention_over_frames_alone(folder: Path) -> None:
    run(folder, "--steps", "1")
    first = folder / "run" / "prior.safetensors"
    (folder / "tiny.toml").write_text(CLIPS, "utf-8")
    (folder / "cache").rename(folder / "clips_of_2")
    (folder / "cache").mkdir()
    (folder / "clips_of_2").rename(folder / "cache" / "clips_of_2")
    done = run(folder, "--out", str(folder / "second"), "--start", str(first), "--steps", "2")
    assert done["steps"] == 2
    before, after = (weights.trained_state(weights.load(path)) for path in (first, folder / "second" / "prior.safetensors"))
    temporal = {name for name in after if name.startswith("denoiser.temporal.")}
    assert temporal and set(after) - set(before) == temporal
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items()), "the first stage's weights stay"
    assert any(after[name].abs().max() > 0 for name in temporal if name.endswith("outward.weight")), "it begins at zero"


def test_clips_must_divide(folder: Path) -> None:
    (folder / "tiny.toml").write_text(CLIPS.replace("frames = 2", "frames = 4"), "utf-8")
    done = CliRunner().invoke(cli, [*arguments(folder), "--views", "6"])
    assert isinstance(done.exception, PriorConfigError) and "--views" in str(done.exception)
    for change, said in (("frames = 3", "multiple of training.frames"), ("temporal = false", "mechanisms.temporal")):
        (folder / "tiny.toml").write_text(CLIPS.replace("frames = 2" if "3" in change else "temporal = true", change), "utf-8")
        done = CliRunner().invoke(cli, arguments(folder))
        assert isinstance(done.exception, PriorConfigError) and said in str(done.exception)


LATENT = """
name = "tiny full"
size = 32
[space]
kind = "latent"
scale = 1.0
[network]
linear_projection = false
reference_layers = 2
reference_attention = true
[expression]
channels = [8, 8, 16, 16]
latent = 16
[sampling]
steps = 1
[training]
batch = 2
precision = "float32"
log_every = 1
sample_every = 1000
"""


@pytest.mark.slow
@pytest.mark.usefixtures("enrolled_before")
def test_a_latent_prior_learns_from_an_operators_folder_and_enrolls(
    stable_diffusion_folder: Path, tmp_path: Path, astronaut: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "full.toml").write_text(LATENT, "utf-8")
    (tmp_path / "cache").mkdir()
    for seed in (TRAINING, HELD_OUT):
        np.save(tmp_path / "cache" / f"{seed}.npy", fake_rows(seed, size=32))
    words = [
        "train", "prior", "--config", str(tmp_path / "full.toml"), "--out", str(tmp_path / "run"), "--cache",
        str(tmp_path / "cache"), "--heads", "1", "--held", "1", "--views", "4", "--workers", "0", "--steps", "1",
        "--weights-folder", str(stable_diffusion_folder), "--json",
    ]  # fmt: skip
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    made = weights.load(tmp_path / "run" / "prior.safetensors", space=autoencoder(stable_diffusion_folder))
    theirs = UNet2DConditionModel.from_pretrained(stable_diffusion_folder / "unet").state_dict()
    name = "down_blocks.0.resnets.0.conv1.weight"
    assert (made.denoiser.unet.state_dict()[name] - theirs[name]).abs().max() < 0.01, "it begins with the folder's weights"

    monkeypatch.setattr(
        synthesize, "plan_views", lambda: (synthesize.TargetView(180.0, np.zeros(arkit.COUNT, np.float32), "back"),)
    )
    Image.fromarray(astronaut).save(tmp_path / "me.png")
    words = [
        "enroll", str(tmp_path / "me.png"), "-o", str(tmp_path / "me.avatar"), "--quality", "high", "--steps", "2", "--prior",
        str(tmp_path / "run" / "prior.safetensors"), "--json",
    ]  # fmt: skip
    without = CliRunner().invoke(cli, words)
    assert isinstance(without.exception, PriorConfigError) and "autoencoder" in str(without.exception)
    assert not (tmp_path / "me.avatar").exists()
    done = CliRunner().invoke(cli, [*words, "--autoencoder", str(stable_diffusion_folder)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert avatar_file.load(tmp_path / "me.avatar").provenance["quality"] == "high"
