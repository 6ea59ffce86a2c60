"""Hair, skin and cloth are where the parsing says, and where the head's shape says when it says nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from enrollment.instant.assemble import SourcePhoto, _source_photo
from enrollment.instant.pipeline import Enrollment
from enrollment.instant.surface_labels import PixelLabels, hair_share, skin_share
from enrollment.instant.texture_completion import scalp
from models.heads.base import HeadModel
from models.tracking.parsing import CLASSES, Parsing
from models.types import Array


@pytest.fixture(scope="module")
def seen(enrolled: Enrollment, model: HeadModel) -> SourcePhoto:
    avatar = enrolled.avatar
    return _source_photo(avatar.person(model), enrolled.fit, avatar.offset, 0, enrolled.portraits[0])


def shaved(seen: SourcePhoto) -> Parsing:
    """The parsing with skin in the place of hair."""
    assert seen.portrait.parsing is not None
    shares = seen.portrait.parsing.shares.copy()
    shares[..., CLASSES.index("face_skin")] += shares[..., CLASSES.index("hair")]
    shares[..., CLASSES.index("hair")] = 0.0
    return Parsing(shares)


def share(seen: SourcePhoto, offset: Array, parsing: Parsing | None) -> Array:
    portrait = replace(seen.portrait, parsing=parsing)
    return hair_share(seen.surface, portrait, offset)


def test_a_scalp_is_as_hairy_as_the_parsing_says(seen: SourcePhoto, enrolled: Enrollment, model: HeadModel) -> None:
    offset, crown = enrolled.avatar.offset, scalp(model)
    back = crown & (model.template[:, 2] < -0.06)
    assert share(seen, offset, seen.portrait.parsing)[back].min() > 0.5
    assert share(seen, offset, shaved(seen))[crown].max() < 0.5, "bald in front, bald behind"
    by_shape = share(seen, offset, None)
    assert by_shape[crown].min() == 1.0 and set(np.unique(by_shape)) == {0.0, 1.0}
    face = model.landmark_corners[[4, 50, 280, 152]].ravel()
    for parsing in (seen.portrait.parsing, None):
        found = share(seen, offset, parsing)
        assert found.shape == (model.vertex_count,) and found[face].max() < 0.1
        below = np.setdiff1d(model.region_vertices("body"), model.region_vertices("skin"))
        assert found[below].max() == 0.0


def test_pixels_are_labelled(seen: SourcePhoto) -> None:
    labels = PixelLabels.of(seen.portrait)
    assert labels.hair.any() and labels.cloth.any() and not (labels.hair & labels.skin).any()
    assert PixelLabels.of(replace(seen.portrait, parsing=shaved(seen))).hair.sum() < labels.hair.sum()
    alike = PixelLabels.of(replace(seen.portrait, parsing=None))
    assert np.array_equal(alike.hair, alike.skin) and np.array_equal(alike.hair, alike.cloth)


def test_a_fringe_is_no_skin(seen: SourcePhoto, model: HeadModel) -> None:
    skin = skin_share(seen.surface, seen.portrait)
    cheek, crown = model.landmark_corners[[50, 280]].ravel(), scalp(model) & (model.template[:, 2] > 0.05)
    assert skin[cheek].min() > 0.9 and np.median(skin[crown]) < 0.3
    assert skin_share(seen.surface, replace(seen.portrait, parsing=None)).min() == 1.0


def test_hair_beside_a_jaw_is_not_on_the_jaw(seen: SourcePhoto, enrolled: Enrollment, model: HeadModel) -> None:
    """The rear of a jaw projects onto the hair that hangs behind it."""
    portrait = seen.portrait
    assert portrait.parsing is not None
    face = portrait.parsing.most("face_skin")
    label = np.where(ndimage.binary_erosion(face, iterations=6), CLASSES.index("face_skin"), CLASSES.index("hair"))
    found = share(seen, enrolled.avatar.offset, Parsing(np.eye(len(CLASSES), dtype=np.float32)[label]))
    visible, _, _ = seen.surface.visible(seen.surface.vertices, seen.surface.normals)
    _, y, z = model.template.T
    jaw = ~visible & (y < -0.03) & (y > -0.06) & (z > 0.02) & (z < 0.05)
    jaw[np.setdiff1d(np.arange(model.vertex_count), model.region_vertices("skin"))] = False
    assert jaw.sum() > 5 and (found[jaw] > 0.99).mean() < 0.1
