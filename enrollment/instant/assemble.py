"""Assemble the instant avatar's Gaussians: those lifted from the leading photo, and samples of the remaining surface with
completed texture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from enrollment.instant import brows, eyes, hair_texture, lashes, mouth, texture_completion
from enrollment.instant.beside import sorted_out
from enrollment.instant.bust import Bust, bottom
from enrollment.instant.clothes import BodyPoints, Clothing
from enrollment.instant.crumpled import unfolded
from enrollment.instant.far_half import SPACING as FAR_SPACING
from enrollment.instant.far_half import FarHalf
from enrollment.instant.fit import HeadFit, PhotoFit
from enrollment.instant.floating import floating
from enrollment.instant.grazing import CompletedTexture, color_confidence, rear, sides, toned, trust_at_sides
from enrollment.instant.hair_texture import HairCover, ShownHair
from enrollment.instant.lid_skin import LidSkin
from enrollment.instant.lift import lift, surfels
from enrollment.instant.mirrored import NOT_HAIR, Mirrored, mixed
from enrollment.instant.neckline import cloth_share
from enrollment.instant.nonrigid_registration import landmark_offset, posed
from enrollment.instant.outline import CUT, Outline, drawn_in_from
from enrollment.instant.own_view import OwnView, fit_own_view
from enrollment.instant.photo_edge import shown_part
from enrollment.instant.rim_light import without_rim_light
from enrollment.instant.surface import Samples, VisibleSurface, sample, steadiness, stretch_ratios
from enrollment.instant.surface_labels import PixelLabels, ear_shade, ears, hair_share, shares_at, skin_share
from enrollment.instant.torn import mended
from enrollment.portrait.portrait import Portrait
from models import binding
from models.binding import BoundGaussians, Frames
from models.heads.base import REGION, REGIONS, HeadModel, PersonHead
from models.types import Array

SPACING = {
    "skin": 0.0042, "body": 0.0065, "left_eye": 0.0, "right_eye": 0.0, "eye_socket": 0.0, "mouth_inside": 0.0045,
    "tongue": 0.0022, "upper_teeth": 0.0014, "lower_teeth": 0.0014,
}  # fmt: skip
"""Metres between neighbouring Gaussians on the surface that the photo does not show, by region; 0: none."""
LID_SPACING = 0.0016
"""Metres between neighbouring Gaussians around the eyes: eyelids unfold in a blink, and coarser ones stick out of the corners."""
NECK = -0.03
"""Sum of a skin point's height and depth on the template, metres, under which it belongs to the neck or the nape."""
SPREAD, SPREAD_PLAIN, SPREAD_HAIR = 0.7, 0.85, 0.78
"""Standard deviation of a Gaussian relative to its spacing, on neck, body, cheeks beside the ears and the far half of a turned
face, and on hair: wider, as cracks show there."""
HAIR_RIM, RIM_STRETCH = 0.03, 2.0
"""Distance within the photo's outline up to which hair is finer, picture sides, and how long its strands are there: longer ones
stick out."""
CUT_WIDTH, CUT_SPACING = 0.04, 0.0045
"""Distance from the bust's cut within which Gaussians are so far apart, metres: a fade of coarse ones would be frayed."""
MOST_GAUSSIANS = 57_800
"""About how many there may be before the bust's bottom is added (long hair makes the most); when there are more, those that the
photo does not show are thinned out."""
LEAST_LEFT = 0.3
"""Part of those that is left at least."""
LID_SHADE, LID_TRUST = 0.95, 0.2
"""Brightness of an eyelid relative to the skin around the eye, and weight of that colour in the colour interpolation."""
STRETCH = (1.5, 2.5)
"""Factors of enlargement by some expression between which a face's lifted pixels fade out: they would be enlarged as well."""
LEAST_STEADY = 0.25
"""Part of their opacity that lifted pixels keep of the dark line between the lips, and at most of the lids, where shadow lies."""
SKIN = 0.7
"""Share of skin from which a vertex of the body says what colour the nape has."""
CLAD = (0.35, 0.65)
"""Shares of cloth at a sample between which its colour goes from the skin's to the cloth's."""
ASLANT = (0.15, 0.45)
"""Cosines between normal and view direction between which the confidence in a pixel grows."""
UNDERLAY = 0.0025
"""Depth under the surface of a coarse second layer of skin and cloth, metres; it closes cracks between the lifted Gaussians."""
FINE_UNDERLAY, LID_PHOTO = 0.0008, 0.25
"""Depth of that second layer around eyes and mouth, metres, and the share of the photo's colour in it where an eyelid unfolds."""
RIM_SHADE = 0.5
"""Brightness of the rims of the eyelids, on which the lashes stand, relative to the eyelids: the line of a shut eye."""
KEEPS_COLOR = 0.25
"""Weight of the far half from which a lifted pixel keeps its colour, mixed with that of its twin, in the photo's own view."""
MIRRORED_COLOR = 0.08
"""Largest change of a mirrored Gaussian's colour in the photo's own view."""


@dataclass(frozen=True)
class SourcePhoto:
    """One photo: portrait, fitted pose, the surface visible in it, and its foreground colours (S, S, 3) without rim light."""

    portrait: Portrait
    photo: PhotoFit
    surface: VisibleSurface
    colors: Array

    @cached_property
    def outline(self) -> Outline:
        """The person's outline in it."""
        return Outline.of(self.portrait)

    @cached_property
    def shown(self) -> Array:
        """(S, S) confidence in each of its pixels, `shown_part`."""
        return shown_part(self.surface, self.portrait)

    @cached_property
    def clothing(self) -> Clothing | None:
        """What it shows of clothes."""
        return Clothing.of(self.surface, self.portrait, self.colors, PixelLabels.of(self.portrait).cloth)

    @cached_property
    def cloth(self) -> Array:
        """(V,) how much each vertex is cloth, `cloth_share`."""
        return cloth_share(self.surface, self.portrait)

    def shares(self, at: Frames, gaussians: BoundGaussians, *names: str, unknown: float = 1.0) -> Array:
        """(N,) probability of some of the parsing's classes at Gaussians. at: the triangles, posed as in it."""
        xy = self.surface.camera.project(binding.to_world(gaussians, at).means)
        return shares_at(self.portrait, xy, *names, unknown=unknown)

    @cached_property
    def teeth(self) -> Array | None:
        """Colour (3,) of the teeth that it shows."""
        return mouth.teeth_tone(*mouth.shown(self.surface, self.portrait, self.colors))


def build_gaussians(
    person: PersonHead, fit: HeadFit, portraits: list[Portrait], offset: Array, *, ends: bool = True
) -> BoundGaussians:
    """All Gaussians of the avatar. person: the head with the static offset (V, 3) applied. The first portrait leads: its pixels
    are lifted; the others colour what it hides. ends: whether the bust ends at its cut."""
    model = person.model
    photos = [_source_photo(person, fit, offset, i, p) for i, p in enumerate(portraits)]
    lead = photos[0]
    ratios = stretch_ratios(person, lead.photo.coefficients)
    avoid = (ratios > STRETCH[1]) & (model.region == REGION["skin"])
    avoid |= model.region_faces(*_hidden_inside(lead), *eyes.EYES)
    face = _face_area(model, person)
    shown = lift(lead.surface, lead.portrait, lead.colors, face, avoid, lead.shown)
    steady = np.where(model.region == REGION["skin"], steadiness(model, ratios, STRETCH), 1.0).astype(np.float32)
    stays = np.where(lashes.unfolding_lids(model), np.minimum(steady, LEAST_STEADY), np.maximum(steady, LEAST_STEADY))
    shown = replace(shown, opacities=(shown.opacities * stays[shown.face]).astype(np.float32)).valid()
    share = hair_share(lead.surface, lead.portrait, offset)
    far = FarHalf.of(lead.surface, lead.portrait, share, face, [p.surface for p in photos[1:]])
    shown_hair = ShownHair.of(lead.surface, lead.portrait, lead.colors, share)
    bust = Bust.of(person, shown) if ends else Bust.endless()
    shown = shown.select(bust.within(shown, person))
    at = binding.frames(lead.surface.vertices, model.faces)
    shown = shown.select(~far.wholly()[shown.face] | (lead.shares(at, shown, "face_skin", "body_skin") <= 0.5))
    shown = mixed(shown, at, far, lead.colors)
    hairy = share[model.faces].mean(axis=1)
    shown, strange = sorted_out(shown, lead.surface, lead.portrait, hairy, lead.cloth[model.faces].mean(axis=1))
    unseen, texture = _unseen_gaussians(person, photos, share, shown_hair, far, bust, steady)
    world, part = binding.to_world(shown, at), sides(model, share, lead.cloth, lead.portrait)[model.faces].mean(axis=1)
    strange |= texture.off_skin(lead.surface, lead.portrait, world)
    hair, grown = lead.shares(at, shown, "hair", unknown=0.0), hairy * model.region_faces("skin")
    shown, held, tones = texture.without_smears(shown, world, part, strange, rear(model, lead.portrait), hair, grown)
    twins = Mirrored.of(shown, person, far, hairy > 0.5)
    clad = lead.cloth[model.faces].mean(axis=1) > CLAD[0]
    allowed = _near_outline(lead, at, twins.gaussians) & twins.alike(shown, clad, lead.shares(at, shown, *NOT_HAIR) > 0.5)
    twins = twins.kept(allowed & ~texture.denied(twins.gaussians, binding.to_world(twins.gaussians, at), part))
    if (over := len(shown) + len(twins.source) + len(unseen) - MOST_GAUSSIANS) > 0:
        plain = int(_plain(model, far)[unseen.face].sum())
        coarser = np.sqrt(plain / max(plain - over, LEAST_LEFT * plain))
        unseen, _ = _unseen_gaussians(person, photos, share, shown_hair, far, bust, steady, coarser)
    unseen = toned(unseen.valid(), at, np.maximum(part, grown), tones)
    made = BoundGaussians.concatenate([shown, twins.gaussians, unseen])
    made = unfolded(made, at, rest := binding.frames(person.rest, model.faces))
    loose = floating(binding.to_world(made, rest).means)
    made = made.select(~loose | (np.arange(len(made)) < len(made) - len(unseen)))
    lid = texture_completion.eyelid_vertices(model)[model.faces[made.face]].any(axis=1)
    handed_over = far.weight[model.faces[made.face]].mean(axis=1) > KEEPS_COLOR
    skin = (model.region_faces("skin") & (share[model.faces].mean(axis=1) < 0.5) & ~far.fine())[made.face]
    view = OwnView(lead.portrait, lead.surface.camera, at, lead.shown, lead.colors)
    handed_over[len(shown) :], mirrored = False, slice(len(shown), len(shown) + len(twins.source))
    before = made.colors[mirrored]
    fixed = (lid | handed_over).astype(np.float32)
    fixed[: len(shown)] = np.maximum(fixed[: len(shown)], held)
    made = fit_own_view(made, mirrored.stop, skin, fixed, view)
    change = np.clip(made.colors[mirrored] - before, -MIRRORED_COLOR, MIRRORED_COLOR)
    followed = (1 - part[twins.gaussians.face])[:, None] * (twins.colors_like(made.colors) - before)  # sides differ in light
    made.colors[mirrored] = before + followed + change
    shell = bust.fade(made.valid(), person)
    if not ends:
        return shell
    holds = partial(lead.outline.holds, at=view.at, camera=lead.surface.camera)
    return BoundGaussians.concatenate([shell, bottom(bust, person, shell, holds)])


def _near_outline(lead: SourcePhoto, at: Frames, gaussians: BoundGaussians) -> NDArray[np.bool_]:
    """(N,) which Gaussians of a face do not lie far out in what the photo shows as background, nor where it shows clothes, which
    they would cover. at: the triangles, posed as in the photo."""
    xy, side = lead.surface.camera.project(binding.to_world(gaussians, at).means), len(lead.portrait.matte)
    clothes = lead.shares(at, gaussians, "clothes", unknown=0.0) > 0.5
    return np.asarray((lead.outline.within(xy) > -CUT * side) & ~clothes)


def _hidden_inside(lead: SourcePhoto) -> tuple[str, ...]:
    """Regions of the mouth that are made up: the cavity, whose pixels are shadow, and teeth that the photo hardly shows."""
    return mouth.INNER if lead.teeth is None else ("mouth_inside", "tongue")


def _source_photo(person: PersonHead, fit: HeadFit, offset: Array, index: int, portrait: Portrait) -> SourcePhoto:
    photo, model = fit.photos[index], person.model
    if index > 0:  # the head is registered to each further photo's landmarks before colours are read from that photo
        person = replace(person, rest=person.rest + landmark_offset(model, fit.identity, photo, portrait, base=offset))
    surface = VisibleSurface.of(model, posed(person, photo), photo.camera(portrait))
    return SourcePhoto(portrait, photo, surface, without_rim_light(surface, portrait, portrait.colors))


def _face_area(model: HeadModel, person: PersonHead) -> NDArray[np.bool_]:
    """(F,) faces near the landmarks, which get the finest grid of lifted pixels."""
    marks = person.landmarks(person.rest)[model.landmark_weight > 0.2]
    centre = person.rest[model.faces].mean(axis=1)
    low, high = marks.min(axis=0) - 0.004, marks.max(axis=0) + 0.004
    near = ((centre > low) & (centre < high)).all(axis=1)
    return np.asarray(near & (model.region != REGION["body"]))


def _unseen_gaussians(
    person: PersonHead, photos: list[SourcePhoto], share: Array, shown_hair: ShownHair | None, far: FarHalf, bust: Bust,
    steady: Array, coarser: float = 1.0,
) -> tuple[BoundGaussians, CompletedTexture]:  # fmt: skip
    """Gaussians on the surface that the leading photo does not show, and a second layer of skin under what it does show; and the
    texture all over the surface, without the photo's own pixels. share: (V,)
    `hair_share`. steady: (F,) in [0, 1], 0 for faces that an expression unfolds. coarser: times their usual distance, on
    skin, hair and cloth."""
    model, lead = person.model, photos[0]
    spacing = np.array([SPACING[REGIONS[r]] for r in model.region], np.float32)
    lids, lips, mirrored = texture_completion.around_eyes(model), _lips(model), far.fine()
    fine = lids | lips
    spacing[lids] = LID_SPACING
    spacing[lips] = mouth.LIP_SPACING
    half_far = mirrored & ~far.copied() & model.region_faces("skin")
    spacing[half_far] = np.minimum(spacing[half_far], FAR_SPACING)
    balls = eyes.eyeballs(person, lead.surface, lead.portrait, far.eyes())
    spacing += eyes.spacings(person, balls)
    spacing = hair_texture.spacings(lead.surface, share, spacing)
    at_cut = np.abs(bust.depth(person.rest[model.faces].mean(axis=1))) < CUT_WIDTH
    spacing[at_cut & model.region_faces("skin", "body")] = CUT_SPACING
    spacing[_plain(model, far)] *= coarser
    samples = sample(person, spacing)
    samples = samples.select(bust.depth(samples.at(model.faces, person.rest)) > 0)
    vertices, normals = lead.surface.vertices, lead.surface.normals
    points, n = samples.at(model.faces, vertices), samples.at(model.faces, normals)
    seen, xy, facing = lead.surface.visible(points, n)
    side = lead.portrait.matte.shape[0]
    column, row = np.clip(np.floor(xy).astype(int), 0, side - 1).T
    inside = (xy >= 0).all(axis=1) & (xy < side).all(axis=1) & lead.portrait.inside[row, column]
    covered = seen & (facing > texture_completion.SQUARE_ON) & inside & (lead.portrait.matte[row, column] > 0.5)
    covered = (covered & ~mirrored[samples.face]) | (far.copied() & model.region_faces("skin"))[samples.face]
    furthest = drawn_in_from(model, samples.face)
    drawn_in = partial(lead.outline.drawn_in, camera=lead.surface.camera)
    on_mesh, (points, outside) = points, drawn_in(points, samples.spacing, furthest=furthest)
    copied, closing = mended(on_mesh, points, samples.spacing, lambda *at: drawn_in(*at, furthest=at[1])[0])
    soft = ndimage.uniform_filter(lead.colors, (7, 7, 0))[row, column]
    down = lead.photo.rotation @ (0.0, -1.0, 0.0)
    hair = hair_texture.cover(shown_hair, share, samples, points, n, down.astype(np.float32))
    clad = _clad(lead, samples)
    colors = _unseen_colors(person, photos, samples, points, covered, share, hair, clad, balls, far)
    texture = CompletedTexture(points, colors.copy(), hair.part)
    lid = texture_completion.eyelid_vertices(model)[model.faces[samples.face]].any(axis=1)
    skin = np.isin(model.region[samples.face], [REGION["skin"], REGION["body"]])
    shown = seen & inside & (lead.portrait.matte[row, column] > 0.8) & skin
    unfolds, body = lid * (1 - steady[samples.face]), model.region[samples.face] == REGION["body"]
    brow = brows.brow_pixels(lead.portrait, lead.colors)[row, column]
    part = (1 - (1 - LID_PHOTO * ~brow) * unfolds) * _pixel_confidence(lead.portrait, hair.part, clad, facing, row, column)
    beside = sides(model, share, lead.cloth, lead.portrait)
    at_side = samples.at(model.faces, beside[:, None])[:, 0]
    doubted = np.where(covered, at_side, np.where(body, 0.0, 1.0))
    part *= (1 - doubted * (1 - color_confidence(facing, soft, colors, hair.part))) * (1 - at_side)
    part *= (1 - far.at(samples)) * lead.shown[row, column]
    part[covered & body] = 1.0  # what lies under the lifted cloth is that cloth
    colors[shown] += part[shown, None] * (soft[shown] - colors[shown])
    colors = mouth.without_lip_line(model, samples, colors)
    colors[texture_completion.eyelid_rims(model)[samples.face]] *= RIM_SHADE
    under = covered & skin
    points = np.where(under[:, None], points - np.where(fine[samples.face], FINE_UNDERLAY, UNDERLAY)[:, None] * n, points)
    ball = np.isin(model.region[samples.face], [REGION[name] for name in eyes.EYES])
    points = np.where(ball[:, None], points - eyes.RECESS * n, points)
    keep = (~covered | under | ball) & ~outside
    points = points + hair.relief[:, None] * n
    points, keep = np.concatenate([points[keep], closing[keep[copied]]]), np.append(np.flatnonzero(keep), copied[keep[copied]])
    samples, n, colors, hair = samples.select(keep), n[keep], colors[keep], hair.select(keep)
    opacity = np.full(len(points), 0.95, np.float32)
    neck = (model.region == REGION["skin"]) & (model.template[model.faces].mean(axis=1) @ (0, 1, 1) < NECK)
    plain = neck | (model.region == REGION["body"]) | mirrored
    plain |= ((beside * (1 - share) * ~np.any(ears(model), axis=0))[model.faces].mean(axis=1) > 0.5) & ~fine
    beyond = (seen & ~inside)[keep] & (hair.part == 0)  # a forehead that the photo's edge cuts
    spread = np.where(plain[samples.face] | beyond, SPREAD_PLAIN, np.where(ball[keep], eyes.SPREAD, SPREAD))
    at_rim = lead.outline.within(lead.surface.camera.project(points)) < HAIR_RIM * side
    spread = np.where((hair.stretch > 1) & ~plain[samples.face] & ~at_rim, SPREAD_HAIR, spread)
    stretch = np.where(at_rim, np.minimum(hair.stretch, RIM_STRETCH), hair.stretch)
    sigma = np.minimum(spread * samples.spacing, mouth.room(person, samples))
    at = binding.frames(vertices, model.faces)
    return surfels(at, points, hair.normals, sigma, samples.face, colors, opacity, along=hair.along, stretch=stretch), texture


def _lips(model: HeadModel) -> NDArray[np.bool_]:
    """(F,) the lips, outside and inside."""
    return np.asarray(mouth.inner_lips(model) | mouth.outer_lips(model))


def _plain(model: HeadModel, far: FarHalf) -> NDArray[np.bool_]:
    """(F,) skin, hair and cloth whose samples may lie further apart: not eyes, lips and the far half of a turned face."""
    return np.asarray(model.region_faces("skin", "body") & ~texture_completion.around_eyes(model) & ~_lips(model) & ~far.fine())


def _clad(lead: SourcePhoto, samples: Samples) -> Array:
    """(N,) in [0, 1]: how much of each sample is cloth; 0 on the head."""
    model = lead.surface.model
    cloth = samples.at(model.faces, lead.cloth[:, None])[:, 0]
    outer = np.isin(model.region[samples.face], [REGION["skin"], REGION["body"]])
    return np.where(outer, np.clip((cloth - CLAD[0]) / (CLAD[1] - CLAD[0]), 0, 1), 0.0).astype(np.float32)


def _pixel_confidence(
    portrait: Portrait, hair: Array, clad: Array, facing: Array, row: NDArray[np.int64], column: NDArray[np.int64]
) -> Array:
    """(N,) in [0, 1]: how far the pixel at each sample is taken for its colour: hair over a cheek is not the cheek's, a collar
    before a neck or a jaw not theirs, and what is seen aslant is smeared from the side. hair, clad: (N,) how much of each sample
    is hair and cloth."""
    square = np.clip((facing - ASLANT[0]) / (ASLANT[1] - ASLANT[0]), 0, 1)
    if portrait.parsing is None:
        return square
    skin = portrait.parsing.share("face_skin", "body_skin")[row, column]
    cloth = portrait.parsing.share("clothes")[row, column]
    return np.asarray(square * np.clip(hair + skin + cloth * clad, 0, 1) ** 2, np.float32)


def _unseen_colors(
    person: PersonHead, photos: list[SourcePhoto], samples: Samples, points: Array, covered: NDArray[np.bool_], share: Array,
    cover: HairCover, clad: Array, balls: dict[str, eyes.Eyeball], far: FarHalf,
) -> Array:  # fmt: skip
    """Completed texture of the samples, (N, 3): skin by interpolation, then clothes and hair, eyes and mouth, then whatever
    further photos show.

    covered: (N,) samples that the leading photo shows. share: (V,) `hair_share`. clad: (N,) `_clad`.
    """
    model, lead = person.model, photos[0]
    color, trust = texture_completion.vertex_colors(lead.surface, lead.portrait, lead.colors)
    color, trust = far.colors(color), far.mixed(trust)
    skinny = far.mixed(skin_share(lead.surface, lead.portrait))
    head = np.zeros(model.vertex_count, bool)
    head[model.region_vertices("skin")] = True
    lids = texture_completion.eyelid_vertices(model)
    hair = share > 0.5
    sure = trust * skinny * trust_at_sides(lead.surface, sides(model, share, lead.cloth, lead.portrait))
    skin = texture_completion.median_color(color, sure, head & ~hair & ~lids, np.array([0.62, 0.5, 0.44], np.float32))
    color = np.where(lids[:, None], LID_SHADE * texture_completion.lid_tones(model, person, color, sure, lids), color)
    sure = np.where(lids, LID_TRUST, sure)
    body = np.zeros(model.vertex_count, bool)
    body[model.region_vertices("body")] = True
    sure = np.where(body & ~head & (skinny < SKIN), 0.0, sure)  # a collar does not tint a nape
    color, sure = texture_completion.bare_behind(model, color, sure)
    completed = texture_completion.interpolate_colors(model, color, sure, (head | body) & ~hair)
    out = samples.at(model.faces, completed * ear_shade(model, person.rest)[:, None])
    far.paint(lead.portrait, samples, out, lead.colors)
    LidSkin.of(person, lead.photo, lead.surface, lead.portrait, lead.colors).paint(samples, out, 1 - far.at(samples))
    region = model.region[samples.face]
    outer = np.isin(region, [REGION["skin"], REGION["body"]])
    on = clad > 0
    away = samples.at(model.faces, lead.surface.normals)[:, 2] < 0.1
    on_body = BodyPoints(points[on], samples.at(model.faces, person.rest)[on], away[on])
    if lead.clothing is not None:
        out[on] += clad[on, None] * (lead.clothing.at(on_body) - out[on])
    out += (cover.part * outer)[:, None] * (cover.colors - out)
    ball = np.isin(region, [REGION[name] for name in eyes.EYES])
    read = eyes.eye_colors(person, balls, samples, lead.surface, lead.portrait, lead.colors, far.eyes())
    out[ball] = read[ball]
    inner = np.isin(region, [REGION[r] for r in mouth.INNER])
    saturation = texture_completion.saturation(skin)
    light = mouth.light_on_face(model, color, trust, float(skin.mean())) * mouth.cast(skin, saturation)
    out[inner] = mouth.mouth_colors(person, samples, completed, light, saturation, lead.teeth)[inner]
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
    theirs = texture_completion.vertex_colors(other.surface, other.portrait, other.colors)
    gain = samples.at(model.faces, texture_completion.matching_gains(model, (color, trust), theirs))
    points, normals = samples.at(model.faces, other.surface.vertices), samples.at(model.faces, other.surface.normals)
    visible, xy, facing = other.surface.visible(points, normals)
    side = other.portrait.matte.shape[0]
    column, row = np.clip(np.floor(xy).astype(int), 0, side - 1).T
    use = open_ & visible & (facing > texture_completion.SQUARE_ON) & (other.portrait.matte[row, column] > 0.9)
    use &= other.portrait.inside[row, column]
    out[use] = np.clip(other.colors[row, column][use] * gain[use], 0, 1)
    open_ &= ~use
