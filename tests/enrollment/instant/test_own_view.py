"""The last stage makes the avatar look like its photo from where the photo was taken, and no different from elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from enrollment.instant.own_view import MOST_COLOR, MOST_WHITER, OwnView, fit_own_view
from enrollment.portrait.portrait import Portrait
from models import binding
from models.binding import BoundGaussians
from models.splat.cpu import CpuRasterizer
from models.tracking.landmarks import Landmarks
from models.types import Array, Camera, Gaussians

SIDE = 96
CAMERA = Camera(SIDE, SIDE, SIDE, SIDE, SIDE / 2, SIDE / 2, np.diag([1.0, -1.0, -1.0, 1.0]))
CORNERS = np.array([(-1, -1, -1), (1, -1, -1), (0, 1, -1)], np.float32)
AT = binding.frames(CORNERS, np.array([[0, 1, 2]], np.int32))


@pytest.fixture(scope="module")
def disc() -> tuple[BoundGaussians, Portrait]:
    """Coarse grey Gaussians over a disc with a soft edge and vertical stripes, and its photo."""
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    alpha = np.clip(30.5 - np.hypot(x - SIDE / 2, y - SIDE / 2), 0, 1).astype(np.float32)
    stripes = np.repeat((0.5 + 0.2 * np.sin(x / 4))[..., None], 3, axis=2)
    image = np.round(255 * (stripes * alpha[..., None] + 0.1 * (1 - alpha[..., None]))).astype(np.uint8)
    marks = Landmarks(np.zeros((478, 3), np.float32), 1.0, SIDE, SIDE)
    portrait = Portrait(image, np.ones((SIDE, SIDE), bool), alpha, marks, (SIDE / 2, SIDE / 2), 1.0, SIDE)
    column, row = (a[alpha > 0.06].ravel() for a in (x, y))
    keep = (np.floor(column) % 3 == 1) & (np.floor(row) % 3 == 1)
    n = int(keep.sum())
    means = np.stack([(column[keep] - SIDE / 2) / SIDE, -(row[keep] - SIDE / 2) / SIDE, np.full(n, -1.0)], axis=1)
    scales = np.tile(np.array([1.7, 1.7, 0.2], np.float32) / SIDE, (n, 1))
    still = np.tile(np.array([1, 0, 0, 0], np.float32), (n, 1))
    world = Gaussians(means.astype(np.float32), still, scales, np.full(n, 0.95, np.float32), np.full((n, 3), 0.5, np.float32))
    return binding.bind(world, np.zeros(n, np.int32), AT), portrait


def drawn(gaussians: BoundGaussians) -> tuple[Array, Array]:
    picture = CpuRasterizer(1).render(binding.to_world(gaussians, AT), CAMERA)
    return picture.color, picture.alpha


def fitted(
    disc: tuple[BoundGaussians, Portrait], shown: int | None = None, fixed: bool = False, skin: bool = False
) -> BoundGaussians:
    gaussians, portrait = disc
    count = len(gaussians)
    view = OwnView(portrait, CAMERA, AT, np.ones((SIDE, SIDE), np.float32), portrait.colors)
    return fit_own_view(gaussians, count if shown is None else shown, np.full(count, skin), np.full(count, fixed), view)


def test_outline_and_colours_become_the_photos(disc: tuple[BoundGaussians, Portrait]) -> None:
    before, after, portrait = drawn(disc[0]), drawn(fitted(disc)), disc[1]
    truth = portrait.colors * portrait.matte[..., None] + 1 - portrait.matte[..., None]
    assert np.abs(after[1] - portrait.matte).mean() < 0.5 * np.abs(before[1] - portrait.matte).mean()
    assert np.mean((after[0] - truth) ** 2) < 0.2 * np.mean((before[0] - truth) ** 2)


def test_nothing_runs_away(disc: tuple[BoundGaussians, Portrait]) -> None:
    before, after = (binding.to_world(g, AT) for g in (disc[0], fitted(disc)))
    assert np.abs(after.means - before.means).max() * SIDE < 2.01
    assert (after.scales <= before.scales * 1.2).all()
    changed = np.abs(after.colors - before.colors)
    middle = np.hypot(*before.means[:, :2].T) * SIDE < 15
    assert changed[middle].max() <= MOST_COLOR + 1e-5
    np.testing.assert_allclose(after.opacities[middle], before.opacities[middle])
    np.testing.assert_allclose(after.means[middle], before.means[middle], atol=1e-6)


def test_fixed_and_unseen_gaussians_keep_their_colours(disc: tuple[BoundGaussians, Portrait]) -> None:
    for made in (fitted(disc, fixed=True), fitted(disc, shown=0)):
        np.testing.assert_allclose(made.colors, disc[0].colors)
    np.testing.assert_allclose(fitted(disc, shown=0).opacities, disc[0].opacities)


def test_gaussians_seen_aslant_keep_their_colours_and_are_no_more_opaque(disc: tuple[BoundGaussians, Portrait]) -> None:
    gaussians, portrait = disc
    edge_on = np.tile(np.array([np.sqrt(0.5), 0, np.sqrt(0.5), 0], np.float32), (len(gaussians), 1))
    world = replace(binding.to_world(gaussians, AT), rotations=edge_on)
    turned = binding.bind(world, gaussians.face, AT)
    middle = np.hypot(*world.means[:, :2].T) * SIDE < 5
    made = fitted((turned, portrait))
    assert np.abs(made.colors - turned.colors)[middle].max() < 0.05
    faint = replace(turned, opacities=np.full_like(turned.opacities, 0.3))
    ahead = np.abs(world.means[:, 0]) * SIDE < 7
    assert fitted((faint, portrait), skin=True).opacities[ahead].max() < 0.36, "what was left faint for the other views stays so"
    upright = replace(gaussians, opacities=faint.opacities)
    assert fitted((upright, portrait), skin=True).opacities[ahead].max() > 0.5


def test_strands_do_not_turn_white(disc: tuple[BoundGaussians, Portrait]) -> None:
    """What is seen through thin hair is transparency and no colour: it would be a bright line from the side."""
    gaussians, portrait = disc
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    thin = np.where(np.hypot(x - SIDE / 2, y - SIDE / 2) > 25, 0.5 * portrait.matte, portrait.matte).astype(np.float32)
    hair = replace(portrait, matte=thin)
    object.__setattr__(hair, "hairy", np.ones((SIDE, SIDE), bool))
    after = fitted((gaussians, hair))
    assert (after.colors - gaussians.colors).max() < MOST_COLOR + 1e-3
    rim = binding.to_world(gaussians, AT).means[:, :2]
    outer = np.hypot(*rim.T) * SIDE > 26
    assert (after.colors - gaussians.colors)[outer].max() <= MOST_WHITER + 1e-3


def test_what_fades_into_the_photos_edge_stays_faint(disc: tuple[BoundGaussians, Portrait]) -> None:
    gaussians, portrait = disc
    half = np.ones((SIDE, SIDE), np.float32)
    half[: SIDE // 2 - 3] = 0.4
    above = binding.to_world(gaussians, AT).means[:, 1] * SIDE > 6
    faint = replace(gaussians, opacities=np.where(above, 0.4, gaussians.opacities).astype(np.float32))
    none = np.zeros(len(faint), bool)
    made = fit_own_view(faint, len(faint), none, none, OwnView(portrait, CAMERA, AT, half, portrait.colors))
    assert made.opacities[above].max() < 0.42 and made.opacities[~above].max() > 0.95
