"""High quality: photo and synthesised views become one capture; without good views the instant avatar's hold it together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from enrollment.high import high
from enrollment.high.high import HighOptions, combined, config_for, refine_high
from enrollment.high.quality_gate import FrameQuality, QualityReport
from enrollment.high.synthesize import TargetView
from enrollment.instant.pipeline import Enrollment
from enrollment.reconstruction.capture import COARSE, Capture, Frame
from enrollment.reconstruction.config import ReconstructConfig
from enrollment.reconstruction.reconstruct import Reconstruction, StopReason
from models import arkit
from models.diffusion.prior import Prior
from models.errors import Cancelled
from models.heads.base import HeadModel
from tests.models.diffusion import tiny

REST = np.zeros(arkit.COUNT, np.float32)
VIEWS = (TargetView(180.0, REST, "back"), TargetView(25.0, REST, "side"))


def test_a_run(enrolled: Enrollment, model: HeadModel) -> None:
    told: list[float] = []
    steps: list[float] = []
    config = ReconstructConfig(steps=4, size=48, crops=0.0, check_every=2, coin=True)
    done = refine_high(
        enrolled, model, Prior(tiny.config()), HighOptions(VIEWS, sampling_steps=1, config=config),
        synthesis_progress=lambda stage, part: told.append(part), progress=lambda stage, part: steps.append(part),
    )  # fmt: skip
    assert told == sorted(told) and told[-1] == 1.0 and steps == [0.5, 1.0]
    assert done.quality.counts["frames"] == 2 and done.sheet.ndim == 3
    gaussians = done.reconstruction.avatar.gaussians
    assert done.reconstruction.avatar.provenance["quality"] == "high"
    assert done.reconstruction.steps == 4 and np.isfinite(gaussians.colors).all()
    assert (gaussians.colors[: len(enrolled.avatar.gaussians)] != enrolled.avatar.gaussians.colors[: len(gaussians)]).any()


def captured(monkeypatch: pytest.MonkeyPatch, weights: list[float], enrolled: Enrollment, model: HeadModel) -> Capture:
    """The capture that reaches the optimiser when the quality gate gives such weights."""
    seen: list[Capture] = []

    def frames(enrollment: Enrollment, *args: object, **options: object) -> tuple[Frame, ...]:
        lead = Capture.of_portraits(enrollment, enrollment.avatar.person(model)).frames[0].resized(32, 32)
        return tuple(replace(lead, name=f"made {i}", weight=1.0) for i in range(len(weights)))

    def judged(made: tuple[Frame, ...], *args: object) -> tuple[tuple[Frame, ...], QualityReport]:
        kept = tuple(replace(f, weight=w) for f, w in zip(made, weights, strict=True) if w)
        return kept, QualityReport(
            tuple(FrameQuality(f.name, w, "" if w == 1 else "is odd") for f, w in zip(made, weights, strict=True))
        )

    def optimised(avatar: object, model: object, capture: Capture, *args: object, **options: object) -> Reconstruction:
        seen.append(capture)
        return Reconstruction(enrolled.avatar, capture.frames, 0, (), StopReason.FINISHED, capture.warnings, 0, 0.0)

    monkeypatch.setattr(high, "synthesize", frames)
    monkeypatch.setattr(high, "apply_quality_gate", judged)
    monkeypatch.setattr(high, "reconstruct", optimised)
    refine_high(enrolled, model, Prior(tiny.config()))
    return seen[0]


def test_photo_and_views_share_the_looks(monkeypatch: pytest.MonkeyPatch, enrolled: Enrollment, model: HeadModel) -> None:
    capture = captured(monkeypatch, [1.0] * 9 + [0.3], enrolled, model)
    assert len(capture.frames) == 11
    weights = np.array([f.weight for f in capture.frames])
    assert weights[0] == pytest.approx(weights[1:].sum()), "the photo is looked at as often as all views together"
    assert weights[10] == pytest.approx(0.3 * weights[1]), "the quality gate's weights stay"
    assert not capture.warnings


def test_dropped_views_are_told_and_replaced(monkeypatch: pytest.MonkeyPatch, enrolled: Enrollment, model: HeadModel) -> None:
    capture = captured(monkeypatch, [1.0, 1.0, 0.0, 0.0], enrolled, model)
    assert len(capture.frames) == 1 + 2 + len(COARSE)
    assert len(capture.warnings) == 1 and "2 were left out" in capture.warnings[0]


def test_stopping_while_synthesising(enrolled: Enrollment, model: HeadModel) -> None:
    with pytest.raises(Cancelled):
        refine_high(enrolled, model, Prior(tiny.config()), HighOptions(VIEWS), cancelled=lambda: True)


def test_no_views_at_all_leave_the_photos_alone(enrolled: Enrollment, model: HeadModel) -> None:
    photos = Capture.of_portraits(enrolled, enrolled.avatar.person(model))
    assert combined(photos, ()).frames == photos.frames


def test_what_is_on_by_default() -> None:
    config = config_for(1)
    assert config.normals and config.coin and config.steps >= ReconstructConfig.for_photos(1).steps
