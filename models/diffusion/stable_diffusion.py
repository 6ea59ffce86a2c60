"""An operator's Stable-Diffusion-format folder: its autoencoder, and its UNet as the start of denoiser and reference network.

Layout, that of diffusers: unet/config.json, unet/*.safetensors, vae/config.json, vae/*.safetensors.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor

from models.diffusion.config import PriorConfig
from models.diffusion.prior import Prior
from models.diffusion.space import LatentSpace
from models.diffusion.weights import WeightsError

CLASSES = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL"}


def prior_from_folder(folder: Path, config: PriorConfig) -> tuple[Prior, list[str]]:
    """A prior of the folder's size with as many of its weights as fit, and the names that found none.

    The UNet's widths, levels and heads are the folder's; the rest is `config`'s. The first convolution has more inputs than
    the folder's: the folder's own stand for the noisy residual, the others start at zero. The last layer starts at zero in any
    case, so that untrained the coarse view is unchanged. Raises `WeightsError` for another layout.
    """
    check(folder)
    unet = _loaded(UNet2DConditionModel, folder, "unet")
    prior = Prior(config.replace(network=network_of(folder, unet)), autoencoder(folder))
    weights = {name: tensor.float() for name, tensor in unet.state_dict().items() if not name.startswith("conv_out.")}
    left = _fill(prior.denoiser.unet, weights, "denoiser.unet.")
    if prior.reference is not None:
        left += _fill(prior.reference, weights, "reference.")
    return prior, sorted(left)


def autoencoder(folder: Path) -> LatentSpace:
    """The folder's autoencoder. Raises `WeightsError`."""
    check(folder)
    return LatentSpace(_loaded(AutoencoderKL, folder, "vae").float())


def check(folder: Path) -> None:
    """Raises `WeightsError`, one sentence, when the folder is laid out in another way."""
    wanted = "give a folder with unet/ and vae/, each with config.json and safetensors weights, as diffusers writes it"
    if folder.is_file():
        raise WeightsError(f"{folder.name} is a single file; {wanted}")
    if not folder.is_dir():
        raise WeightsError(f"there is no folder {folder.name} of Stable-Diffusion-format weights; {wanted}")
    for part, kind in CLASSES.items():
        if not (folder / part / "config.json").is_file():
            raise WeightsError(f"{folder.name} has no {part}/config.json; {wanted}")
        found = _json(folder / part / "config.json").get("_class_name")
        if found != kind:
            raise WeightsError(f"{folder.name}/{part} holds a {found or 'model of unknown class'} instead of a {kind}; {wanted}")
        if not list((folder / part).glob("*.safetensors")):
            pickles = [p.name for p in (folder / part).iterdir() if p.suffix in (".bin", ".ckpt", ".pt")]
            came = f"only {pickles[0]}, which is never opened because it could run code" if pickles else "no weights"
            raise WeightsError(f"{folder.name}/{part} has {came}; {wanted}")


def network_of(folder: Path, unet: Any) -> dict[str, Any]:
    """The section `network` that describes a loaded UNet. Raises `WeightsError` for kinds of it that do not fit."""
    c = unet.config
    down = {"DownBlock2D": False, "CrossAttnDownBlock2D": True}
    unknown = [t for t in c.down_block_types if t not in down]
    plain = isinstance(c.layers_per_block, int) and isinstance(c.cross_attention_dim, int) and c.transformer_layers_per_block == 1
    if unknown or not plain:
        what = unknown[0] if unknown else "different depths a level"
        raise WeightsError(
            f"{folder.name}/unet has {what}, which this prior has no place for; use weights of Stable Diffusion 1 or 2"
        )
    heads = c.num_attention_heads or c.attention_head_dim
    section = {
        "channels": list(c.block_out_channels),
        "attention": [down[t] for t in c.down_block_types],
        "layers": c.layers_per_block,
        "groups": c.norm_num_groups,
        "cross_channels": c.cross_attention_dim,
        "linear_projection": bool(c.use_linear_projection),
        "reference_layers": c.layers_per_block,
        "reference_attention": True,
    }
    if isinstance(heads, int):
        return {**section, "heads": heads}
    return {**section, "heads": 0, "head_channels": c.block_out_channels[0] // heads[0]}


def _loaded(kind: Any, folder: Path, part: str) -> Any:
    try:
        return kind.from_pretrained(str(folder / part), local_files_only=True, use_safetensors=True, low_cpu_mem_usage=False)
    except Exception as error:
        # diffusers raises whatever its parts raise: OSError, ValueError, RuntimeError, safetensors' own
        reason = " ".join(str(error).split())[:160]
        raise WeightsError(f"{folder.name}/{part} cannot be loaded ({reason}); get the folder again or use another") from error


def _fill(module: torch.nn.Module, weights: dict[str, Tensor], prefix: str) -> list[str]:
    """Copies what has the same name and shape; widens the first convolution with zeros. Returns what found nothing."""
    own = module.state_dict()
    fitting = {n: t for n, t in weights.items() if n in own and own[n].shape == t.shape}
    first, theirs = own["conv_in.weight"], weights["conv_in.weight"]
    if "conv_in.weight" not in fitting and theirs.shape[1] < first.shape[1]:
        wide = torch.zeros_like(first)
        wide[:, : theirs.shape[1]] = theirs
        fitting["conv_in.weight"] = wide
    module.load_state_dict(fitting, strict=False)
    return [prefix + name for name in own if name not in fitting]


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        value = None
    if not isinstance(value, dict):
        raise WeightsError(f"{path.parent.parent.name}/{path.parent.name}/config.json is not readable JSON; get the folder again")
    return value
