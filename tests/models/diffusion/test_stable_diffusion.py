from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel

from enrollment.prior_training.losses import denoising_loss
from models.diffusion import weights
from models.diffusion.config import load_config
from models.diffusion.sampler import sample
from models.diffusion.stable_diffusion import autoencoder, prior_from_folder
from models.diffusion.weights import WeightsError
from tests.models.diffusion.tiny import batch

SIZE = 32


@pytest.fixture
def folder(stable_diffusion_folder: Path) -> Path:
    return stable_diffusion_folder


def full() -> object:
    return load_config("full").replace(size=SIZE, expression={"crop": 64, "channels": [8, 8, 8, 8], "latent": 16, "tokens": 2})


def copied(folder: Path, to: Path) -> Path:
    import shutil

    return Path(shutil.copytree(folder, to / folder.name))


def test_the_folders_weights_arrive_and_new_inputs_start_at_zero(folder: Path) -> None:
    prior, left = prior_from_folder(folder, full())
    theirs = UNet2DConditionModel.from_pretrained(folder / "unet").state_dict()
    ours = prior.denoiser.unet.state_dict()
    wide = ours["conv_in.weight"]
    assert torch.equal(wide[:, :4], theirs["conv_in.weight"]) and not wide[:, 4:].any() and wide.shape[1] == 4 * 4 + 5
    same = "up_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.weight"
    assert torch.equal(ours[same], theirs[same])
    assert not ours["conv_out.weight"].any(), "untrained it changes nothing"
    down = "down_blocks.0.resnets.0.conv1.weight"
    assert torch.equal(prior.reference.state_dict()[down], theirs[down])
    assert [n for n in left if n.startswith("denoiser")] == [
        "denoiser.unet.class_embedding.weight",
        "denoiser.unet.conv_out.bias",
        "denoiser.unet.conv_out.weight",
    ]
    assert [n for n in left if n.startswith("reference")] == ["reference.null"]


def test_untrained_latents_leave_the_coarse_view_unchanged_too(folder: Path) -> None:
    prior, _ = prior_from_folder(folder, full())
    b = batch(2, SIZE)
    got = sample(prior, b.conditions(), steps=2)
    assert torch.equal(got.color, b.coarse_color) and torch.equal(got.normals, b.coarse_normals)


def test_it_trains_and_the_autoencoder_stays_as_it_is(folder: Path, tmp_path: Path) -> None:
    prior, _ = prior_from_folder(folder, full())
    b, generator = batch(2, SIZE), torch.Generator().manual_seed(0)
    denoising_loss(prior, torch.nn.Linear(16, 52), b, generator).total.backward()
    assert prior.denoiser.unet.conv_out.weight.grad.any()
    assert all(p.grad is None for p in prior.space.parameters())
    torch.nn.init.normal_(prior.denoiser.unet.conv_out.weight, std=0.1)
    weights.save(prior, tmp_path / "p.safetensors")
    assert not any(n.startswith("space.") for n in weights.trained_state(prior))
    again = weights.load(tmp_path / "p.safetensors", space=autoencoder(folder))
    assert (sample(again, b.conditions(), steps=1).color - sample(prior, b.conditions(), steps=1).color).abs().max() < 0.05


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("file", "is a single file"),
        ("none", "there is no folder"),
        ("no vae", "has no vae/config.json"),
        ("pickle", "only diffusion_pytorch_model.bin, which is never opened"),
        ("empty", "has no weights"),
        ("class", "holds a FluxTransformer2DModel instead of a UNet2DConditionModel"),
        ("json", "is not readable JSON"),
        ("truncated", "cannot be loaded"),
        ("sdxl", "use weights of Stable Diffusion 1 or 2"),
    ],
)
def test_other_layouts_are_refused_in_one_sentence(folder: Path, tmp_path: Path, damage: str, says: str) -> None:
    mine = copied(folder, tmp_path)
    unet, tensors = mine / "unet" / "config.json", mine / "unet" / "diffusion_pytorch_model.safetensors"
    if damage == "file":
        mine = tensors
    elif damage == "none":
        mine = tmp_path / "nothing"
    elif damage == "no vae":
        (mine / "vae" / "config.json").unlink()
    elif damage == "pickle":
        tensors.rename(tensors.with_suffix(".bin"))
    elif damage == "empty":
        tensors.unlink()
    elif damage == "class":
        unet.write_text(json.dumps({"_class_name": "FluxTransformer2DModel"}))
    elif damage == "json":
        unet.write_text("[")
    elif damage == "truncated":
        tensors.write_bytes(tensors.read_bytes()[:500])
    elif damage == "sdxl":
        values = json.loads(unet.read_text()) | {"transformer_layers_per_block": [1, 1]}
        unet.write_text(json.dumps(values))
    with pytest.raises(WeightsError, match=says) as error:
        prior_from_folder(mine, full())
    assert "\n" not in str(error.value)
