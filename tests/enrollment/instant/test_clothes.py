"""Clothes beyond the photo's edge: they go on as they look at the edge, and a back is calmer than a chest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from scipy import ndimage

from enrollment.instant import clothes
from enrollment.instant.pipeline import enroll_instant
from enrollment.instant.surface import VisibleSurface
from enrollment.portrait import portrait
from enrollment.portrait.portrait import Portrait, prepare
from models.avatar import AvatarPoser
from models.heads.base import REGION, HeadModel
from models.heads.registry import by_name
from models.splat.cpu import CpuRasterizer
from models.synthetic.cameras import orbit_camera
from models.tracking.matting import Matte
from models.tracking.parsing import CLASSES, Parsing
from models.types import Array, Camera
from tests.enrollment.heads import FOCAL, known, portrait_of

SIDE = 100
EDGE = 60
"""Rows that the photo shows."""


@pytest.fixture(scope="module")
def striped() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colours of cloth with stripes across, over the lower half of what the photo shows; skin, another colour, is above."""
    colors = np.zeros((SIDE, SIDE, 3), np.float32)
    colors[:] = 0.5 + 0.2 * np.sin(np.arange(SIDE) / 3)[:, None, None]
    colors[: EDGE // 2] = (1.0, 0.0, 0.0)
    inside = np.zeros((SIDE, SIDE), bool)
    inside[:EDGE, 5:95] = True
    cloth = inside.copy()
    cloth[: EDGE // 2] = False
    return colors, cloth, inside


def at(striped: tuple[np.ndarray, np.ndarray, np.ndarray], rows: np.ndarray, column: float = 50.5) -> np.ndarray:
    colors, cloth, inside = striped
    xy = np.stack([np.full(len(rows), column), rows], axis=1)
    slow = clothes._slow(colors, cloth)
    return clothes._extrapolated(colors, slow, cloth, inside, xy, np.full((len(rows), 3), 0.5, np.float32))


def test_inside_the_photo_it_is_the_photo(striped: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    rows = np.arange(EDGE // 2, EDGE) + 0.5
    assert np.allclose(at(striped, rows), striped[0][rows.astype(int), 50])


def test_at_the_edge_the_pattern_goes_on_without_a_seam_and_then_fades(
    striped: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    rows = np.arange(EDGE, SIDE) + 0.5
    found, shown = at(striped, rows), striped[0][2 * EDGE - 1 - rows.astype(int), 50]
    assert np.abs(found[0] - striped[0][EDGE - 1, 50]).max() < 0.1
    near = np.corrcoef(found[:7, 0], shown[:7, 0])[0, 1]
    assert near > 0.9, "a reflection of what is above the edge"
    assert np.ptp(found[-12:, 0]) < 0.5 * np.ptp(found[:12, 0])
    assert (found[:, 0] - found[:, 1]).max() < 0.05, "skin is no cloth"


def test_beside_the_photo_there_is_cloth_too(striped: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    for column in (-40.0, 2.0, 99.0, 150.0):
        found = at(striped, np.array([EDGE - 10.0, EDGE + 300.0]), column)
        assert np.isfinite(found).all() and (np.abs(found - 0.5) < 0.3).all()


class Body:
    """A head on shoulders, as a camera before it sees them. head: (S, S) its pixels."""

    def __init__(self, model: HeadModel) -> None:
        truth = known(model, identity=np.zeros(model.identity_count))
        self.portrait = portrait_of(model, truth)
        side = self.portrait.image.shape[0]
        camera = Camera(side, side, FOCAL, FOCAL, side / 2, side / 2, np.diag([1.0, -1.0, -1.0, 1.0]))
        rest = model.person(truth.identity).rest
        self.view = VisibleSurface.of(model, (rest + truth.translation).astype(np.float32), camera)
        face, body = self.view.fragments.face, model.region_vertices("body")
        self.shown = face >= 0
        self.head = self.shown & (model.region[np.maximum(face, 0)] != REGION["body"])
        self.hidden = self.view.normals[body][:, 2] < 0
        self.points = clothes.BodyPoints(self.view.vertices[body], rest[body], self.hidden)

    def back(self, portrait: Portrait, colors: Array, shown: NDArray[np.bool_]) -> Array:
        """Colours of what faces away; shown: the pixels of cloth."""
        clothing = clothes.Clothing.of(self.view, portrait, colors, shown)
        assert clothing is not None and self.hidden.sum() > 100
        return clothing.at(self.points)[self.hidden]


def test_a_back_is_not_made_of_the_collars_shadow(model: HeadModel) -> None:
    body = Body(model)
    colors = np.full((*body.shown.shape, 3), (0.15, 0.2, 0.45), np.float32)
    colors[ndimage.distance_transform_edt(~body.head) < 0.03 * len(colors)] = (0.22, 0.14, 0.1)
    found = body.back(body.portrait, colors, body.shown)
    np.testing.assert_allclose(found, np.tile((0.15, 0.2, 0.45), (len(found), 1)), atol=0.02)


def test_a_sunlit_shoulder_does_not_make_the_back_of_a_blue_shirt_white(model: HeadModel) -> None:
    body = Body(model)
    side = len(body.shown)
    shade = np.linspace(0.5, 1.3, side)[:, None, None] * np.ones((1, side, 1))
    for cloth, white, expected in (((0.35, 0.5, 0.7), 0.55, 0.2), ((0.7, 0.7, 0.7), 0.4, 0.0)):
        sunlit = np.arange(side)[None, :, None] > white * side
        colors = np.where(sunlit, 0.95, shade * cloth).astype(np.float32)
        found = np.median(body.back(body.portrait, colors, body.shown), axis=0)
        assert found[2] - found[0] > expected if expected else found.min() > 0.8, (cloth, found)


def test_hair_on_bare_shoulders_does_not_colour_the_back(model: HeadModel) -> None:
    body = Body(model)
    skin, hair = (0.75, 0.6, 0.5), (0.6, 0.2, 0.7)
    depth = ndimage.distance_transform_edt(body.shown)
    strands = body.shown & ~body.head & (depth < 0.04 * len(depth))
    colors = np.where(strands[..., None], hair, skin).astype(np.float32)
    label = np.select([strands, body.shown], [CLASSES.index("hair"), CLASSES.index("body_skin")], 0)
    portrait = replace(body.portrait, parsing=Parsing(np.eye(len(CLASSES), dtype=np.float32)[label]))
    found = body.back(portrait, colors, np.zeros_like(strands))
    np.testing.assert_allclose(np.median(found, axis=0), skin, atol=0.05)
    sleeves = strands & (np.arange(len(depth))[:, None] > 0.8 * len(depth))
    colors[sleeves] = (0.1, 0.15, 0.2)
    label[sleeves] = CLASSES.index("clothes")
    portrait = replace(body.portrait, parsing=Parsing(np.eye(len(CLASSES), dtype=np.float32)[label]))
    found = body.back(portrait, colors, sleeves)
    np.testing.assert_allclose(np.median(found, axis=0), (0.1, 0.15, 0.2), atol=0.05, err_msg="a low neckline has sleeves")


def test_the_main_colour_is_the_most_frequent_one() -> None:
    rng = np.random.default_rng(0)
    suit, collar, ring = (np.array(c) for c in ((0.8, 0.35, 0.2), (0.9, 0.9, 0.92), (0.1, 0.1, 0.12)))
    shown = np.concatenate([np.tile(c, (n, 1)) for c, n in ((suit, 400), (collar, 300), (ring, 300))])
    shown = (shown + rng.normal(0, 0.02, shown.shape)).clip(0, 1).astype(np.float32)
    np.testing.assert_allclose(clothes.main_color(shown), suit, atol=0.02)
    np.testing.assert_allclose(clothes.main_color(np.full((50, 3), 0.4, np.float32)), 0.4, atol=1e-5)


@pytest.mark.usefixtures("hardly_fitted")
def test_a_bust_has_no_seam_where_the_photo_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """NASA's astronaut, in a plain apron of which the photo shows a strip; what is cloth is known from her suit."""
    model: HeadModel = by_name("anny")
    photo = np.asarray(skimage.data.astronaut(), np.uint8)
    shirt = photo.copy()
    shirt[212:] = (40, 60, 120)  # plain cloth, so that only a seam can make a difference
    true = prepare(photo[:245])
    monkeypatch.setattr(portrait, "_matte_shown", lambda *_: Matte(true.matte, true.parsing))
    made = enroll_instant([shirt[:245]], head=model)
    posed = AvatarPoser(made.avatar, model).pose(np.zeros(52, np.float32))
    drawn = CpuRasterizer().render(posed, orbit_camera(0, size=256, shown=0.6))
    column = drawn.color[:, 118:138][drawn.alpha[:, 118:138].min(axis=1) > 0.95].mean(axis=1)
    blue = column[column[:, 2] > 2 * column[:, 0]][2:]
    assert len(blue) > 30, "the cloth goes on to where the bust ends"
    assert np.abs(blue - np.array([40, 60, 120]) / 255).max() < 0.07
