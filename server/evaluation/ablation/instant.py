"""The instant avatar with one of its stages left out, for the ablation. A new stage gets its row by an entry of `VARIANTS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from enrollment.instant.pipeline import build_instant
from enrollment.portrait.portrait import Portrait, prepare
from models.avatar import Avatar
from models.heads.base import HeadModel
from models.tracking.matting import matte


def without_matting(model: HeadModel, portrait: Portrait) -> Avatar:
    """The quick matte in place of the careful one."""
    quick = matte(portrait.image, portrait.landmarks) * portrait.inside
    return build_instant(model, [replace(portrait, matte=np.asarray(quick, np.float32))]).avatar


def without_parsing(model: HeadModel, portrait: Portrait) -> Avatar:
    """What is hair, skin and cloth is guessed from places and colours."""
    return build_instant(model, [replace(portrait, parsing=None)]).avatar


def without_bust(model: HeadModel, portrait: Portrait) -> Avatar:
    """The bust has no cut: chest, arms and back go on as far as the head model does."""
    return build_instant(model, [portrait], ends=False).avatar


VARIANTS: dict[str, Callable[[HeadModel, Portrait], Avatar]] = {
    "instant, without matting": without_matting,
    "instant, without parsing": without_parsing,
    "instant, without bust": without_bust,
}
"""Name of the row -> the avatar of a portrait without that stage."""


def variants(model: HeadModel, photo: NDArray[np.uint8]) -> Iterator[tuple[str, Avatar]]:
    """Each row of `VARIANTS` with its avatar of a photo (H, W, 3) uint8 sRGB. Raises `PhotoError` when that shows no face."""
    portrait = prepare(photo)
    for name, build in VARIANTS.items():
        yield name, build(model, portrait)
