"""The prior's networks as ONNX: the expression encoder, `crop` (B, 3, 128, 128), the parts of a face (`models.diffusion.parts`),
sRGB in [0, 1] -> `latent` (B, 128); and the denoiser, with inputs as `DenoiserEngine` names them -> `residual`."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from models.diffusion.denoiser import Denoiser
from models.diffusion.expression import ExpressionEncoder
from models.diffusion.prior import Prior
from models.engines import choose
from models.engines.base import Engine, EngineError
from models.engines.export import exported
from models.errors import MissingPartError

log = logging.getLogger(__name__)

INPUT, OUTPUT = "crop", "latent"
DENOISER_INPUTS, RESIDUAL = ("noisy", "t", "known", "tokens"), "residual"
MOST_VIEWS = 16
"""Views in one call of the denoiser that TensorRT builds for."""


def encoder_network(encoder: ExpressionEncoder) -> bytes:
    """The expression encoder. Raises `MissingPartError` without the onnx package."""
    side = encoder.config.crop
    device = next(encoder.parameters()).device
    return exported(encoder.eval(), {INPUT: torch.zeros(1, 3, side, side, device=device)}, OUTPUT)


def denoiser_network(prior: Prior) -> bytes:
    """The denoiser, for any number of views. Raises `MissingPartError` without the onnx package, `EngineError` for a prior that
    was trained on clips: the views of a clip belong together, and the exported network takes each for itself."""
    if prior.config.mechanisms.temporal:
        raise EngineError("a prior without attention over frames was expected, this one has it; it runs in torch")
    return exported(flat_denoiser(prior), example(prior, 2), RESIDUAL)


def flat_denoiser(prior: Prior) -> nn.Module:
    """The denoiser with the inputs of `example`, in their order."""
    return _Flat(prior.denoiser, tuple(sorted(_features(prior)))).eval()


def use_engine(prior: Prior, *, threads: int = 1, device: str = "auto") -> Engine | None:
    """Let the prior's denoiser run on `models.engines.choose.choose`; where that cannot be had, it stays in torch, and a line of
    the log says why."""
    try:
        network = denoiser_network(prior)
        shapes = {name: tuple(tensor.shape[1:]) for name, tensor in example(prior, 1).items()}
        profile = {name: ((1, *shape), (MOST_VIEWS // 2, *shape), (MOST_VIEWS, *shape)) for name, shape in shapes.items()}
        engine = choose.choose(network, "the prior's denoiser", profile, threads=threads, device=device)
    except (MissingPartError, EngineError) as error:
        log.info("the prior's denoiser runs in torch: %s", error)
        return None
    prior.denoise_with(DenoiserEngine(engine))
    return engine


class DenoiserEngine:
    """Called as `Denoiser.forward` is."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def __call__(
        self, noisy: Tensor, t: Tensor, known: Tensor, expression: Tensor, reference: Mapping[int, Tensor] | None, frames: int = 1
    ) -> Tensor:
        """See `Denoiser.forward`; frames is 1."""
        feeds = dict(zip(DENOISER_INPUTS, (noisy, t, known, expression), strict=True))
        for level, tokens in (reference or {}).items():
            feeds[f"reference_{level}"] = tokens.expand(len(noisy), -1, -1)
        # where torch computes in bfloat16, what it made of the photo and the expression comes in that
        arrays = {n: (f.float() if f.is_floating_point() else f).detach().cpu().numpy() for n, f in feeds.items()}
        return torch.from_numpy(self.engine.run(arrays)[RESIDUAL]).to(noisy)


class _Flat(nn.Module):
    """The denoiser with the photo's features as inputs of their own, as ONNX knows no dictionaries."""

    def __init__(self, denoiser: Denoiser, levels: tuple[int, ...]) -> None:
        super().__init__()
        self.denoiser, self.levels = denoiser, levels

    def forward(self, noisy: Tensor, t: Tensor, known: Tensor, tokens: Tensor, *features: Tensor) -> Tensor:
        reference = dict(zip(self.levels, features, strict=True)) or None
        return torch.as_tensor(self.denoiser(noisy, t, known, tokens, reference, 1))


@torch.no_grad()
def _features(prior: Prior) -> Mapping[int, Tensor]:
    """The photo's features of a picture of nothing."""
    if prior.reference is None:
        return {}
    side, space = prior.config.size // prior.space.factor, prior.space
    device = next(prior.parameters()).device
    return dict(prior.reference(torch.zeros(1, space.channels + 3 * space.planes, side, side, device=device)))


def example(prior: Prior, views: int) -> dict[str, Tensor]:
    """Inputs of the exported denoiser, by name, of zeros."""
    config, space = prior.config, prior.space
    side, c = config.size // space.factor, space.channels
    known = prior.denoiser.unet.config["in_channels"] - c
    device = next(prior.parameters()).device
    made = {
        "noisy": torch.zeros(views, config.domains, c, side, side),
        "t": torch.zeros(views, dtype=torch.int64),
        "known": torch.zeros(views, known, side, side),
        "tokens": torch.zeros(views, config.expression.tokens, config.network.cross_channels),
        **{f"reference_{level}": tokens.expand(views, -1, -1).clone() for level, tokens in sorted(_features(prior).items())},
    }
    return {name: tensor.to(device) for name, tensor in made.items()}
