"""The measuring of a reenactment, with a person that the test made and an enrollment that knows it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.avatar import Avatar
from models.errors import ClipError, MissingPartError
from server.evaluation import metrics
from server.evaluation.reenact import ReenactResult, reenact
from server.evaluation.sheet import SIDE as SHEET_SIDE
from tests.server.call.actors import SIDE, Actor, act, record


@pytest.fixture(scope="module")
def actor() -> Actor:
    return Actor(seed=3, spread=0.5)


@pytest.fixture(scope="module")
def clip(actor: Actor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(actor, [*act(13)], tmp_path_factory.mktemp("reenact") / "clip.mp4")


@pytest.fixture(scope="module")
def measured(actor: Actor, clip: Path) -> tuple[ReenactResult, list[str]]:
    portraits: list[np.ndarray] = []
    stages: list[str] = []

    def enroll(portrait: np.ndarray) -> Avatar:
        portraits.append(portrait)
        return actor.avatar()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "fvvdp", missing)
        result = reenact(
            clip, enroll=enroll, out_sheet=clip.with_name("sheet.png"), progress=lambda stage, part: stages.append(stage)
        )
    assert [p.shape for p in portraits] == [(SIDE, SIDE, 3)]
    return result, stages


def missing() -> None:
    raise MissingPartError("no pyfvvdp here")


def test_the_clip_is_compared_every_fourth_picture(measured: tuple[ReenactResult, list[str]]) -> None:
    result, stages = measured
    assert (result.clip, result.frames) == ("clip.mp4", 3)
    assert any("3 pictures were compared instead of 39" in note for note in result.notes)
    assert stages[0] == "enrolling" and stages[-1] == "done"


def test_scores_tell_a_moving_avatar_from_a_still_photo(measured: tuple[ReenactResult, list[str]]) -> None:
    scores = measured[0].scores
    assert list(scores) == ["avatar", "copy", "warp"]
    for row in scores.values():
        assert row.faceless == 0
        assert 10 < row.psnr < 60
        assert 0.5 < row.ssim <= 1
    assert scores["avatar"].akd < 0.6 * scores["copy"].akd
    assert scores["warp"].akd < 0.6 * scores["copy"].akd


def test_without_pyfvvdp_jod_is_left_out_with_a_note(measured: tuple[ReenactResult, list[str]]) -> None:
    result, _ = measured
    assert all(row.jod is None for row in result.scores.values())
    assert "no pyfvvdp here" in result.notes


def test_result_is_plain(measured: tuple[ReenactResult, list[str]]) -> None:
    result, _ = measured
    plain = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    assert plain["scores"]["avatar"]["psnr"] == pytest.approx(result.scores["avatar"].psnr)
    assert [row[""] for row in result.rows()] == ["avatar", "copy", "warp"]


def test_sheet(measured: tuple[ReenactResult, list[str]], clip: Path) -> None:
    picture = cv2.imread(str(clip.with_name("sheet.png")))
    assert picture.shape == (3 * SHEET_SIDE, 3 * SHEET_SIDE, 3)


def test_too_short_a_clip(actor: Actor, tmp_path: Path) -> None:
    short = record(actor, [*act(3)], tmp_path / "short.mp4")
    with pytest.raises(ClipError, match="at least 5 pictures"):
        reenact(short, enroll=lambda portrait: actor.avatar(), with_jod=False)


def test_seconds_of_the_avatars_and_how_much_nearer_the_clip_brought_it(measured: tuple[ReenactResult, list[str]]) -> None:
    assert list(measured[0].seconds) == ["avatar"] and measured[0].summary == ""
    scores = {name: metrics.ImageScores(psnr, 0.9, 1.0, None, 0) for name, psnr in (("avatar", 26.0), ("clip", 28.125))}
    both = ReenactResult("clip.mp4", 20, scores, (), {"avatar": 10.0, "clip": 199.6})
    assert both.summary == "the avatar of the clip took 200 s and is +2.12 dB nearer than that of one picture"


def test_nan_becomes_none() -> None:
    result = ReenactResult("clip.mp4", 1, {"avatar": metrics.ImageScores(20.0, 0.9, float("nan"), None, 1)}, ())
    assert result.as_dict()["scores"]["avatar"]["akd"] is None
