"""The instant avatar: photo(s) -> head fit -> lifted Gaussians -> what the photos do not show -> one set of bound Gaussians."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from enrollment import complete
from enrollment.conform import conform, landmark_offset, posed
from enrollment.fit import Fit, PhotoFit
from enrollment.lift import clean_colors, discs, lift
from enrollment.portrait import Portrait
from enrollment.surface import Samples, View, sample
from models.binding import BoundGaussians
from models.heads.base import REGION, HeadModel, PersonHead
from models.types import Array

SPACING = {
    "skin": 0.0034, "body": 0.0075, "left_eye": 0.0012, "right_eye": 0.0012, "eye_socket": 0.0, "mouth_inside": 0.003,
    "tongue": 0.0025, "upper_teeth": 0.0012, "lower_teeth": 0.0012,
}  # fmt: skip
"""Metres between the Gaussians of what the photo does not show."""
SPREAD = 0.62
"""Standard deviation in spacings."""
FADE = (-0.29, -0.23)
"""Metres below the ears between which an unseen bust fades out."""
CUT = 0.15
"""An unseen part that would stand where the matte is under this is left out: the photo shows that nothing is there."""


@dataclass(frozen=True)
class Seen:
    """One photo with everything derived from it."""

    portrait: Portrait
    photo: PhotoFit
    view: View
    colors: Array


def build(model: HeadModel, fit: Fit, portraits: list[Portrait]) -> tuple[Array, BoundGaussians]:
    """Per-vertex offsets (V, 3) and the avatar's Gaussians. The first portrait leads, the others fill what it hides."""
    offset = conform(model, fit.identity, fit.photos[0], portraits[0])
    person = model.person(fit.identity, offset)
    views = [_see(model, fit, person, offset, i, p) for i, p in enumerate(portraits)]
    lead = views[0]
    fine = _face_area(model, person)
    shown = lift(lead.view, lead.portrait, lead.colors, fine)
    hidden = _hidden(person, views, offset)
    return offset, BoundGaussians.concatenate([shown, hidden])


def _see(model: HeadModel, fit: Fit, person: PersonHead, offset: Array, index: int, portrait: Portrait) -> Seen:
    photo = fit.photos[index]
    own = person
    if index > 0:  # each further photo is matched to its own landmarks before colours are read from it
        own = replace(person, rest=person.rest + landmark_offset(model, fit.identity, photo, portrait, base=offset))
    return Seen(portrait, photo, View.of(model, posed(own, photo), photo.camera(portrait)), clean_colors(portrait))


def _face_area(model: HeadModel, person: PersonHead) -> NDArray[np.bool_]:
    """(F,) faces near the landmarks: they get the finest grid."""
    marks = person.landmarks(person.rest)[model.landmark_weight > 0.2]
    centre = person.rest[model.faces].mean(axis=1)
    low, high = marks.min(axis=0) - 0.004, marks.max(axis=0) + 0.004
    near = ((centre > low) & (centre < high)).all(axis=1)
    return np.asarray(near & (model.region != REGION["body"]))


def _hidden(person: PersonHead, views: list[Seen], offset: Array) -> BoundGaussians:
    model, lead = person.model, views[0]
    spacing = np.array([SPACING[name] for name in _region_names(model)], np.float32)
    samples = sample(person, spacing)
    vertices, normals = lead.view.vertices, lead.view.normals
    points, n = samples.at(model.faces, vertices), samples.at(model.faces, normals)
    seen, xy, facing = lead.view.visible(points, n)
    side = lead.portrait.matte.shape[0]
    column, row = np.clip(np.floor(xy).astype(int), 0, side - 1).T
    inside = (xy >= 0).all(axis=1) & (xy < side).all(axis=1) & lead.portrait.inside[row, column]
    covered = seen & (facing > complete.SQUARE_ON) & inside & (lead.portrait.matte[row, column] > 0.5)
    outside = inside & (lead.portrait.matte[row, column] < CUT)
    colors = _colors(person, views, samples, points, covered, lead.colors[row, column], offset)
    keep = ~covered & ~outside
    samples, points, n, colors = samples.select(keep), points[keep], n[keep], colors[keep]
    rest = samples.at(model.faces, person.rest)
    opacity = np.clip((rest[:, 1] - FADE[0]) / (FADE[1] - FADE[0]), 0, 1) * 0.95
    visible = opacity > 0.02
    return discs(
        lead.view, points[visible], n[visible], SPREAD * samples.spacing[visible], samples.face[visible],
        colors[visible], opacity[visible],
    )  # fmt: skip


def _region_names(model: HeadModel) -> list[str]:
    from models.heads.base import REGIONS

    return [REGIONS[r] for r in model.region]


def _colors(
    person: PersonHead, views: list[Seen], samples: Samples, points: Array, covered: NDArray[np.bool_], photo_colors: Array,
    offset: Array,
) -> Array:  # fmt: skip
    model, lead = person.model, views[0]
    color, trust = complete.vertex_colors(lead.view, lead.portrait, lead.colors)
    hair = complete.scalp(model) | (np.linalg.norm(offset, axis=1) > complete.HAIR_VOLUME)
    head = np.zeros(model.vertex_count, bool)
    head[model.region_vertices("skin")] = True
    hair &= head
    skin_color = complete.continued(model, color, trust, head & ~hair)
    out = samples.at(model.faces, skin_color)
    region = model.region[samples.face]
    on_hair = hair[model.faces[samples.face]].sum(axis=1) >= 2
    wrap = complete.HairWrap(lead.view, lead.portrait, lead.colors, hair)
    if wrap.known and on_hair.any():
        out[on_hair] = wrap.at(points[on_hair])
    body = region == REGION["body"]
    cloth = complete.nearest_cloth(lead.view, lead.portrait, lead.colors, points[body])
    if cloth is not None:
        out[body] = cloth
    skin = _skin_tone(model, color, trust, head & ~hair)
    eyes = np.isin(region, [REGION["left_eye"], REGION["right_eye"]])
    out[eyes] = complete.eye_colors(person, samples, lead.photo.gaze, covered, photo_colors)[eyes]
    inner = np.isin(region, [REGION[r] for r in ("mouth_inside", "tongue", "upper_teeth", "lower_teeth")])
    out[inner] = complete.mouth_colors(model, person, samples, skin)[inner]
    outer = np.isin(region, [REGION["skin"], REGION["body"]])
    for other in views[1:]:
        _fill_from(other, lead, samples, out, outer & ~covered, color, trust)
    return out


def _skin_tone(model: HeadModel, color: Array, trust: Array, skin: NDArray[np.bool_]) -> Array:
    chosen = skin & (trust > 0.5)
    return np.median(color[chosen], axis=0) if chosen.any() else np.array([0.62, 0.5, 0.44], np.float32)


def _fill_from(other: Seen, lead: Seen, samples: Samples, out: Array, wanted: NDArray[np.bool_], color: Array, trust: Array) -> None:
    """Colours of samples the lead photo hides and `other` shows, matched in brightness; written into `out`."""
    model = other.view.model
    theirs, seen = complete.vertex_colors(other.view, other.portrait, other.colors)
    both = (seen > 0.1) & (trust > 0.1)
    gain = np.ones(3)
    if both.sum() > 50:
        gain = np.clip(np.median(color[both] / np.maximum(theirs[both], 0.02), axis=0), 0.6, 1.6)
    points, normals = samples.at(model.faces, other.view.vertices), samples.at(model.faces, other.view.normals)
    visible, xy, facing = other.view.visible(points, normals)
    side = other.portrait.matte.shape[0]
    column, row = np.clip(np.floor(xy).astype(int), 0, side - 1).T
    use = wanted & visible & (facing > complete.SQUARE_ON) & (other.portrait.matte[row, column] > 0.9)
    use &= other.portrait.inside[row, column]
    out[use] = np.clip(other.colors[row, column][use] * gain, 0, 1)
    wanted &= ~use
