from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from models import avatar_file
from models.avatar import Avatar
from models.binding import BoundGaussians
from models.errors import AvatarFileError, MissingPartError
from models.heads.anny import AnnyHead
from models.types import Camera, DriveFrame, Gaussians
from realtime.pipeline import LivePipeline, facing, load_factory
from realtime.quality import BUDGET, ROUND, QualityControl
from realtime.timing import StageTimes
from realtime.view import ViewRequest
from tests.fakes import FakePipeline, flat_color


def test_a_pipeline_is_found_by_name() -> None:
    pipeline = load_factory("tests.fakes:FakePipeline")(width=8, height=8)
    assert isinstance(pipeline, FakePipeline)


@pytest.mark.parametrize("name", ["tests.fakes:Nothing", "no.such.module:X", "", "tests.fakes", ":"])
def test_a_pipeline_that_is_not_there_is_one_sentence(name: str) -> None:
    with pytest.raises(MissingPartError) as error:
        load_factory(name)
    assert "\n" not in str(error.value)


def test_the_fake_draws_what_it_says() -> None:
    pipeline = FakePipeline(8, 8)
    drive = pipeline.step(np.full((4, 4, 3), 120, np.uint8), 0.0)
    out = np.zeros((8, 8, 3), np.uint8)
    pipeline.render(drive, ViewRequest(yaw=1.0), out)
    assert np.abs(out.astype(int) - flat_color(120, 1.0)).max() <= 1


@pytest.fixture(scope="module")
def live() -> LivePipeline:
    """The real pipeline of a grey avatar."""
    model = AnnyHead()
    n = len(model.faces)
    gaussians = BoundGaussians(
        np.arange(n, dtype=np.int32), np.zeros((n, 3), np.float32), np.tile(np.float32([1, 0, 0, 0]), (n, 1)),
        np.full((n, 3), 0.4, np.float32), np.full(n, 0.9, np.float32), np.full((n, 3), 0.3, np.float32),
    )  # fmt: skip
    avatar = Avatar("anny", np.zeros(model.identity_count, np.float32), np.zeros_like(model.template), gaussians)
    return LivePipeline(avatar_file.encode(avatar), 64, 64)


def test_a_face_at_rest_drives_the_avatar_to_rest_wherever_it_is(live: LivePipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is rendered is relative to the resting head, so that rest is the same for everybody (realtime/rest.py)."""
    face = facing(live._renderer.person)
    aside = replace(face, points=face.points + np.float32([60, 20, 0]))
    monkeypatch.setattr(live._tracker, "track", lambda rgb: aside)
    picture = np.zeros((480, 640, 3), np.uint8)
    drives = [live.step(picture, index / 30) for index in range(45)]
    assert not live.calibrating
    last = drives[-1]
    assert last.confidence > 0.5 and np.abs(last.translation).max() < 0.02
    assert last.rotation == pytest.approx([1, 0, 0, 0], abs=0.02)
    assert np.abs(last.coefficients).max() < 0.2
    assert max(np.abs(drive.translation).max() for drive in drives) < 0.1
    monkeypatch.setattr(live._tracker, "track", lambda rgb: None)
    assert live.step(picture, 2.0).confidence == 0.0


def test_a_slow_machine_draws_smaller_pictures_of_the_same_size(live: LivePipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quality falls before the rate does; a resting avatar, which has all the time, is drawn in full."""
    drawn: list[int] = []
    draw = live._rasterizer.render_into

    def watched(gaussians: Gaussians, camera: Camera, out: np.ndarray, background: tuple[float, float, float]) -> None:
        drawn.append(camera.width)
        draw(gaussians, camera, out, background)

    monkeypatch.setattr(live._rasterizer, "render_into", watched)
    pictures = [np.zeros((64, 64, 3), np.uint8) for _ in range(3)]
    live.render(DriveFrame(), ViewRequest(), pictures[0])
    for _ in range(3 * ROUND):
        monkeypatch.setattr(live, "_spent", 10 * BUDGET)
        live.render(DriveFrame(), ViewRequest(), pictures[1])
    live.render(DriveFrame(confidence=0.0), ViewRequest(), pictures[2])
    assert drawn[0] == 64 and drawn[-2] == 32 and drawn[-1] == 64
    assert np.abs(pictures[0].astype(int) - pictures[1]).mean() < 8
    np.testing.assert_array_equal(pictures[0], pictures[2])
    monkeypatch.setattr(live, "_quality", QualityControl())


def test_bytes_that_are_no_avatar_are_one_sentence() -> None:
    with pytest.raises(AvatarFileError, match="cannot be opened because"):
        LivePipeline(b"no avatar")


def test_importing_the_live_path_brings_nothing_heavy() -> None:
    check = (
        "import sys, realtime.pipeline, realtime.worker, realtime.tracks, server.call.app, server.call.rooms;"
        "print([m for m in ('torch', 'mediapipe', 'numba', 'anny') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_stage_times_forget_what_is_old() -> None:
    now = [0.0]
    times = StageTimes(window=1.0, clock=lambda: now[0])
    for value in (1.0, 2.0, 9.0):
        times.add("track", value)
    assert times.medians() == {"track": 2.0} and times.rate("track") == 3
    now[0] = 0.9
    times.add("track", 20.0)
    now[0] = 1.5
    assert times.values("track") == [20.0]
    now[0] = 5.0
    assert times.medians() == {} and times.rate("track") == 0
    with times.measure("solve"):
        pass
    assert set(times.medians()) == {"solve"}
