"""What can be chosen for an enrollment."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from models.avatar import Avatar

Quality = Literal["instant", "standard", "high"]
"""instant: no optimisation, seconds. standard: optimised on photos or clip, minutes. high: also on views from the diffusion
prior."""
MOST_CLIP_FRAMES = 1800
"""Pictures of a clip that are read by default: a minute at 30 a second."""
LEARNED_FRAMES = 64
"""Pictures of a clip that are learned from by default."""


@dataclass(frozen=True)
class RefineOptions:
    """Options of the optimisation that follows the instant avatar in "standard" and "high" quality.

    steps: of the optimisation; what suits the input when None. device: "cpu" or "cuda". prior: weights file of the diffusion
    prior for "high", the shipped one when None. checkpoint: file in which the state of the optimisation is kept, so that the same
    call goes on after it was stopped or killed; None for no file. clip_frames: how many of the clip's first pictures are read.
    clip_rate: pictures a second of those that are looked at, at least. learned_frames: how many are learned from, evenly spread.
    verify_person: refuse a clip that shows somebody else than the photos; a clip without photos is not checked.
    capture: folder in the nerfstudio / VHAP layout on which "standard" optimises besides. changes: of the optimiser's
    configuration, nested tables (`enrollment.reconstruction.config_file`). autoencoder: Stable-Diffusion-format folder that a
    `prior` in latents needs. watch: called now and then with the avatar as it is in the middle of the optimisation.
    """

    steps: int | None = None
    device: str = "cpu"
    prior: Path | None = None
    checkpoint: Path | None = None
    clip_frames: int = MOST_CLIP_FRAMES
    clip_rate: float = math.inf
    learned_frames: int = LEARNED_FRAMES
    verify_person: bool = True
    capture: Path | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    autoencoder: Path | None = None
    watch: Callable[[Avatar], None] | None = field(default=None, repr=False, compare=False)


MINUTES = RefineOptions(steps=1600, clip_rate=12.0, learned_frames=48)
"""For a clip whose avatar is to be there in four minutes on two cores."""


@dataclass(frozen=True)
class EnrollOptions:
    """All options of an enrollment. consent: who agreed, for the provenance record. head: name of the head model. sheet: whether
    sheets of pictures are written beside the avatar."""

    quality: Quality = "instant"
    consent: str = ""
    head: str = "anny"
    refinement: RefineOptions = field(default_factory=RefineOptions)
    sheet: bool = True
