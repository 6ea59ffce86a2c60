"""What blending by blocks leaves out: blocks that a splat does not reach, and what is behind finished ones."""

from __future__ import annotations

import numpy as np
import pytest

from models.splat import base, blend, block
from models.splat.binning import TILE_HEIGHT, TILE_WIDTH
from models.splat.cpu import CpuRasterizer
from models.types import Camera, Gaussians
from server.benchmarks.splat import head_camera, head_scene

ALL = np.uint64(2**64 - 1)


def bits(masks: np.ndarray) -> np.ndarray:
    """(N,) uint64 -> (N, 64) bool, the lowest bit first."""
    return (masks[:, None] >> np.arange(64, dtype=np.uint64) & np.uint64(1)).astype(bool)


def test_turning_the_masks_over():
    square = np.random.default_rng(0).random((64, 64)) < 0.3
    masks = (square.astype(np.uint64) << np.arange(64, dtype=np.uint64)).sum(axis=1, dtype=np.uint64)
    blend.transpose(masks)
    assert np.array_equal(bits(masks), square.T)


def splat_fields(rng: np.random.Generator, count: int) -> np.ndarray:
    """(9, 64) float64, the fields of a batch: ellipses of 0.5 to 60 px at any angle, in the tile and beside it."""
    sizes, angle = np.exp(rng.uniform(np.log(0.55), np.log(20), (2, count))), rng.uniform(0, np.pi, count)
    cosine, sine = np.cos(angle), np.sin(angle)
    s_xx, s_yy = (sizes[0] * cosine) ** 2 + (sizes[1] * sine) ** 2, (sizes[0] * sine) ** 2 + (sizes[1] * cosine) ** 2
    s_xy = (sizes[0] ** 2 - sizes[1] ** 2) * cosine * sine
    half_log = 0.5 * np.log2(np.e)
    fields = np.zeros((block.FIELDS, block.BATCH))
    fields[block.U, :count] = rng.uniform(-30, TILE_WIDTH + 30, count)
    fields[block.V, :count] = rng.uniform(-30, TILE_HEIGHT + 30, count)
    fields[block.A, :count] = half_log * s_yy / (s_xx * s_yy - s_xy**2)
    fields[block.SHEAR, :count], fields[block.C, :count] = -s_xy / s_yy, half_log / s_yy
    fields[block.L, :count] = np.log2(rng.uniform(0.004, 1.0, count))
    return fields


@pytest.mark.parametrize("seed", range(8))
def test_blocks_are_those_with_a_pixel_that_is_touched(seed):
    count = 60
    fields = splat_fields(np.random.default_rng(seed), count)
    buffer = np.zeros(blend.RGB_BUFFER, np.float32)
    buffer[-fields.size :] = fields.ravel()
    masks = np.empty(block.BATCH, np.uint64)
    blend.find_blocks(buffer, np.uint64(buffer.size - fields.size), count, ALL, masks)
    found = bits(masks)

    u, v, a, shear, c, level = (field[:, None, None] for field in fields[:6])
    dx, dy = np.arange(TILE_WIDTH) - u, np.arange(TILE_HEIGHT)[:, None] - v
    touched = level - a * (dx + shear * dy) ** 2 - c * dy**2 >= block.LOG2_ALPHA_MIN
    size = block.BLOCK
    touched = touched.reshape(-1, TILE_HEIGHT // size, size, TILE_WIDTH // size, size).any(axis=(2, 4)).reshape(-1, 64)
    touched[count:] = False
    assert touched.any() and (found | ~touched).all(), "a block that is touched was left out"
    assert found.sum() <= 1.1 * touched.sum() + 5, "blocks that are not touched were taken"

    alive = np.uint64(0x00F0_1234_FFFF_0001)
    blend.find_blocks(buffer, np.uint64(buffer.size - fields.size), count, alive, masks)
    assert np.array_equal(bits(masks), found & bits(np.array([alive]))[0])


def wall(layers: int, opacity: float, shade: float, distance: float) -> Gaussians:
    """Huge Gaussians one behind the other, all of one grey."""
    means = np.zeros((layers, 3))
    means[:, 2] = distance + 0.001 * np.arange(layers)
    ones = np.ones((layers, 3))
    arrays = (means, np.tile([1.0, 0, 0, 0], (layers, 1)), 50.0 * ones, np.full(layers, opacity), shade * ones)
    return Gaussians(*[array.astype(np.float32) for array in arrays])


def test_what_no_byte_can_show_is_not_drawn():
    """A first batch that lets T = 0.0016 through: what is behind is left out of bytes, and of floats it is not."""
    camera, background = Camera(70, 20, 100.0, 100.0, 35.0, 10.0, np.eye(4)), (0.5, 0.5, 0.5)
    rasterizer, rounded_otherwise = CpuRasterizer(), 0
    names = ("means", "rotations", "scales", "opacities", "colors")
    for shade in np.linspace(0.0, 1.0, 40):
        front, back = wall(block.BATCH, 0.0955, shade, 1.0), wall(1, 0.9, 1.0 - round(shade), 5.0)
        both = Gaussians(*(np.concatenate([getattr(front, name), getattr(back, name)]) for name in names))
        pictures = [np.empty((20, 70, 3), np.uint8) for _ in range(2)]
        for gaussians, out in zip((front, both), pictures, strict=True):
            rasterizer.render_into(gaussians, camera, out, background)
        assert np.array_equal(*pictures)
        exact = 255.0 * rasterizer.render(both, camera, background=background).color
        assert np.abs(exact - pictures[1]).max() <= 1.0
        rounded_otherwise += not np.array_equal(np.round(exact), pictures[1])
    assert rounded_otherwise > 0


@pytest.mark.parametrize("yaw", [0.0, 0.8, 1.6, 3.1])
def test_bytes_of_a_head_are_those_of_the_exact_picture(yaw):
    """An opaque surface of 20,000: most of it hides the other half, seen from any side."""
    gaussians, camera = head_scene(20_000), head_camera(160, yaw)
    out = np.empty((160, 160, 3), np.uint8)
    CpuRasterizer().render_into(gaussians, camera, out, base.WHITE)
    exact = CpuRasterizer().render(gaussians, camera, depth=True).color * 255.0
    off = np.abs(out - np.round(exact))
    assert off.max() <= 1 and np.mean(off**2) < 255**2 * 1e-6  # 60 dB
