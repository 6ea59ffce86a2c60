"""What a photo shows of the sides of the head at a grazing angle counts only where it is like the completed texture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from enrollment.instant.grazing import CompletedTexture, color_confidence, rear, sides, toned, trust_at_sides
from enrollment.instant.nonrigid_registration import posed
from enrollment.instant.pipeline import Enrollment
from enrollment.instant.side_tones import SurfaceBlur
from enrollment.instant.surface import VisibleSurface
from models.binding import BoundGaussians, Frames
from models.heads.base import HeadModel
from models.tracking.parsing import CLASSES, Parsing
from models.types import Array, Gaussians

ACROSS, STEP = 30, 0.0015
"""Pixels along a side of a patch, and metres between them."""
PALE, SHADED, DARK = (np.array(c, np.float32) for c in ((0.8, 0.6, 0.5), (0.75, 0.56, 0.46), (0.2, 0.1, 0.1)))


@dataclass(frozen=True)
class Side:
    """What is left of pixels on a pale surface at the side of a head."""

    gaussians: BoundGaussians
    held: Array
    tones: SurfaceBlur | None
    points: Array


def side(tilt: float, colors: Array, *, at_side: float = 1.0, rim: bool = False, hair: float = 0.0, bare: bool = True) -> Side:
    """colors: (3,) or (N, 3) of pixels, tilted by so many degrees against the view. at_side: how much they lie there. rim:
    whether off the mesh. hair: how much of them is hair. bare: whether the surface is skin."""
    x, y = (a.ravel() for a in np.meshgrid(np.arange(ACROSS) * STEP, np.arange(ACROSS) * STEP))
    points = np.stack([x, y, np.full(len(x), -1.0)], axis=1).astype(np.float32)
    count, half = len(points), np.deg2rad(tilt) / 2
    rotations = np.tile(np.array([np.cos(half), 0, np.sin(half), 0], np.float32), (count, 1))
    of, opacities = np.broadcast_to(colors, (count, 3)).astype(np.float32), np.full(count, 0.9, np.float32)
    scales = np.full((count, 3), 0.55 * STEP, np.float32)
    lifted = BoundGaussians(np.zeros(count, np.int32), points, rotations, scales, opacities, of)
    texture = CompletedTexture(points, np.tile(PALE, (count, 1)), np.full(count, not bare, np.float32))
    world = Gaussians(points, rotations, scales, opacities, of)
    part, shows = np.array([at_side], np.float32), np.full(count, hair, np.float32)
    return Side(
        *texture.without_smears(lifted, world, part, np.full(count, rim), np.zeros(1, bool), shows, 1 - np.float32([bare])),
        points,
    )


@pytest.mark.parametrize(
    ("tilt", "color", "at_side", "hair", "denied"),
    [(75, DARK, 1, 0, True), (75, SHADED, 1, 0, False), (20, DARK, 1, 0, False), (20, DARK, 1, 1, True), (75, DARK, 0, 0, False)],
    ids=["another colour, aslant", "alike, aslant", "square on", "a lock on bare skin", "on the face"],
)
def test_a_pixel_that_is_drawn_out_and_unlike_its_surroundings_takes_their_colour(
    tilt: float, color: Array, at_side: float, hair: float, denied: bool
) -> None:
    made = side(tilt, color, at_side=at_side, hair=hair)
    np.testing.assert_allclose(made.gaussians.colors, np.tile(PALE if denied else color, (ACROSS**2, 1)), atol=0.02)
    assert made.held.min() > 0.9 if denied else made.held.max() < 0.3
    assert made.gaussians.opacities.min() == pytest.approx(0.9), "nothing is left open"


def test_what_is_denied_is_like_the_believed_pixels_beside_it() -> None:
    """A flake would have the completed texture's colour, where all around it is in the shade."""
    colors = np.tile(SHADED, (ACROSS**2, 1))
    middle = ACROSS**2 // 2 + ACROSS // 2
    colors[middle] = DARK
    made = side(75, colors)
    assert np.abs(made.gaussians.colors[middle] - SHADED).max() < 0.3 * np.abs(SHADED - PALE).max()


def test_a_pixel_is_believed_as_far_as_those_around_it() -> None:
    """A single one that is alike, by chance, would be a speck."""
    colors = np.tile(DARK, (ACROSS**2, 1))
    middle = ACROSS**2 // 2 + ACROSS // 2
    colors[middle] = SHADED
    assert side(75, colors).held[middle] > 0.9


def test_strands_seen_aslant_are_the_completed_hairs_in_the_photos_tone() -> None:
    """Drawn out over the side of a head they would be smears."""
    shade = np.array([0.06, 0.05, 0.04], np.float32) * np.random.default_rng(3).normal(size=(ACROSS**2, 1)).astype(np.float32)
    aslant, square = (side(tilt, SHADED + shade, hair=1, bare=False).gaussians.colors for tilt in (80, 40))
    assert aslant.std(axis=0).max() < 0.5 * square.std(axis=0).max()
    assert np.abs(aslant.mean(axis=0) - SHADED).max() < 0.015


def test_all_hair_keeps_its_colours_and_gives_its_tone() -> None:
    """Where the photo's hair ends on the crown there would be a seam."""
    made, bald = (side(75, SHADED, at_side=0.0, bare=bare) for bare in (False, True))
    assert np.array_equal(made.gaussians.colors, np.tile(SHADED, (ACROSS**2, 1))) and made.held.max() == 0
    assert made.tones is not None and bald.tones is None
    middle = np.array([[0.5 * ACROSS * STEP] * 2 + [-1]], np.float32)
    np.testing.assert_allclose(made.tones.mean(middle, 0.01)[0], SHADED - PALE, atol=0.01)


def test_the_surface_beyond_the_last_pixel_goes_on_in_its_tone(model: HeadModel) -> None:
    made = side(75, SHADED)
    places = np.array([[0.5 * ACROSS * STEP] * 2 + [-1], [-0.005, 0.5 * ACROSS * STEP, -1], [-0.06, 0.0, -1]], np.float32)
    still, one = np.tile(np.array([1, 0, 0, 0], np.float32), (3, 1)), np.ones(3, np.float32)
    at = Frames(np.zeros((1, 3), np.float32), still[:1], one[:1])
    unseen = BoundGaussians(np.zeros(3, np.int32), places, still, 0.002 + 0 * places, one, np.tile(PALE, (3, 1)))
    under, beside, far = toned(unseen, at, one[:1], made.tones).colors
    assert np.abs(under - SHADED).max() < 0.01 and np.array_equal(far, PALE)
    assert SHADED[0] + 0.005 < beside[0] < PALE[0] - 0.005
    assert np.array_equal(toned(unseen, at, 0 * one[:1], made.tones).colors, unseen.colors), "only at the sides"
    assert toned(unseen, at, one[:1], None) is unseen


def test_what_is_mirrored_to_the_sides_is_like_them_or_left_out() -> None:
    points = np.tile(np.array([0.0, 0.0, -1.0], np.float32), (2, 1))
    still, one = np.tile(np.array([1, 0, 0, 0], np.float32), (2, 1)), np.ones(2, np.float32)
    colors = np.stack([DARK, SHADED])
    twins = BoundGaussians(np.zeros(2, np.int32), points, still, 0.001 + 0 * points, one, colors)
    texture = CompletedTexture(np.repeat(points, 4, axis=0), np.tile(PALE, (8, 1)), np.zeros(8, np.float32))
    world = Gaussians(points, still, twins.scales, one, colors)
    assert texture.denied(twins, world, one[:1]).tolist() == [True, False]
    assert not texture.denied(twins, world, 0 * one[:1]).any()


@pytest.mark.parametrize(
    ("part", "color", "gone"), [(0.2, DARK, True), (0.2, PALE, False), (1.0, DARK, False)], ids=["island", "alike", "closed"]
)
def test_a_pixel_that_stands_alone_takes_the_colour_around_it(part: float, color: Array, gone: bool) -> None:
    """From the side it would be a bead. part: of a surface that pixels cover."""
    x, y = (a.ravel() for a in np.meshgrid(np.arange(0, 0.06, 0.003), np.arange(0, 0.06, 0.003)))
    points = np.stack([x, y, np.full(len(x), -1.0)], axis=1).astype(np.float32)
    texture = CompletedTexture(points, np.tile(np.array(PALE, np.float32), (len(x), 1)), np.zeros(len(x), np.float32))
    near = points[x < 0.06 * part] if part == 1.0 else points[np.hypot(x - 0.03, y - 0.03) < 0.005]
    still = np.tile(np.array([1, 0, 0, 0], np.float32), (len(near), 1))
    colors, one = np.tile(np.array(color, np.float32), (len(near), 1)), np.full(len(near), 0.9, np.float32)
    world = Gaussians(near, still, np.full((len(near), 3), 0.001, np.float32), one, colors)
    lifted = BoundGaussians(np.zeros(len(near), np.int32), near, still, world.scales, one, colors)
    no, bare = np.zeros(1, bool), np.zeros(len(near), np.float32)
    kept, held, _ = texture.without_smears(lifted, world, bare[:1], np.zeros(len(near), bool), ~no, bare, bare[:1])
    assert len(kept) == len(near), "the outline stays"
    assert held.all() == gone and held.any() == gone, "and keeps its colour in the photo's own view"
    assert np.abs(kept.colors - (PALE if gone else color)).max() < 1e-6
    face, _, _ = texture.without_smears(lifted, world, bare[:1], np.zeros(len(near), bool), no, bare, bare[:1])
    assert np.array_equal(face.colors, colors)


def test_what_stands_off_the_mesh_counts_where_it_is_like_its_surroundings() -> None:
    """Along the outline of a jaw a photo's pixels are the background's too; from the side they would be a row of dots."""
    assert not len(side(0, DARK, rim=True).gaussians)
    made = side(0, SHADED, rim=True)
    assert made.gaussians.opacities.min() > 0.6 and made.held.min() == 1, "and is as dark as they are"


def test_only_skin_off_the_mesh_is_its_rim(enrolled: Enrollment, model: HeadModel) -> None:
    portrait, photo = enrolled.portraits[0], enrolled.fit.photos[0]
    surface = VisibleSurface.of(model, posed(enrolled.avatar.person(model), photo), photo.camera(portrait))
    side = len(portrait.matte)
    off = surface.fragments.face < 0
    row, column = np.nonzero(off)
    ray = np.stack([(column + 0.5 - side / 2), -(row + 0.5 - side / 2), np.zeros(len(row))], axis=1)
    points = (ray + np.array([side / 2 - surface.camera.cx, surface.camera.cy - side / 2, 0])) / surface.camera.fx
    points[:, 2] = -1.0
    count = len(points)
    still = np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1))
    one = np.ones((count, 3), np.float32)
    world = Gaussians(points.astype(np.float32), still, one, one[:, 0], one)
    places = points[:: max(1, count // 4000)].astype(np.float32)
    hairy, bald = (CompletedTexture(places, places, np.full(len(places), share, np.float32)) for share in (1.0, 0.0))
    whole = hairy.off_skin(surface, replace(portrait, parsing=None), world)
    rim, locks = hairy.off_skin(surface, portrait, world), bald.off_skin(surface, portrait, world)
    assert whole.mean() > 0.99 and rim.any()
    assert portrait.parsing is not None
    hair, cloth = (portrait.parsing.most(name)[row, column] for name in ("hair", "clothes"))
    assert not (rim & (hair | cloth | portrait.hairy[row, column])).any(), "nor are single strands around hair"
    assert locks[hair & ~cloth].all() and not (locks & cloth).any(), "a lock that is drawn onto bare skin is not the skin's"


def test_the_sides_are_ears_and_cheeks_before_them_but_not_the_face(enrolled: Enrollment, model: HeadModel) -> None:
    portrait, bare = enrolled.portraits[0], np.zeros(model.vertex_count, np.float32)
    part = sides(model, bare, bare, replace(portrait, parsing=None))
    x, y, z = np.abs(model.template[:, 0]), model.template[:, 1], model.template[:, 2]
    head = np.isin(np.arange(model.vertex_count), model.region_vertices("skin"))
    assert part[head & (x > 0.06) & (np.abs(y) < 0.03) & (z < 0.02)].min() > 0.99
    assert part[(z > 0.096) | ((x < 0.03) & (y > -0.084)) | (y < -0.13)].max() == 0
    assert part[head & (x < 0.01) & (z < 0.05) & (np.abs(y + 0.104) < 0.004)].min() > 0.9, "the throat under the jaw"
    clad = sides(model, bare, bare + 1, replace(portrait, parsing=None))
    assert clad[x < 0.03].max() == 0 and np.array_equal(clad[x > 0.055], part[x > 0.055]), "a collar before it is none"
    assert part[(z > 0.08) & (y > 0.02)].max() == 0, "no brow and no lash"
    assert part[head & (x > 0.057) & (z < 0.068) & (np.abs(y + 0.03) < 0.03)].min() > 0.6, "the outline of a cheek"
    assert part[head & (x > 0.05) & (y > -0.1) & (y < -0.07) & (z < 0)].min() > 0.5, "the neck, beside which collars stand"
    photo = enrolled.fit.photos[0]
    surface = VisibleSurface.of(model, posed(enrolled.avatar.person(model), photo), photo.camera(portrait))
    trust = trust_at_sides(surface, part)
    _, _, facing = surface.visible(surface.vertices, surface.normals)
    assert trust[(part == 0) | (facing > 0.7)].min() == 1
    assert trust[(part == 1) & (facing < 0.3)].max() < 0.2


def test_behind_the_face_all_of_a_head_is_looked_at_but_no_hat(enrolled: Enrollment, model: HeadModel) -> None:
    portrait, everywhere = replace(enrolled.portraits[0], parsing=None), np.ones(model.vertex_count, np.float32)
    behind = rear(model, portrait)
    z = model.template[model.faces].mean(axis=1)[:, 2]
    assert behind[model.region_faces("skin") & (z < 0) & (model.template[model.faces][..., 1].min(axis=1) > -0.1)].all()
    assert not behind[(z > 0.03) | model.region_faces("body")].any()
    shares = np.zeros((*portrait.matte.shape, len(CLASSES)), np.float32)
    shares[..., CLASSES.index("clothes")] = 1.0
    hat = replace(portrait, parsing=Parsing(shares))
    assert not rear(model, hat).any()
    bare = 0 * everywhere
    assert sides(model, everywhere, bare, hat).max() == 0 and sides(model, bare, bare, hat).max() == 1


def test_a_pixel_of_another_colour_than_the_surface_around_it_hardly_counts() -> None:
    """At the edge of what a photo shows it is a strand, an ear or a shadow; hair has many colours of its own."""
    skin, strand = np.array([0.7, 0.52, 0.44], np.float32), np.array([0.3, 0.2, 0.15], np.float32)
    seen, bare = np.stack([skin, 0.95 * skin, strand]), np.zeros(3, np.float32)
    same, shaded, other = color_confidence(bare, seen, np.tile(skin, (3, 1)), bare)
    assert same == 1.0 and shaded > 0.8 and other < 0.01
    assert color_confidence(bare, seen, np.tile(skin, (3, 1)), bare + 1)[2] > 5 * other
