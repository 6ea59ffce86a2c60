"""What a prior is and how it is trained, as one TOML file; `small` and `full` are two files for the same classes."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.dataclass_config import build, merged, read_toml
from models.errors import VisavisError

FOLDER = Path(__file__).parent / "configs"


class PriorConfigError(VisavisError):
    """A configuration of the prior that cannot be read, or asks for something that does not exist."""


@dataclass(frozen=True)
class SpaceConfig:
    """Where the residual lives. kind: "pixel", or "latent" with the AutoencoderKL of an operator's folder."""

    kind: str = "pixel"
    patch: int = 2
    """Pixel space: blocks of patch x patch pixels become channels (space to depth)."""
    scale: float = 2.0
    """The residual is multiplied by this, so that its spread is near the noise's."""


@dataclass(frozen=True)
class NetworkConfig:
    """The UNet. channels: widths from the finest level on; attention: which of the levels attend; layers: ResNets a level."""

    channels: tuple[int, ...] = (64, 128, 192)
    attention: tuple[bool, ...] = (False, True, True)
    layers: int = 1
    head_channels: int = 32
    """Channels of an attention head."""
    heads: int = 0
    """Heads instead of channels of a head, as Stable Diffusion 1 counts them; 0: by `head_channels`."""
    groups: int = 16
    """Of the group norms."""
    cross_channels: int = 128
    """Of a token of the expression latent."""
    linear_projection: bool = True
    reference_layers: int = 1
    """ResNets a level of the reference network."""
    reference_attention: bool = False
    """Whether the reference network attends within itself, at the levels where the denoiser does."""


@dataclass(frozen=True)
class ExpressionConfig:
    """G1. crop: pixels; channels: one ResNet a width, each halving the picture; back: one each on the way back up to the size of
    the first, finest first; fine: two convolutions that show the last of these every pixel again; hidden: of the layers that read
    the places found there; latent, tokens: what comes out."""

    crop: int = 128
    channels: tuple[int, ...] = (32, 64, 128, 160)
    back: tuple[int, ...] = (48, 64, 96)
    fine: tuple[int, ...] = (24, 32)
    hidden: int = 512
    latent: int = 128
    tokens: int = 4

    def __post_init__(self) -> None:
        if len(self.back) != len(self.channels) - 1 or len(self.fine) != 2:
            raise PriorConfigError(
                f"expression.back needs {len(self.channels) - 1} entries, one less than expression.channels has, and "
                f"expression.fine two, but they have {len(self.back)} and {len(self.fine)}; correct them"
            )
        odd = [c for c in (*self.channels, *self.back) if c < 8 or c % 8]
        if odd:
            raise PriorConfigError(
                f"expression.channels and expression.back must be multiples of 8, but {odd[0]} is not; change it"
            )
        step = 2 ** (len(self.channels) + 1)
        if self.crop < step or self.crop % step:
            raise PriorConfigError(
                f"expression.crop must be a multiple of {step} pixels for these channels, not {self.crop}; change it"
            )


@dataclass(frozen=True)
class Mechanisms:
    """What can be switched off, one row of the ablation each."""

    joint_normals: bool = True
    """G3. Off: colour alone is denoised, normals stay the coarse ones."""
    domain_attention: bool = True
    """G3. Off: each domain attends to itself only."""
    cross_view: bool = True
    """G2. A matter of the data: whether driving crop and target come from different cameras. Whoever makes batches reads it."""
    warp: bool = True
    """F4. The photo warped into the view, and its visibility, as inputs."""
    reference: bool = True
    """G4."""
    expression: bool = True
    """G1."""
    temporal: bool = False
    """G6. Attention over the frames of a clip; starts at zero, so it can be switched on for a second stage."""


@dataclass(frozen=True)
class SamplingConfig:
    """G8, F3. guidance: 1 is none.

    strength: where on the schedule sampling starts. At 1 the residual starts as pure noise, which is the coarse view with noise
    on it; below, the start also claims that little is missing: sooner sharp, and worse where much is missing.
    """

    steps: int = 25
    strength: float = 1.0
    guidance: float = 2.5
    border: int = 2
    """Pixels at the rim of pasted regions (F4) ..."""
    border_weight: float = 0.1
    """... and how much of the known they take."""


@dataclass(frozen=True)
class TrainingConfig:
    """AdamW, warm-up and cosine. Learning rates and weights are missing from the papers' text; these are ours."""

    batch: int = 16
    rate: float = 3e-4
    warmup: int = 300
    """Steps."""
    schedule_steps: int = 20_000
    """After which the rate has come down to `last_rate` and stays."""
    last_rate: float = 2e-5
    weight_decay: float = 0.01
    clip: float = 1.0
    """Largest norm of the gradient."""
    ema: float = 0.999
    dropout: float = 0.1
    """Of expression latent and reference together (G1), for guidance."""
    augment: float = 1.0
    """How much the parts of the driving face (G1) are moved and blurred (`enrollment.prior_training.augment`); 0 changes
    nothing, neither their light nor the pairs."""
    snr_limit: float = 5.0
    """Hang et al. 2023: a noise level counts by its signal-to-noise ratio, at most this ..."""
    snr_floor: float = 1.0
    """... plus this, so that the start of sampling counts too."""
    background: float = 0.1
    """Weight of pixels that are empty in both coarse view and truth."""
    unseen: float = 1.0
    """Weight that foreground pixels have on top of 1 where the photo does not show them."""
    gradient: float = 0.2
    """Weight of the error's gradient, which keeps edges."""
    noisy: float = 1.0
    """Timesteps are T u^noisy of an even u in [0, 1]: below 1, more of the noisy ones, where pictures are decided."""
    readout: float = 0.0
    """Weight with which a linear readout of the coefficients trains the latent. 0, as in the papers: the denoising loss alone
    does, and the readout only watches."""
    faces: int = 0
    """Groups of face crops beside each batch, for the latent alone (`enrollment.prior_training.losses.expression_loss`)."""
    encoder_steps: int = 0
    """The first steps, in which the expression encoder learns from these crops alone: they cost a quarter of a whole one."""
    encoder_rate: float = 2e-3
    """The learning rate's start in these steps; it comes down to nothing in their course."""
    hold_encoder: bool = False
    """After them the expression encoder stays as it is, and face crops are no longer looked at."""
    points: float = 0.0
    """Weight with which the places that the encoder finds are drawn to the landmarks' (`models.diffusion.points`)."""
    contrast: float = 0.0
    """Weight with which, in these groups, a moment's latents from two webcams are pulled together ..."""
    temperature: float = 0.2
    """... measured against this squared distance a component."""
    frames: int = 1
    """Of a clip (G6); the batches then hold whole clips, frames beside each other. `batch` counts frames."""
    temporal_only: bool = False
    """The second stage of G6: nothing learns but the attention over frames; the rest stays as the weights of the first stage."""
    precision: str = "auto"
    """"float32", "bfloat16", or "auto": bfloat16 where the machine computes in it."""
    log_every: int = 20
    sample_every: int = 500
    checkpoint_minutes: float = 10.0


@dataclass(frozen=True)
class PriorConfig:
    """size: pixels of the pictures, square. timesteps, schedule: of the noise (`models/diffusion/schedule.py`)."""

    name: str = "small"
    size: int = 64
    timesteps: int = 1000
    schedule: str = "squaredcos_cap_v2"
    space: SpaceConfig = field(default_factory=SpaceConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    expression: ExpressionConfig = field(default_factory=ExpressionConfig)
    mechanisms: Mechanisms = field(default_factory=Mechanisms)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        if len(self.network.channels) != len(self.network.attention):
            raise PriorConfigError(
                f"network.attention needs one entry for each of the {len(self.network.channels)} network.channels, "
                f"but has {len(self.network.attention)}; make them equally long"
            )
        if self.space.kind not in ("pixel", "latent"):
            raise PriorConfigError(f'space.kind must be "pixel" or "latent", not {self.space.kind!r}; choose one of the two')
        if self.training.precision not in ("auto", "float32", "bfloat16"):
            raise PriorConfigError(
                f'training.precision must be "auto", "float32" or "bfloat16", not {self.training.precision!r}; choose one of them'
            )
        if self.training.encoder_steps and not self.training.faces:
            raise PriorConfigError(
                "training.encoder_steps needs face crops to learn from, but training.faces is 0; set training.faces to 4, say"
            )
        clips = self.training.frames > 1 or self.training.temporal_only
        if self.training.frames < 1 or self.training.batch % max(self.training.frames, 1):
            raise PriorConfigError(
                f"training.batch must be a multiple of training.frames, which is at least 1, but they are "
                f"{self.training.batch} and {self.training.frames}; change one of them"
            )
        if clips and not self.mechanisms.temporal:
            raise PriorConfigError(
                "training.frames above 1 and training.temporal_only train the attention over frames, but mechanisms.temporal is "
                "off; switch it on"
            )
        odd = [c for c in self.network.channels if c % self.network.groups or c % self.network.head_channels]
        if odd and not self.network.heads:
            raise PriorConfigError(
                f"network.channels must be multiples of groups ({self.network.groups}) and head_channels "
                f"({self.network.head_channels}), but {odd[0]} is not; change one of them"
            )

    @property
    def domains(self) -> int:
        return 2 if self.mechanisms.joint_normals else 1

    def replace(self, **changes: Any) -> PriorConfig:
        """Another configuration. A section takes a dictionary: `replace(mechanisms={"warp": False})`."""
        return PriorConfig.from_dict(merged(self.as_dict(), changes))

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def to_json(self) -> str:
        return json.dumps(self.as_dict(), sort_keys=True)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> PriorConfig:
        """Raises `PriorConfigError` for keys that do not exist and values of another type."""
        made: PriorConfig = build(PriorConfig, values, PriorConfigError)
        return made


def load_config(name_or_path: str | Path) -> PriorConfig:
    """`small`, `full`, or the path of a TOML file. Keys that are left out have the defaults above. Raises `PriorConfigError`."""
    shipped = sorted(path.stem for path in FOLDER.glob("*.toml"))
    path = FOLDER / f"{name_or_path}.toml" if str(name_or_path) in shipped else Path(name_or_path)
    if not path.is_file():
        raise PriorConfigError(
            f"the configuration {str(name_or_path)!r} is neither {' nor '.join(shipped)} nor a file that can be read; "
            "give one of those names or the path of a TOML file"
        )
    return PriorConfig.from_dict(read_toml(path, PriorConfigError))
