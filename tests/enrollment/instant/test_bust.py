"""A bust ends in one curved cut: soft, closed, in the cloth's colours, and never where the photo's edge was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from enrollment.instant import bust as busts
from enrollment.instant.bust import BAND, Bust
from enrollment.instant.pipeline import Enrollment
from models.avatar import AvatarPoser
from models.binding import BoundGaussians, frames, to_world
from models.heads.base import REGION, HeadModel, PersonHead
from models.splat.cpu import CpuRasterizer
from models.tracking.face_geometry import CONTOUR
from models.types import Array, Camera, Picture

SIDE = 256


@pytest.fixture(scope="module")
def person(enrolled: Enrollment, model: HeadModel) -> PersonHead:
    return enrolled.avatar.person(model)


def rest(gaussians: BoundGaussians, person: PersonHead) -> Array:
    return to_world(gaussians, frames(person.rest, person.model.faces)).means


def shown(gaussians: BoundGaussians, person: PersonHead, least: float) -> BoundGaussians:
    """Those above a height, as of a photo that ends there."""
    return gaussians.select(rest(gaussians, person)[:, 1] > least)


@pytest.fixture(scope="module")
def cut(enrolled: Enrollment, person: PersonHead) -> Bust:
    return Bust.of(person, shown(enrolled.avatar.gaussians, person, -0.2))


@pytest.fixture(scope="module")
def around(enrolled: Enrollment, model: HeadModel) -> dict[tuple[int, int], Picture]:
    posed, rasterizer = AvatarPoser(enrolled.avatar, model).pose(np.zeros(52)), CpuRasterizer()
    views = ((0, 0), (45, 0), (90, 0), (180, 0), (0, -25))
    return {
        view: rasterizer.render(
            posed,
            Camera.orbit(
                np.deg2rad(view[0]),
                np.deg2rad(view[1]),
                1.4,
                width=SIDE,
                height=SIDE,
                fov_y=np.deg2rad(26),
                target=(0.0, -0.1, 0.0),
            ),
        )
        for view in views
    }


def test_the_cut_is_convex_and_fades_inwards() -> None:
    bust = Bust(np.array([0, -0.04, -0.01], np.float32), np.array([0.25, 0.2, 0.2], np.float32))
    rng = np.random.default_rng(0)
    points = rng.uniform((-0.3, -0.3, -0.2), (0.3, -0.05, 0.2), (400, 3)).astype(np.float32)
    inside = points[bust.depth(points) > 0]
    middles = (inside[:, None] + inside[None])[np.triu_indices(len(inside), 1)] / 2
    assert len(inside) > 50 and (bust.depth(middles) > -1e-6).all()
    down = np.stack([np.zeros(50), np.linspace(-0.1, -0.3, 50), np.full(50, -0.01)], axis=1).astype(np.float32)
    share = bust.share(down)
    assert share[0] == 1 and share[-1] == 0 and (np.diff(share) <= 0).all()
    assert ((share > 0.01) & (share < 0.99)).sum() * 0.2 / 49 == pytest.approx(BAND, abs=0.008)
    assert (bust.share(np.array([[0.5, 0.1, 0.0], [0.0, 0.2, -0.1]], np.float32)) == 1).all(), "nothing above is cut"


@pytest.mark.parametrize("least", [-0.06, -0.1, -0.15, -0.2])
def test_the_cut_is_as_high_as_the_photo_needs_it_and_leaves_the_jaw(
    enrolled: Enrollment, person: PersonHead, least: float
) -> None:
    bust = Bust.of(person, shown(enrolled.avatar.gaussians, person, least))
    lowest = float(bust.middle[1] - bust.half[1])
    jaw = person.landmarks(person.rest)[list(CONTOUR)]
    assert (bust.share(jaw) > 0.9).all()
    assert lowest > min(least, float(jaw[:, 1].min())) - busts.CONTINUED - 0.02


def test_the_cut_never_reaches_a_border_of_the_mesh(enrolled: Enrollment, model: HeadModel, person: PersonHead) -> None:
    short = person.rest.copy()
    low = short[:, 1] < -0.16
    short[low, 1] = -0.16 + 0.1 * (short[low, 1] + 0.16)  # a model that ends higher, as some do
    squat = replace(person, rest=short)
    bust = Bust.of(squat, enrolled.avatar.gaussians)
    ends = model.template[:, 1] < -0.37
    assert ends.any() and (bust.reach(short[ends]) >= 0.999).all()


def test_nothing_is_left_below_the_cut(enrolled: Enrollment, person: PersonHead, cut: Bust) -> None:
    gaussians = enrolled.avatar.gaussians
    wide = busts.WIDTHS[1] + 0.02
    points = rest(gaussians, person)
    assert np.abs(points[points[:, 1] < -0.1, 0]).max() < wide, "no arms"
    faded = cut.fade(gaussians, person)
    left = rest(faded, person)
    assert (cut.depth(left) > 0).all() and 0 < len(faded) < len(gaussians)
    soft = cut.depth(left) < 0.3 * BAND
    assert soft.any() and faded.opacities[soft].max() < 0.4


def test_the_outline_below_is_one_curve_from_all_sides(around: dict[tuple[int, int], Picture]) -> None:
    for view in ((0, 0), (45, 0), (90, 0), (180, 0)):
        solid = around[view].alpha > 0.5
        lowest = np.where(solid.any(axis=0), SIDE - solid[::-1].argmax(axis=0), 0)
        low = np.flatnonzero(lowest > lowest.max() - 25)
        depth = lowest[low[0] : low[-1] + 1].astype(float)
        hull = np.maximum.accumulate(depth), np.maximum.accumulate(depth[::-1])[::-1]
        assert (np.minimum(*hull) - depth).max() <= 8, f"no notch and no strand at {view}"


def test_the_fade_is_soft_and_narrow(around: dict[tuple[int, int], Picture]) -> None:
    alpha = around[0, 0].alpha[:, SIDE // 2]
    end = int(np.flatnonzero(alpha > 0.02)[-1])
    firm = int(np.flatnonzero(alpha > 0.95)[-1])
    assert 3 <= end - firm <= 20, "pixels"


def test_from_below_the_bust_is_closed_and_of_cloth(
    enrolled: Enrollment, model: HeadModel, person: PersonHead, around: dict[tuple[int, int], Picture]
) -> None:
    bust = Bust.of(person, enrolled.avatar.gaussians)
    none = busts.bottom(bust, person, enrolled.avatar.gaussians, lambda made: np.zeros(len(made), bool))
    made = busts.bottom(bust, person, enrolled.avatar.gaussians, lambda made: np.ones(len(made), bool))
    assert len(none) == 0 and len(made) > 100
    points = rest(made, person)
    assert (bust.depth(points) > 0).all() and (bust.depth(points) < 2 * BAND).all()
    body = enrolled.avatar.gaussians.select(model.region[enrolled.avatar.gaussians.face] == REGION["body"])
    assert (made.colors <= body.colors.max(axis=0)).all()
    assert (made.colors.mean(axis=0) < body.colors.mean(axis=0)).all(), "it faces down"
    mesh = person.rest[model.region_vertices("skin", "body")]
    away, _ = cKDTree(mesh).query(points)
    reach = to_world(made, frames(person.rest, model.faces)).scales.max(axis=1)
    assert (away > 1.5 * reach).all(), "it does not stick out of chest and back"


def test_nothing_closes_the_body_before_hair_that_is_blown_aside(
    enrolled: Enrollment, model: HeadModel, person: PersonHead
) -> None:
    blown = person.rest.copy()
    side, height, depth = model.template.T
    lock = (side > 0.03) & (np.abs(height) < 0.05) & (depth < -0.04)
    blown[lock] += (0.06, -0.05, 0.1)
    bust = Bust(np.array([0, -0.04, -0.01], np.float32), np.array([0.25, 0.2, 0.2], np.float32))
    made = busts.bottom(bust, replace(person, rest=blown), enrolled.avatar.gaussians, lambda made: np.ones(len(made), bool))
    assert len(made) > 100 and not lock[model.faces[made.face]].all(axis=1).any()


def test_the_back_is_of_the_cloths_palette(enrolled: Enrollment, model: HeadModel, person: PersonHead) -> None:
    """The astronaut's suit is orange; its white ring and black collar are none of a back."""
    gaussians = enrolled.avatar.gaussians
    points = rest(gaussians, person)
    back = (points[:, 2] < -0.09) & (points[:, 1] < -0.15) & (model.region[gaussians.face] == REGION["body"])
    colors = gaussians.colors[back & (gaussians.opacities > 0.5)]
    assert len(colors) > 200
    orange = (colors[:, 0] > colors[:, 1] + 0.15) & (colors[:, 1] > colors[:, 2] - 0.02)
    assert orange.mean() > 0.95


def test_without_an_end_everything_lies_within(enrolled: Enrollment, person: PersonHead) -> None:
    gaussians, endless = enrolled.avatar.gaussians, Bust.endless()
    assert endless.within(gaussians, person).all()
    assert np.array_equal(endless.fade(gaussians, person).opacities, gaussians.opacities[gaussians.opacities > busts.FAINTEST])
