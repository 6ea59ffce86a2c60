"""Hair that no photo shows lies in locks whose tips stand off as far as the outline of the visible hair is rough."""

from __future__ import annotations

import numpy as np
import pytest

from enrollment.instant.hair_locks import NEAT, STANDS_OFF, WILD, Locks, outline_roughness, tilted
from enrollment.portrait.portrait import Portrait
from models.tracking.landmarks import Landmarks
from models.types import Array

SIDE, SCALE = 256, 1800.0
RADIUS = 0.1


@pytest.fixture(scope="module")
def nape() -> tuple[Array, Array, Array]:
    """Points on the back of a cylinder, directions down its axis, and how far around it each lies, radians."""
    turn, y = (a.ravel() for a in np.meshgrid(np.arange(-0.4, 0.4, 0.028), np.arange(0, 0.15, 0.0028)))
    points = np.stack([RADIUS * np.sin(turn), y, -RADIUS * np.cos(turn)], axis=1).astype(np.float32)
    return points, np.tile(np.array([0, -1, 0], np.float32), (len(points), 1)), turn


def outline(nape: tuple[Array, Array, Array], height: Array) -> float:
    """Standard deviation of the cylinder's outline from the side, metres: the furthest of all that lies in a line."""
    points, _, turn = nape
    away = (RADIUS + height) * np.cos(turn)
    rows = np.unique(points[:, 1])
    return float(np.std([away[points[:, 1] == row].max() for row in rows]))


def test_locks_make_an_outline_and_single_strands_hardly_any(nape: tuple[Array, Array, Array]) -> None:
    points, along, _ = nape
    locks = Locks.of(points, along, 1.0, WILD)
    single = np.random.default_rng(1).normal(0, locks.height.std(), len(points))
    assert outline(nape, locks.height) > max(0.5 * WILD, 1.3 * outline(nape, single))
    neat = Locks.of(points, along, 1.0, NEAT)
    assert neat.height.std() == pytest.approx(locks.height.std() * NEAT / WILD, rel=0.01)


def test_a_lock_rises_to_its_tip_and_is_darker_at_its_root(nape: tuple[Array, Array, Array]) -> None:
    points, along, _ = nape
    locks = Locks.of(points, along, 0.5, WILD)
    assert abs(locks.height.mean()) < 1e-5 and locks.shade.mean() == pytest.approx(1, abs=1e-3)
    assert np.corrcoef(locks.height, locks.shade)[0, 1] > 0.1
    grid, lies = (a.reshape(len(np.unique(points[:, 1])), -1) for a in (locks.height, locks.slope == 0))
    further = (grid[:-1] - grid[1:])[~lies[:-1] & ~lies[1:]]  # downwards
    assert (further > 0).mean() > 0.6, "rises slowly, falls at the tip at once"
    lying = locks.slope == 0
    assert 0.3 < lying.mean() < 0.4 and np.ptp(locks.height[lying]) < 1e-6, "what closes the gaps"
    assert locks.height[lying].max() <= locks.height.min() + 1e-6
    assert locks.slope.min() >= 0 and 0 < locks.slope.mean() < 3 * STANDS_OFF * WILD / 0.012


def test_few_points_lie_flat() -> None:
    flat = Locks.of(np.zeros((3, 3), np.float32), np.ones((3, 3), np.float32), 1.0, WILD)
    assert not flat.height.any() and not flat.slope.any() and (flat.shade == 1).all()


def test_a_tilted_strand_rises_and_lies_in_its_plane() -> None:
    along, normal = np.array([[0, -1, 0]], np.float32), np.array([[0, 0, 1]], np.float32)
    rises, across = tilted(along, normal, np.array([0.5], np.float32))
    assert rises[0, 2] == pytest.approx(-0.5 * rises[0, 1]) and np.sum(rises * across) == pytest.approx(0, abs=1e-6)
    assert np.linalg.norm(rises) == pytest.approx(1) and np.linalg.norm(across) == pytest.approx(1)


def disc(teeth: float, hairy: bool = True) -> Portrait:
    """A disc of hair whose outline has teeth so many metres high."""
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5 - SIDE / 2
    edge = 80 + teeth * SCALE * np.sin(30 * np.arctan2(y, x))
    matte = np.clip(edge - np.hypot(x, y) + 0.5, 0, 1).astype(np.float32)
    marks = Landmarks(np.zeros((478, 3), np.float32), 1.0, SIDE, SIDE)
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    made = Portrait(image, np.ones((SIDE, SIDE), bool), matte, marks, (SIDE / 2, SIDE / 2), 1.0, SIDE)
    object.__setattr__(made, "hairy", np.full((SIDE, SIDE), hairy))
    return made


def test_roughness_is_the_outlines_own() -> None:
    assert outline_roughness(disc(0.0), SCALE) == NEAT
    assert outline_roughness(disc(0.0015), SCALE) == pytest.approx(0.0015 / np.sqrt(2), rel=0.35)
    assert outline_roughness(disc(0.005), SCALE) == WILD
    assert outline_roughness(disc(0.005, hairy=False), SCALE) == NEAT, "no hair is shown"
