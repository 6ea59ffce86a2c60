"""What a photo shows of the sides of the head at a grazing angle counts only where it is like the completed texture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from enrollment.instant.grazing import CompletedTexture, color_confidence, sides, trust_at_sides
from enrollment.instant.nonrigid_registration import posed
from enrollment.instant.pipeline import Enrollment
from enrollment.instant.surface import VisibleSurface
from models.binding import BoundGaussians
from models.heads.base import HeadModel
from models.types import Gaussians

COUNT = 60
PALE, DARK = (0.8, 0.6, 0.5), (0.2, 0.1, 0.1)


def left(tilt: float, color: tuple[float, float, float], at_side: float, rim: bool = False) -> float:
    """Part of their opacity that pixels of a colour keep on a pale surface, tilted by so many degrees against the view."""
    rng = np.random.default_rng(1)
    points = (rng.uniform(-0.02, 0.02, (COUNT, 3)) - (0, 0, 1)).astype(np.float32)
    half = np.deg2rad(tilt) / 2
    rotations = np.tile(np.array([np.cos(half), 0, np.sin(half), 0], np.float32), (COUNT, 1))
    colors, opacities = np.tile(np.array(color, np.float32), (COUNT, 1)), np.full(COUNT, 0.9, np.float32)
    scales = np.full((COUNT, 3), 0.001, np.float32)
    lifted = BoundGaussians(np.zeros(COUNT, np.int32), points, rotations, scales, opacities, colors)
    texture = CompletedTexture(points, np.tile(np.array(PALE, np.float32), (COUNT, 1)), np.zeros(COUNT, np.float32))
    world = Gaussians(points, rotations, scales, opacities, colors)
    nowhere = np.zeros(1, bool)
    kept, _ = texture.without_smears(lifted, world, np.array([at_side], np.float32), np.full(COUNT, rim), nowhere)
    return float(kept.opacities.sum() / opacities.sum())


@pytest.mark.parametrize(
    ("tilt", "color", "at_side", "part"),
    [(75, DARK, 1.0, 0.0), (75, PALE, 1.0, 1.0), (20, DARK, 1.0, 1.0), (75, DARK, 0.0, 1.0)],
    ids=["another colour, aslant", "alike, aslant", "square on", "on the face"],
)
def test_a_pixel_that_is_drawn_out_and_unlike_its_surroundings_is_left_out(
    tilt: float, color: tuple[float, float, float], at_side: float, part: float
) -> None:
    assert left(tilt, color, at_side) == pytest.approx(part, abs=0.02)


@pytest.mark.parametrize(
    ("part", "color", "gone"), [(0.2, DARK, True), (0.2, PALE, False), (1.0, DARK, False)], ids=["island", "alike", "closed"]
)
def test_a_pixel_that_stands_alone_takes_the_colour_around_it(part: float, color: tuple[float, float, float], gone: bool) -> None:
    """From the side it would be a bead. part: of a surface that pixels cover."""
    x, y = (a.ravel() for a in np.meshgrid(np.arange(0, 0.06, 0.003), np.arange(0, 0.06, 0.003)))
    points = np.stack([x, y, np.full(len(x), -1.0)], axis=1).astype(np.float32)
    texture = CompletedTexture(points, np.tile(np.array(PALE, np.float32), (len(x), 1)), np.zeros(len(x), np.float32))
    near = points[x < 0.06 * part] if part == 1.0 else points[np.hypot(x - 0.03, y - 0.03) < 0.005]
    still = np.tile(np.array([1, 0, 0, 0], np.float32), (len(near), 1))
    colors, one = np.tile(np.array(color, np.float32), (len(near), 1)), np.full(len(near), 0.9, np.float32)
    world = Gaussians(near, still, np.full((len(near), 3), 0.001, np.float32), one, colors)
    lifted = BoundGaussians(np.zeros(len(near), np.int32), near, still, world.scales, one, colors)
    kept, held = texture.without_smears(lifted, world, np.zeros(1, np.float32), np.zeros(len(near), bool), np.ones(1, bool))
    assert len(kept) == len(near), "the outline stays"
    assert held.all() == gone and held.any() == gone, "and keeps its colour in the photo's own view"
    assert np.abs(kept.colors - (PALE if gone else color)).max() < 1e-6
    face, _ = texture.without_smears(lifted, world, np.zeros(1, np.float32), np.zeros(len(near), bool), np.zeros(1, bool))
    assert np.array_equal(face.colors, colors)


def test_what_stands_off_the_mesh_counts_where_it_is_like_its_surroundings() -> None:
    """Along the outline of a jaw a photo's pixels are the background's too; from the side they would be a row of dots."""
    assert left(0, DARK, 1.0, rim=True) == pytest.approx(0, abs=0.02)
    assert left(0, PALE, 1.0, rim=True) == pytest.approx(1, abs=0.02)


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
    assert not (rim & (hair | cloth)).any()
    assert locks[hair & ~cloth].all() and not (locks & cloth).any(), "a lock that is drawn onto bare skin is not the skin's"


def test_the_sides_are_ears_and_cheeks_before_them_but_not_the_face(enrolled: Enrollment, model: HeadModel) -> None:
    portrait, bare = enrolled.portraits[0], np.zeros(model.vertex_count, np.float32)
    part = sides(model, bare, replace(portrait, parsing=None))
    x, y, z = np.abs(model.template[:, 0]), model.template[:, 1], model.template[:, 2]
    head = np.isin(np.arange(model.vertex_count), model.region_vertices("skin"))
    assert part[head & (x > 0.06) & (np.abs(y) < 0.03) & (z < 0.02)].min() > 0.99
    assert part[(z > 0.096) | (x < 0.03) | (y < -0.13)].max() == 0
    assert part[(z > 0.08) & (y > 0.02)].max() == 0, "no brow and no lash"
    assert part[head & (x > 0.057) & (z < 0.068) & (np.abs(y + 0.03) < 0.03)].min() > 0.6, "the outline of a cheek"
    assert part[head & (x > 0.05) & (y > -0.1) & (y < -0.07) & (z < 0)].min() > 0.5, "the neck, beside which collars stand"
    photo = enrolled.fit.photos[0]
    surface = VisibleSurface.of(model, posed(enrolled.avatar.person(model), photo), photo.camera(portrait))
    trust = trust_at_sides(surface, part)
    _, _, facing = surface.visible(surface.vertices, surface.normals)
    assert trust[(part == 0) | (facing > 0.7)].min() == 1
    assert trust[(part == 1) & (facing < 0.3)].max() < 0.2


def test_a_pixel_of_another_colour_than_the_surface_around_it_hardly_counts() -> None:
    """At the edge of what a photo shows it is a strand, an ear or a shadow; hair has many colours of its own."""
    skin, strand = np.array([0.7, 0.52, 0.44], np.float32), np.array([0.3, 0.2, 0.15], np.float32)
    seen, bare = np.stack([skin, 0.95 * skin, strand]), np.zeros(3, np.float32)
    same, shaded, other = color_confidence(bare, seen, np.tile(skin, (3, 1)), bare)
    assert same == 1.0 and shaded > 0.8 and other < 0.01
    assert color_confidence(bare, seen, np.tile(skin, (3, 1)), bare + 1)[2] > 5 * other
