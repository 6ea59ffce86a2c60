"""Hair of which the photo shows a narrow band does not take on the skin's colour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from enrollment.instant import hair_tone
from enrollment.instant.hair_texture import ShownHair
from models.heads.base import HeadModel
from tests.enrollment.instant.test_hair_texture import BLACK, SKIN, Head


def test_hair_of_which_a_narrow_band_is_shown_has_the_colour_least_like_skin(model: HeadModel) -> None:
    head = Head(model, "hair")
    side = len(head.portrait.matte)
    share = head.hair.astype(np.float32)
    assert head.portrait.parsing is not None
    hair = head.portrait.parsing.share("hair") > 0.5
    photo = (255 * head.colors).astype(np.uint8)
    whole = replace(head.portrait, image=photo)
    assert hair_tone.thin_hair(head.surface, whole, hair) is None, "much of it is shown"

    cut = int(np.flatnonzero(hair[:, side // 2])[-1]) + 1  # where the forehead begins: to its sides there is hair
    inside = np.broadcast_to(np.arange(side)[:, None] >= cut, (side, side))
    portrait = replace(whole, inside=whole.inside & inside, matte=whole.matte * inside)
    mixed = np.where(hair[..., None], 0.5 * head.colors + 0.5 * SKIN, head.colors).astype(np.float32)  # as its edges are
    thin = hair_tone.thin_hair(head.surface, portrait, hair & inside)
    assert thin is not None and np.abs(thin - BLACK).max() < 0.05

    shown = ShownHair.of(head.surface, portrait, mixed, share)
    assert shown is not None
    back = head.hair & (model.template[:, 2] < np.median(model.template[head.hair, 2]))
    assert np.abs(shown.tone[back] - thin).max() < 0.1
