from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from models.errors import MissingPartError
from realtime.pipeline import load_factory
from realtime.timing import StageTimes
from realtime.view import View
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
    pipeline.render(drive, View(yaw=1.0), out)
    assert np.abs(out.astype(int) - flat_color(120, 1.0)).max() <= 1


def test_importing_the_live_path_brings_nothing_heavy() -> None:
    check = (
        "import sys, realtime.pipeline, realtime.worker, realtime.tracks, server.app, server.rooms;"
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
