"""The instant avatar: photo(s) -> head fit -> lifted Gaussians -> what the photos do not show -> one set of bound Gaussians."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from enrollment.instant import texture_completion
from enrollment.instant.clothes import clothes
from enrollment.instant.fit import Fit, PhotoFit
from enrollment.instant.lift import MOUTH, clean_colors, discs, lift, local_mean, polygon_of, step_map
from enrollment.instant.nonrigid_registration import landmark_offset, posed
from enrollment.instant.surface import Samples, View, sample, stretched
from enrollment.portrait.portrait import Portrait
from models import binding
from models.binding import BoundGaussians
from models.heads.base import REGION, REGIONS, HeadModel, PersonHead
from models.splat.cpu import CpuRasterizer
from models.types import Array

SPACING = {
    "skin": 0.0042, "body": 0.010, "left_eye": 0.0015, "right_eye": 0.0015, "eye_socket": 0.0, "mouth_inside": 0.0045,
    "tongue": 0.0035, "upper_teeth": 0.0014, "lower_teeth": 0.0014,
}  # fmt: skip
"""Metres between the Gaussians of what the photo does not show."""
NECK = -0.03
"""Metres upwards and forwards from between the ears: skin below and behind that is the neck's and the nape's."""
LID_SPACING = 0.0016
"""The same on the eyelids."""
SPREAD, SPREAD_PLAIN = 0.7, 0.85
"""Standard deviation in spacings; neck and body, which bear little texture, must have no cracks to look inside through."""
FADE = (-0.36, -0.27)
"""Metres below the ears between which an unseen bust fades out."""
GAINS = (0.5, 1.8)
"""Least and most by which the light of a further photo is corrected."""
ARMS = (0.235, 0.275)
"""Metres to the side between which the arms fade out."""
FADE_SHOWN = (-0.37, -0.33)
"""The same for what the photo shows."""
LID_SHADE, LID_TRUST = 0.95, 0.6
"""An eyelid is a little darker than the cheek, and leans on its surroundings."""
MOST_STRETCH = 2.5
"""A face that grows more than this takes no pixels of the photo: they would grow with it."""
UNDERLAY = 0.0025
"""Metres under the surface: a coarse second skin below the photo's pixels closes the cracks that open between them."""
LID_UNDERLAY, LID_PHOTO = 0.0008, 0.5
"""How far under the lashes the lid's own colour lies, and how much of the photo it takes on."""
SHARPENING, GAIN = 6, 0.6
"""Rounds in which colours are corrected against the photo, and how much of the error each takes."""
MOST_SHARPENED = 0.12
"""How far a colour may go from the photo's own: one that is hardly seen must not run away."""
CUT = 0.015
"""An unseen part that would stand this far outside the matte (picture sides) is left out: the photo shows nothing there."""


@dataclass(frozen=True)
class Seen:
    """One photo with everything derived from it."""

    portrait: Portrait
    photo: PhotoFit
    view: View
    colors: Array


def build(person: PersonHead, fit: Fit, portraits: list[Portrait], offset: Array) -> BoundGaussians:
    """The avatar's Gaussians. person: with `offset` (V, 3) baked in. The first portrait leads, the others fill what it hides."""
    model = person.model
    views = [_see(person, fit, offset, i, p) for i, p in enumerate(portraits)]
    lead = views[0]
    folded = stretched(person, lead.photo.coefficients) > MOST_STRETCH
    avoid = folded & (model.region == REGION["skin"])
    shown = _fade(lift(lead.view, lead.portrait, lead.colors, _face_area(model, person), avoid), person, FADE_SHOWN).valid()
    made = BoundGaussians.concatenate([shown, _hidden(person, views, offset)]).valid()
    return _sharpen(made, len(shown), lead, person)


def _sharpen(gaussians: BoundGaussians, shown: int, lead: Seen, person: PersonHead) -> BoundGaussians:
    """Give the first `shown` Gaussians, the lifted ones, the colours with which the picture drawn comes nearest to the photo.

    Overlapping Gaussians blur; adding back what is missing a few times undoes most of it (Van Cittert's iteration).
    """
    portrait, view = lead.portrait, lead.view
    world = binding.to_world(gaussians, binding.frames(view.vertices, view.model.faces))
    xy = view.camera.project(world.means[:shown])
    column, row = np.clip(np.floor(xy).astype(int), 0, portrait.matte.shape[0] - 1).T
    lid = texture_completion.unfolded(view.model)[view.model.faces[gaussians.face[:shown]]].any(axis=1)
    trusted = ((portrait.matte[row, column] > 0.9) & ~lid)[:, None]
    steps = step_map(np.maximum(view.fragments.face, 0), view.model, _face_area(view.model, person), portrait)
    step = steps[row, column]
    colors = gaussians.colors.copy()
    low, high = np.clip(colors[:shown] - MOST_SHARPENED, 0, 1), np.clip(colors[:shown] + MOST_SHARPENED, 0, 1)
    rasterizer = CpuRasterizer()
    for _ in range(SHARPENING):
        drawn = rasterizer.render(replace(world, colors=colors), view.camera).color
        missing = local_mean(lead.colors - drawn, step + 1, row, column)
        colors[:shown] = np.clip(colors[:shown] + GAIN * missing * trusted, low, high)
    return replace(gaussians, colors=colors)


def _see(person: PersonHead, fit: Fit, offset: Array, index: int, portrait: Portrait) -> Seen:
    photo, model = fit.photos[index], person.model
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
    spacing = np.array([SPACING[REGIONS[r]] for r in model.region], np.float32)
    spacing[texture_completion.unfolded(model)[model.faces].any(axis=1) & (model.region == REGION["skin"])] = LID_SPACING
    spacing[_eye_backs(person)] = 0.0
    samples = sample(person, spacing)
    vertices, normals = lead.view.vertices, lead.view.normals
    points, n = samples.at(model.faces, vertices), samples.at(model.faces, normals)
    seen, xy, facing = lead.view.visible(points, n)
    side = lead.portrait.matte.shape[0]
    column, row = np.clip(np.floor(xy).astype(int), 0, side - 1).T
    inside = (xy >= 0).all(axis=1) & (xy < side).all(axis=1) & lead.portrait.inside[row, column]
    covered = seen & (facing > texture_completion.SQUARE_ON) & inside & (lead.portrait.matte[row, column] > 0.5)
    away = ndimage.distance_transform_edt(lead.portrait.matte < 0.5)[row, column]
    outside = inside & (away > CUT * side)
    soft = ndimage.uniform_filter(lead.colors, (7, 7, 0))[row, column]
    colors = _colors(person, views, samples, points, covered, lead.colors[row, column], offset)
    lid = texture_completion.unfolded(model)[model.faces[samples.face]].any(axis=1)
    skin = np.isin(model.region[samples.face], [REGION["skin"], REGION["body"]])
    shown = seen & inside & (lead.portrait.matte[row, column] > 0.8) & skin
    share = np.where(lid, LID_PHOTO, 1.0)[shown, None]
    colors[shown] += share * (soft[shown] - colors[shown])
    under = covered & (model.region[samples.face] == REGION["skin"])
    points = np.where(under[:, None], points - np.where(lid, LID_UNDERLAY, UNDERLAY)[:, None] * n, points)
    keep = (~covered | under) & ~outside
    samples, points, n, colors = samples.select(keep), points[keep], n[keep], colors[keep]
    opacity = np.full(len(points), 0.95, np.float32)
    neck = (model.region == REGION["skin"]) & (model.template[model.faces].mean(axis=1) @ (0, 1, 1) < NECK)
    plain = neck | (model.region == REGION["body"])
    spread = np.where(plain[samples.face], SPREAD_PLAIN, SPREAD)
    return _fade(discs(lead.view, points, n, spread * samples.spacing, samples.face, colors, opacity), person)


def _eye_backs(person: PersonHead) -> NDArray[np.bool_]:
    """(F,) the halves of the eyeballs that nobody ever sees."""
    model = person.model
    centre = person.rest[model.faces].mean(axis=1)
    back = np.zeros(len(model.faces), bool)
    for name in ("left_eye", "right_eye"):
        mine = model.region_faces(name)
        back |= mine & (centre[:, 2] < centre[mine, 2].mean())
    return back


def _fade(gaussians: BoundGaussians, person: PersonHead, span: tuple[float, float] = FADE) -> BoundGaussians:
    """The bust's lower end made transparent, so that it does not end in a saw's edge."""
    centre = person.rest[person.model.faces[gaussians.face]].mean(axis=1)
    seen = np.clip((centre[:, 1] - span[0]) / (span[1] - span[0]), 0, 1)
    seen *= np.clip((ARMS[1] - np.abs(centre[:, 0])) / (ARMS[1] - ARMS[0]), 0, 1)
    faded = replace(gaussians, opacities=(gaussians.opacities * seen).astype(np.float32))
    return faded.select(faded.opacities > 0.02)


def _colors(
    person: PersonHead, views: list[Seen], samples: Samples, points: Array, covered: NDArray[np.bool_], photo_colors: Array,
    offset: Array,
) -> Array:  # fmt: skip
    model, lead = person.model, views[0]
    color, trust = texture_completion.vertex_colors(lead.view, lead.portrait, lead.colors)
    head = np.zeros(model.vertex_count, bool)
    head[model.region_vertices("skin")] = True
    scalp, lids = texture_completion.scalp(model), texture_completion.unfolded(model)
    hair = head & (scalp | (np.linalg.norm(offset, axis=1) > texture_completion.HAIR_VOLUME))
    hair |= texture_completion.long_hair(model, hair)
    skin = texture_completion.tone(color, trust, head & ~hair & ~lids, np.array([0.62, 0.5, 0.44], np.float32))
    hair_tone = texture_completion.tone(color, trust, scalp, skin)
    color = np.where(lids[:, None], LID_SHADE * texture_completion.lid_tones(model, person, color, trust, lids), color)
    sure = np.where(lids, LID_TRUST, trust * texture_completion.not_hair(color, skin, hair_tone))
    out = samples.at(model.faces, texture_completion.continued(model, color, sure, head & ~hair))
    region = model.region[samples.face]
    share = samples.at(model.faces, hair[:, None].astype(np.float32))[:, 0]
    on_hair = share > 0.35
    wrap = texture_completion.HairWrap(lead.view, lead.portrait, lead.colors, hair, hair_tone, skin)
    if wrap.known and on_hair.any():
        share = np.clip((share[on_hair, None] - 0.35) / 0.3, 0, 1)
        out[on_hair] += share * (wrap.at(points[on_hair]) - out[on_hair])
    body = region == REGION["body"]
    away = samples.at(model.faces, lead.view.normals)[:, 2] < 0.1
    cloth = clothes(lead.view, lead.portrait, lead.colors, points[body], away[body], skin)
    if cloth is not None:
        out[body] = cloth
    eyes = np.isin(region, [REGION["left_eye"], REGION["right_eye"]])
    out[eyes] = texture_completion.eye_colors(person, samples, lead.photo.gaze, covered, photo_colors)[eyes]
    inner = np.isin(region, [REGION[r] for r in ("mouth_inside", "tongue", "upper_teeth", "lower_teeth")])
    between_lips = polygon_of(MOUTH, lead.portrait.landmarks.points[:, :2], lead.colors.shape[:2])
    teeth = texture_completion.teeth_tone(lead.colors[between_lips], skin)
    out[inner] = texture_completion.mouth_colors(model, person, samples, skin, teeth)[inner]
    outer = np.isin(region, [REGION["skin"], REGION["body"]])
    for other in views[1:]:
        _fill_from(other, lead, samples, out, outer & ~covered, color, trust)
    return out


def _fill_from(
    other: Seen, lead: Seen, samples: Samples, out: Array, wanted: NDArray[np.bool_], color: Array, trust: Array
) -> None:
    """Colours of samples the lead photo hides and `other` shows, matched in brightness; written into `out`."""
    model = other.view.model
    theirs, seen = texture_completion.vertex_colors(other.view, other.portrait, other.colors)
    both = (seen > 0.1) & (trust > 0.1)
    gain = np.ones((len(samples.face), 3), np.float32)
    if both.sum() > 50:  # the other photo's light is not the first one's, and not equally so everywhere
        ratio = np.clip(color / np.maximum(theirs, 0.02), *GAINS) / GAINS[1]
        smooth = texture_completion.continued(model, ratio, np.where(both, 0.3, 0.0), np.ones(model.vertex_count, bool))
        gain = samples.at(model.faces, smooth * GAINS[1])
    points, normals = samples.at(model.faces, other.view.vertices), samples.at(model.faces, other.view.normals)
    visible, xy, facing = other.view.visible(points, normals)
    side = other.portrait.matte.shape[0]
    column, row = np.clip(np.floor(xy).astype(int), 0, side - 1).T
    use = wanted & visible & (facing > texture_completion.SQUARE_ON) & (other.portrait.matte[row, column] > 0.9)
    use &= other.portrait.inside[row, column]
    out[use] = np.clip(other.colors[row, column][use] * gain[use], 0, 1)
    wanted &= ~use
