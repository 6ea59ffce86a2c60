"""What the CPU rasterizer promises beside being right: edges, bytes, memory, threads."""

from __future__ import annotations

import threading
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from models.splat.cpu import CpuRasterizer
from models.types import Camera, Gaussians

CAMERA = Camera.orbit(0.3, width=83, height=37)


def as_bytes(color):
    return np.floor(np.clip(color, 0.0, 1.0) * np.float32(255.0) + np.float32(0.5)).astype(np.uint8)


def test_no_gaussians_gives_the_background(make_gaussians):
    picture = CpuRasterizer().render(make_gaussians(0, 0), CAMERA, background=(0.1, 0.2, 0.3), depth=True, normal=True)
    assert np.allclose(picture.color, [0.1, 0.2, 0.3])
    assert not picture.alpha.any() and not picture.depth.any() and not picture.normal.any()


def test_behind_the_camera_and_off_screen_draw_nothing(make_gaussians):
    gaussians = make_gaussians(50, 0)
    for offset in ([0.0, 0.0, 50.0], [40.0, 0.0, 0.0], [0.0, -40.0, 0.0]):
        moved = replace(gaussians, means=gaussians.means + np.float32(offset))
        assert not CpuRasterizer().render(moved, Camera.orbit(0.0, width=60, height=30)).alpha.any()


def test_broken_rows_are_dropped(make_gaussians):
    whole, broken = make_gaussians(60, 1), make_gaussians(60, 1)
    for row, array in enumerate((broken.means, broken.rotations, broken.scales, broken.opacities, broken.colors)):
        array[row] = np.nan
        array[row + 5] = np.inf
    broken.rotations[10] = 0.0
    kept = [row for row in range(60) if row > 10]
    names = ("means", "rotations", "scales", "opacities", "colors")
    rest = Gaussians(*[getattr(whole, name)[kept] for name in names])
    a, b = (CpuRasterizer().render(g, CAMERA, depth=True, normal=True) for g in (broken, rest))
    assert np.array_equal(a.color, b.color) and np.array_equal(a.normal, b.normal) and np.array_equal(a.depth, b.depth)


@pytest.mark.parametrize("size", [(1, 1), (64, 16), (65, 17), (63, 15), (200, 100)])
def test_bytes_are_the_floats_rounded(make_gaussians, size):
    rasterizer, gaussians = CpuRasterizer(), make_gaussians(300, 2)
    camera = CAMERA.resized(*size)
    out = np.full((size[1], size[0], 3), 77, np.uint8)
    rasterizer.render_into(gaussians, camera, out, (0.0, 0.4, 1.0))
    assert np.array_equal(out, as_bytes(rasterizer.render(gaussians, camera, background=(0.0, 0.4, 1.0)).color))


def test_depth_and_normal_leave_the_colour_alone(make_gaussians):
    gaussians = make_gaussians(300, 3)
    plain = CpuRasterizer().render(gaussians, CAMERA)
    full = CpuRasterizer().render(gaussians, CAMERA, depth=True, normal=True)
    assert plain.depth is None and plain.normal is None
    assert np.abs(plain.color - full.color).max() < 1e-6 and np.abs(plain.alpha - full.alpha).max() < 1e-6


def test_a_live_picture_allocates_next_to_nothing(make_gaussians):
    rasterizer, gaussians = CpuRasterizer(), make_gaussians(5000, 4)
    out = np.empty((CAMERA.height, CAMERA.width, 3), np.uint8)
    for _ in range(3):
        rasterizer.render_into(gaussians, CAMERA, out)
    peaks = []
    for _ in range(5):  # the least counts: helper threads that a busy machine starts late find more in their queue
        tracemalloc.start()
        rasterizer.render_into(gaussians, CAMERA, out)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert min(peaks) < 32_000, "17,000 whatever is drawn; as floats, 5000 of anything are 20,000 bytes"


def test_scene_and_picture_may_change_between_pictures(make_gaussians):
    rasterizer = CpuRasterizer()
    for count, size in ((300, (64, 64)), (5, (200, 30)), (900, (31, 77)), (0, (64, 64)), (300, (64, 64))):
        gaussians, camera = make_gaussians(count, 5), CAMERA.resized(*size)
        assert np.array_equal(rasterizer.render(gaussians, camera).color, CpuRasterizer().render(gaussians, camera).color)


def test_other_memory_layouts_are_taken(make_gaussians):
    gaussians = make_gaussians(50, 6)
    odd = replace(gaussians, means=np.asfortranarray(gaussians.means), colors=gaussians.colors.astype(np.float64))
    odd.opacities.flags.writeable = False
    assert np.array_equal(CpuRasterizer().render(odd, CAMERA).color, CpuRasterizer().render(gaussians, CAMERA).color)


def test_wrong_shapes_are_refused(make_gaussians):
    gaussians = make_gaussians(5, 0)
    with pytest.raises(ValueError, match="scales should have the shape"):
        CpuRasterizer().render(replace(gaussians, scales=gaussians.scales[:4]), CAMERA)
    with pytest.raises(ValueError, match="`out` should be"):
        CpuRasterizer().render_into(gaussians, CAMERA, np.empty((5, 5, 3), np.uint8))
    with pytest.raises(ValueError, match="at least one pixel"):
        CpuRasterizer().render(gaussians, replace(CAMERA, width=0))


def test_the_number_of_threads_changes_nothing(make_gaussians):
    gaussians = make_gaussians(2000, 8)
    pictures = [CpuRasterizer(threads).render(gaussians, CAMERA.resized(256, 128)).color for threads in (1, 2, 5)]
    assert np.array_equal(pictures[0], pictures[1]) and np.array_equal(pictures[0], pictures[2])


@pytest.mark.parametrize("shared", [True, False])
def test_threads_may_render_at_once(make_gaussians, shared):
    scenes = [make_gaussians(2000, seed) for seed in range(3)]
    cameras = [CAMERA.resized(200, 100), CAMERA.resized(128, 128), CAMERA.resized(64, 200)]
    expected = [CpuRasterizer().render(g, c).color for g, c in zip(scenes, cameras, strict=True)]
    one, wrong = CpuRasterizer(), []

    def draw(index: int) -> None:
        rasterizer = one if shared else CpuRasterizer()
        for _ in range(20):
            if not np.array_equal(rasterizer.render(scenes[index], cameras[index]).color, expected[index]):
                wrong.append(index)

    threads = [threading.Thread(target=draw, args=(index,)) for index in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert not wrong
