"""The CPU rasterizer against the oracle.

Tolerance: 2e-5 in colour, alpha and normal, 1e-4 of the depth, at every pixel at which the oracle's own picture does not hang
on rounding. Where it does, alpha of a Gaussian is so near 1/255 or T so near 1e-4 that moving these limits by `ROUNDING`
changes what the oracle draws; nothing is asked there.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.splat import base
from models.splat.cpu import CpuRasterizer
from models.splat.jit import exp2
from models.splat.oracle import OracleRasterizer
from models.types import Camera, Gaussians, Picture

CPU, ORACLE = CpuRasterizer(), OracleRasterizer()
BACKGROUND = (0.2, 0.5, 0.9)


TOLERANCE = {"color": 2e-5, "alpha": 2e-5, "depth": 1e-4, "normal": 2e-5}
ROUNDING = 1e-3
"""Of 1/255 and of T's least value."""


def differs(a: Picture, b: Picture) -> np.ndarray:
    """(H, W) where two pictures are apart, in whatever both have."""
    wrong = np.zeros(a.alpha.shape, bool)
    for name, tolerance in TOLERANCE.items():
        x, y = getattr(a, name), getattr(b, name)
        if x is not None and y is not None:
            assert x.shape == y.shape and x.dtype == np.float32 and np.isfinite(x).all()
            scale = np.maximum(1.0, np.abs(y)) if name == "depth" else 1.0
            wrong |= (np.abs(x - y) > tolerance * scale).reshape(*wrong.shape, -1).any(axis=-1)
    return wrong


def hangs_on_rounding(gaussians: Gaussians, camera: Camera, slow: Picture) -> np.ndarray:
    """(H, W) where the oracle draws something else when the limits of step 4 and 5 of base.py are moved a little."""
    unsure = np.zeros(slow.alpha.shape, bool)
    for sign_alpha, sign_t in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        with pytest.MonkeyPatch.context() as moved:
            moved.setattr(base, "ALPHA_MIN", base.ALPHA_MIN * (1 + sign_alpha * ROUNDING))
            moved.setattr(base, "T_MIN", base.T_MIN * (1 + sign_t * ROUNDING))
            unsure |= differs(oracle(gaussians, camera), slow)
    return unsure


def oracle(gaussians: Gaussians, camera: Camera) -> Picture:
    return ORACLE.render(gaussians, camera, background=BACKGROUND, depth=True, normal=True)


def assert_parity(gaussians: Gaussians, camera: Camera) -> None:
    slow = oracle(gaussians, camera)
    plain = CPU.render(gaussians, camera, background=BACKGROUND)  # by the kernel of live pictures
    full = CPU.render(gaussians, camera, background=BACKGROUND, depth=True, normal=True)
    assert full.depth is not None and full.normal is not None
    wrong = differs(plain, slow) | differs(full, slow)
    if wrong.any():
        wrong &= ~hangs_on_rounding(gaussians, camera, slow)
    assert not wrong.any(), np.argwhere(wrong)[:5]


@pytest.mark.parametrize("seed", range(6))
def test_random_scenes(make_gaussians, seed):
    rng = np.random.default_rng(seed)
    width, height = int(rng.integers(1, 150)), int(rng.integers(1, 90))
    camera = Camera.orbit(rng.uniform(-3, 3), rng.uniform(-1, 1), distance=rng.uniform(0.2, 1.0), width=width, height=height)
    assert_parity(make_gaussians(200, seed), camera)


def test_dense_opaque_scene_stops_early(make_gaussians):
    gaussians = make_gaussians(800, 7, smallest=0.02, largest=0.05)
    gaussians = replace(gaussians, opacities=np.full(800, 1.0, np.float32))
    camera = Camera.orbit(0.4, width=70, height=40)
    assert (CPU.render(gaussians, camera).alpha > 0.999).mean() > 0.2
    assert_parity(gaussians, camera)


def test_long_thin_gaussians_at_any_angle():
    angles = np.linspace(0.0, np.pi, 24, dtype=np.float32)
    rotations = np.stack([np.cos(angles / 2), 0 * angles, 0 * angles, np.sin(angles / 2)], axis=1)
    means = np.stack([0 * angles, 0 * angles, np.linspace(-0.1, 0.1, 24, dtype=np.float32)], axis=1)
    scales = np.tile(np.float32([2.0, 1e-5, 1e-5]), (24, 1))
    gaussians = Gaussians(means, rotations, scales, np.full(24, 0.6, np.float32), np.abs(rotations[:, [0, 3, 0]]))
    assert_parity(gaussians, Camera.orbit(0.0, width=300, height=200))


@pytest.mark.parametrize("opacity", [0.0042, 0.02, 0.6])
def test_tiny_gaussians_anywhere_on_blocks_and_tiles(opacity):
    """Each reaches a pixel or two; 40 in a row, one after the other past the borders of blocks and tiles."""
    place = np.arange(1600)
    means = np.stack([(place % 40) * 4.31 + 0.7, (place // 40) * 1.37 + 0.3, np.full(1600, 100.0)], axis=1)
    arrays = (means, np.tile([1.0, 0, 0, 0], (1600, 1)), np.full((1600, 3), 1e-3), np.full(1600, opacity), np.ones((1600, 3)))
    gaussians = Gaussians(*[array.astype(np.float32) for array in arrays])
    camera = Camera(173, 55, 100.0, 100.0, 0.0, 0.0, np.eye(4))
    assert_parity(gaussians, camera)


NUMBERS = [0.0, 1e-7, 1e-3, 0.02, 0.1, 0.5, 2.0, 50.0]
BROKEN = [np.nan, np.inf, -np.inf]


@st.composite
def edge_scenes(draw):
    """Few Gaussians with awkward numbers, among them behind, beside and at the camera, huge, tiny, not a number."""
    count = draw(st.integers(0, 6))
    signed = st.sampled_from(NUMBERS + [-n for n in NUMBERS])
    table = np.array(draw(st.lists(signed, min_size=count * 7, max_size=count * 7)), np.float32).reshape(count, 7)
    scales = np.array(draw(st.lists(st.sampled_from(NUMBERS), min_size=count * 3, max_size=count * 3)), np.float32)
    opacity = st.sampled_from([0.0, 0.0039, 0.00393, 0.02, 0.5, 0.9985, 0.9995, 1.0])
    opacities = np.array(draw(st.lists(opacity, min_size=count, max_size=count)), np.float32)
    colors = np.linspace(0.0, 1.0, count * 3, dtype=np.float32).reshape(count, 3)
    arrays = [table[:, :3].copy(), table[:, 3:].copy(), scales.reshape(count, 3), opacities, colors]
    if count and draw(st.booleans()):
        array = arrays[draw(st.integers(0, 4))]
        array[draw(st.integers(0, count - 1))] = draw(st.sampled_from(BROKEN))
    return Gaussians(*arrays)


def test_a_normal_seen_edge_on_keeps_the_sign_of_its_axis():
    """The cosine is 0, or 1e-17 to either side."""
    rotations = np.float32([[0, 0.02, 0.02, 0], [0, 0.02, -0.02, 0]])
    arrays = (np.zeros((2, 3)), rotations, [[50.0, 0, 0], [50.0, 0, 0]], [0.4, 0.5], np.ones((2, 3)))
    gaussians = Gaussians(*[np.asarray(array, np.float32) for array in arrays])
    for yaw in (0.0, np.pi, -np.pi):
        assert_parity(gaussians, Camera.orbit(yaw, 0.1, distance=0.5, width=3, height=5, fov_y=1.0))


@settings(max_examples=150, deadline=None)
@given(
    edge_scenes(),
    st.integers(1, 80),
    st.integers(1, 40),
    st.floats(0.2, 2.5),
    st.sampled_from([0.0, 0.4, 3.0]),
    st.sampled_from([0.0, 0.3, 1.5]),
)
def test_edge_cases(gaussians, width, height, fov_y, yaw, shift):
    camera = Camera.orbit(yaw, 0.1, distance=0.5, width=width, height=height, fov_y=fov_y)
    camera = replace(camera, cx=camera.cx + shift * width)
    assert_parity(gaussians, camera)


def test_exp2_is_good_to_rounding():
    x = np.linspace(-126, 0, 100_001, dtype=np.float32)
    ours = np.array([exp2(value) for value in x[::50]])
    assert np.abs(ours / np.exp2(x[::50].astype(np.float64)) - 1.0).max() < 3e-7
