"""Assemble the instant avatar's Gaussians: those lifted from the leading photo, and samples of the remaining surface with
completed texture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from enrollment.instant import mouth, texture_completion
from enrollment.instant.clothes import clothes
from enrollment.instant.fit import HeadFit, PhotoFit
from enrollment.instant.lift import clean_colors, lift, local_mean, step_map, surfels
from enrollment.instant.nonrigid_registration import landmark_offset, posed
from enrollment.instant.surface import Samples, VisibleSurface, sample, stretch_ratios
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
"""Metres between neighbouring Gaussians on the surface that the photo does not show, by region; 0: none."""
LID_SPACING = 0.0016
"""Metres between neighbouring Gaussians on the eyelids: they unfold in a blink."""
NECK = -0.03
"""Sum of a skin point's height and depth on the template, metres, under which it belongs to the neck or the nape."""
SPREAD, SPREAD_PLAIN = 0.7, 0.85
"""Standard deviation of a Gaussian relative to its spacing, and on neck and body: wider, as cracks show there and texture is
rare."""
FADE_UNSEEN = (-0.36, -0.27)
"""Heights in avatar space, metres, between which Gaussians that the photo does not show fade out at the bust's lower end."""
FADE_SHOWN = (-0.37, -0.33)
"""Heights in avatar space, metres, between which Gaussians lifted from the photo fade out at the bust's lower end."""
ARMS = (0.235, 0.275)
"""Distances to the side, metres, between which the arms fade out."""
GAINS = (0.5, 1.8)
"""Least and largest gain by which a further photo's colours are matched to the leading photo's."""
LID_SHADE, LID_TRUST = 0.95, 0.6
"""Brightness of an eyelid relative to the skin around the eye, and weight of that colour in the colour interpolation."""
MOST_STRETCH = 2.5
"""Faces that some expression enlarges by more than this factor get no lifted pixels: these would be enlarged as well."""
UNDERLAY = 0.0025
"""Depth under the surface of a coarse second layer of skin, metres; it closes the cracks between the lifted Gaussians."""
LID_UNDERLAY, LID_PHOTO = 0.0008, 0.5
"""Depth of that second layer under the eyelids, metres, and the share of the photo's colour in it there."""
SHARPENING, GAIN = 6, 0.6
"""Iterations of the colour correction against the photo, and the part of the error that each corrects."""
MOST_SHARPENED = 0.12
"""Largest change of a colour by that correction: a Gaussian that is hardly visible must not run away."""
CUT = 0.015
"""An unseen sample that projects this far outside the matte, picture sides, is dropped: the photo shows background there."""


@dataclass(frozen=True)
class SourcePhoto:
    """One photo: portrait, fitted pose, the surface visible in it, and its foreground colours (S, S, 3)."""

    portrait: Portrait
    photo: PhotoFit
    surface: VisibleSurface
    colors: Array


def build_gaussians(person: PersonHead, fit: HeadFit, portraits: list[Portrait], offset: Array) -> BoundGaussians:
    """All Gaussians of the avatar. person: the head with the static offset (V, 3) applied. The first portrait leads: its pixels
    are lifted; the others colour what it hides."""
    model = person.model
    photos = [_source_photo(person, fit, offset, i, p) for i, p in enumerate(portraits)]
    lead = photos[0]
    folded = stretch_ratios(person, lead.photo.coefficients) > MOST_STRETCH
    avoid = (folded & (model.region == REGION["skin"])) | model.region_faces(*_hidden_inside(lead))
    shown = _fade_out(
        lift(lead.surface, lead.portrait, lead.colors, _face_area(model, person), avoid), person, FADE_SHOWN
    ).valid()
    made = BoundGaussians.concatenate([shown, _unseen_gaussians(person, photos, offset)]).valid()
    return _sharpen(made, len(shown), lead, person)


def _hidden_inside(lead: SourcePhoto) -> tuple[str, ...]:
    """Regions of the mouth that are made up: the cavity, whose pixels are shadow, and teeth that the photo hardly shows."""
    teeth = mouth.teeth_tone(*mouth.shown(lead.surface, lead.portrait, lead.colors))
    return mouth.INNER if teeth is None else ("mouth_inside", "tongue")


def _sharpen(gaussians: BoundGaussians, shown: int, lead: SourcePhoto, person: PersonHead) -> BoundGaussians:
    """Correct the colours of the first `shown` Gaussians, the lifted ones, so that the rendering matches the photo.

    Overlapping Gaussians blur. Adding the residual back in a few iterations undoes most of the blur (Van Cittert deconvolution).
    """
    portrait, surface = lead.portrait, lead.surface
    world = binding.to_world(gaussians, binding.frames(surface.vertices, surface.model.faces))
    xy = surface.camera.project(world.means[:shown])
    column, row = np.clip(np.floor(xy).astype(int), 0, portrait.matte.shape[0] - 1).T
    lid = texture_completion.eyelid_vertices(surface.model)[surface.model.faces[gaussians.face[:shown]]].any(axis=1)
    trusted = ((portrait.matte[row, column] > 0.9) & ~lid)[:, None]
    steps = step_map(np.maximum(surface.fragments.face, 0), surface.model, _face_area(surface.model, person), portrait)
    step = steps[row, column]
    colors = gaussians.colors.copy()
    low, high = np.clip(colors[:shown] - MOST_SHARPENED, 0, 1), np.clip(colors[:shown] + MOST_SHARPENED, 0, 1)
    rasterizer = CpuRasterizer()
    for _ in range(SHARPENING):
        drawn = rasterizer.render(replace(world, colors=colors), surface.camera).color
        missing = local_mean(lead.colors - drawn, step + 1, row, column)
        colors[:shown] = np.clip(colors[:shown] + GAIN * missing * trusted, low, high)
    return replace(gaussians, colors=colors)


def _source_photo(person: PersonHead, fit: HeadFit, offset: Array, index: int, portrait: Portrait) -> SourcePhoto:
    photo, model = fit.photos[index], person.model
    if index > 0:  # the head is registered to each further photo's landmarks before colours are read from that photo
        person = replace(person, rest=person.rest + landmark_offset(model, fit.identity, photo, portrait, base=offset))
    return SourcePhoto(
        portrait, photo, VisibleSurface.of(model, posed(person, photo), photo.camera(portrait)), clean_colors(portrait)
    )


def _face_area(model: HeadModel, person: PersonHead) -> NDArray[np.bool_]:
    """(F,) faces near the landmarks, which get the finest grid of lifted pixels."""
    marks = person.landmarks(person.rest)[model.landmark_weight > 0.2]
    centre = person.rest[model.faces].mean(axis=1)
    low, high = marks.min(axis=0) - 0.004, marks.max(axis=0) + 0.004
    near = ((centre > low) & (centre < high)).all(axis=1)
    return np.asarray(near & (model.region != REGION["body"]))


def _unseen_gaussians(person: PersonHead, photos: list[SourcePhoto], offset: Array) -> BoundGaussians:
    """Gaussians on the surface that the leading photo does not show, and a second layer of skin under what it does show."""
    model, lead = person.model, photos[0]
    spacing = np.array([SPACING[REGIONS[r]] for r in model.region], np.float32)
    spacing[texture_completion.eyelid_vertices(model)[model.faces].any(axis=1) & (model.region == REGION["skin"])] = LID_SPACING
    spacing[mouth.inner_lips(model)] = mouth.LIP_SPACING
    spacing[_eye_backs(person)] = 0.0
    samples = sample(person, spacing)
    vertices, normals = lead.surface.vertices, lead.surface.normals
    points, n = samples.at(model.faces, vertices), samples.at(model.faces, normals)
    seen, xy, facing = lead.surface.visible(points, n)
    side = lead.portrait.matte.shape[0]
    column, row = np.clip(np.floor(xy).astype(int), 0, side - 1).T
    inside = (xy >= 0).all(axis=1) & (xy < side).all(axis=1) & lead.portrait.inside[row, column]
    covered = seen & (facing > texture_completion.SQUARE_ON) & inside & (lead.portrait.matte[row, column] > 0.5)
    away = ndimage.distance_transform_edt(lead.portrait.matte < 0.5)[row, column]
    outside = inside & (away > CUT * side)
    soft = ndimage.uniform_filter(lead.colors, (7, 7, 0))[row, column]
    colors = _unseen_colors(person, photos, samples, points, covered, lead.colors[row, column], offset)
    lid = texture_completion.eyelid_vertices(model)[model.faces[samples.face]].any(axis=1)
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
    return _fade_out(
        surfels(lead.surface, points, n, spread * samples.spacing, samples.face, colors, opacity), person, FADE_UNSEEN
    )


def _eye_backs(person: PersonHead) -> NDArray[np.bool_]:
    """(F,) faces on the back halves of the eyeballs, which no view shows."""
    model = person.model
    centre = person.rest[model.faces].mean(axis=1)
    back = np.zeros(len(model.faces), bool)
    for name in ("left_eye", "right_eye"):
        ball = model.region_faces(name)
        back |= ball & (centre[:, 2] < centre[ball, 2].mean())
    return back


def _fade_out(gaussians: BoundGaussians, person: PersonHead, span: tuple[float, float]) -> BoundGaussians:
    """Fade the lower end of the bust, between the heights `span`, and the arms: the cut mesh would show as a jagged edge."""
    centre = person.rest[person.model.faces[gaussians.face]].mean(axis=1)
    seen = np.clip((centre[:, 1] - span[0]) / (span[1] - span[0]), 0, 1)
    seen *= np.clip((ARMS[1] - np.abs(centre[:, 0])) / (ARMS[1] - ARMS[0]), 0, 1)
    faded = replace(gaussians, opacities=(gaussians.opacities * seen).astype(np.float32))
    return faded.select(faded.opacities > 0.02)


def _unseen_colors(
    person: PersonHead, photos: list[SourcePhoto], samples: Samples, points: Array, covered: NDArray[np.bool_],
    photo_colors: Array, offset: Array,
) -> Array:  # fmt: skip
    """Completed texture of the samples, (N, 3): skin by interpolation, hair by wrapping, then clothes, eyes and mouth, then
    whatever further photos show.

    covered: (N,) samples that the leading photo shows. photo_colors: (N, 3), the leading photo's pixels at the samples.
    """
    model, lead = person.model, photos[0]
    color, trust = texture_completion.vertex_colors(lead.surface, lead.portrait, lead.colors)
    head = np.zeros(model.vertex_count, bool)
    head[model.region_vertices("skin")] = True
    scalp, lids = texture_completion.scalp(model), texture_completion.eyelid_vertices(model)
    hair = head & (scalp | (np.linalg.norm(offset, axis=1) > texture_completion.HAIR_VOLUME))
    hair |= texture_completion.long_hair(model, hair)
    skin = texture_completion.median_color(color, trust, head & ~hair & ~lids, np.array([0.62, 0.5, 0.44], np.float32))
    hair_tone = texture_completion.median_color(color, trust, scalp, skin)
    color = np.where(lids[:, None], LID_SHADE * texture_completion.lid_tones(model, person, color, trust, lids), color)
    sure = np.where(lids, LID_TRUST, trust * texture_completion.skin_weight(color, skin, hair_tone))
    completed = texture_completion.interpolate_colors(model, color, sure, head & ~hair)
    out = samples.at(model.faces, completed)
    region = model.region[samples.face]
    share = samples.at(model.faces, hair[:, None].astype(np.float32))[:, 0]
    on_hair = share > 0.35
    wrap = texture_completion.HairWrap(lead.surface, lead.portrait, lead.colors, hair, hair_tone, skin)
    if wrap.known and on_hair.any():
        share = np.clip((share[on_hair, None] - 0.35) / 0.3, 0, 1)
        out[on_hair] += share * (wrap.at(points[on_hair]) - out[on_hair])
    body = region == REGION["body"]
    away = samples.at(model.faces, lead.surface.normals)[:, 2] < 0.1
    cloth = clothes(lead.surface, lead.portrait, lead.colors, points[body], away[body], skin)
    if cloth is not None:
        out[body] = cloth
    eyes = np.isin(region, [REGION["left_eye"], REGION["right_eye"]])
    out[eyes] = texture_completion.eye_colors(person, samples, lead.photo.gaze, covered, photo_colors)[eyes]
    inner = np.isin(region, [REGION[r] for r in mouth.INNER])
    teeth = mouth.teeth_tone(*mouth.shown(lead.surface, lead.portrait, lead.colors))
    light = mouth.light_on_face(model, color, trust, float(skin.mean()))
    out[inner] = mouth.mouth_colors(person, samples, completed, light, texture_completion.saturation(skin), teeth)[inner]
    outer = np.isin(region, [REGION["skin"], REGION["body"]])
    for other in photos[1:]:
        _fill_from(other, lead, samples, out, outer & ~covered, color, trust)
    return out


def _fill_from(
    other: SourcePhoto, lead: SourcePhoto, samples: Samples, out: Array, open_: NDArray[np.bool_], color: Array, trust: Array
) -> None:
    """Write the colours of samples that `other` shows into `out`, with gains that match them to the leading photo.

    open_: (N,) samples without a colour from a photo; those that get one here are cleared in place. color: (V, 3) and trust:
    (V,), the leading photo's vertex colours (`texture_completion.vertex_colors`).
    """
    model = other.surface.model
    theirs, seen = texture_completion.vertex_colors(other.surface, other.portrait, other.colors)
    both = (seen > 0.1) & (trust > 0.1)
    gain = np.ones((len(samples.face), 3), np.float32)
    if both.sum() > 50:  # the light differs between the photos, and not equally everywhere
        ratio = np.clip(color / np.maximum(theirs, 0.02), *GAINS) / GAINS[1]
        smooth = texture_completion.interpolate_colors(model, ratio, np.where(both, 0.3, 0.0), np.ones(model.vertex_count, bool))
        gain = samples.at(model.faces, smooth * GAINS[1])
    points, normals = samples.at(model.faces, other.surface.vertices), samples.at(model.faces, other.surface.normals)
    visible, xy, facing = other.surface.visible(points, normals)
    side = other.portrait.matte.shape[0]
    column, row = np.clip(np.floor(xy).astype(int), 0, side - 1).T
    use = open_ & visible & (facing > texture_completion.SQUARE_ON) & (other.portrait.matte[row, column] > 0.9)
    use &= other.portrait.inside[row, column]
    out[use] = np.clip(other.colors[row, column][use] * gain[use], 0, 1)
    open_ &= ~use
