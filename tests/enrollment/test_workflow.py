"""`enrollment.enroll`: what it makes of photos and clips, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import enrollment
from enrollment import RefineOptions, enroll, refine, workflow
from enrollment.instant.pipeline import Enrollment
from enrollment.reconstruction.config import ReconstructConfig
from enrollment.reconstruction.reconstruct import Reconstruction, StopReason
from models.errors import Cancelled, VisavisError
from models.heads.base import HeadModel
from models.video.reader import Clip


def test_every_public_name_can_be_imported() -> None:
    assert all(getattr(enrollment, name) is not None for name in enrollment.__all__)
    with pytest.raises(AttributeError, match="nobody"):
        enrollment.nobody  # noqa: B018


def test_instant_quality_is_the_instant_avatar(photo_file: Path, enrolled: Enrollment, model: HeadModel) -> None:
    heard: list[Enrollment] = []
    made = enroll([photo_file], head=model, consent="a consent", on_instant=heard.append)
    assert made.avatar is made.instant.avatar and made.refinement is None and made.views is None
    assert made.steps == 0 and made.stopped == "" and made.quality == "instant" and not heard
    assert made.avatar.provenance["consent"] == "a consent"
    again, before = made.avatar.gaussians, enrolled.avatar.gaussians
    assert np.array_equal(again.face, before.face), "file and picture give one avatar, each time"
    assert np.allclose(again.means, before.means, atol=1e-5) and np.array_equal(again.colors, before.colors)


def test_a_clip_alone_is_enough(clip_file: Path, enrolled: Enrollment, monkeypatch: pytest.MonkeyPatch) -> None:
    """`refine_on_clip` itself: test_refine.py."""
    chosen: list[NDArray[np.uint8]] = []
    verified: list[bool] = []
    stages: list[str] = []
    heard: list[Enrollment] = []
    better = replace(enrolled.avatar, offset=enrolled.avatar.offset + np.float32(1e-4), corrections=None)

    def enroll_instant(pictures: list[NDArray[np.uint8]], **_: object) -> Enrollment:
        chosen.extend(pictures)
        return enrolled

    def refine_on_clip(
        first: Enrollment, model: HeadModel, clip: Clip, options: RefineOptions, *, verify_person: bool, **_: object
    ) -> Reconstruction:
        assert heard == [enrolled] and first.avatar.corrections is None and clip.path == clip_file
        verified.append(verify_person)
        return Reconstruction(better, (), options.steps or 0, (), StopReason.FINISHED, ("a note",), 0, 0.0)

    monkeypatch.setattr(workflow, "enroll_instant", enroll_instant)
    monkeypatch.setattr(refine, "refine_on_clip", refine_on_clip)
    made = enroll(
        clip=clip_file, quality="standard", refinement=RefineOptions(steps=4, clip_frames=4),
        on_instant=heard.append, progress=lambda stage, part: stages.append(stage),
    )  # fmt: skip
    assert made.steps == 4 and made.avatar.gaussians is better.gaussians and "a note" in made.warnings
    assert made.avatar.corrections is not None, "the person's blinks"
    assert stages == ["choosing a picture of the clip"] and heard == [made.instant] and verified == [False]
    assert len(chosen) == 1 and chosen[0].shape == (512, 512, 3)


def test_cancelling_before_the_optimisation_raises(photo_file: Path, model: HeadModel) -> None:
    stages: list[str] = []
    with pytest.raises(Cancelled):
        enroll(
            [photo_file], quality="standard", head=model, progress=lambda stage, part: stages.append(stage),
            cancelled=lambda: len(stages) > 0,
        )  # fmt: skip
    assert len(stages) == 1


@pytest.mark.usefixtures("enrolled_before")
def test_cancelling_the_optimisation_keeps_the_best_so_far(
    photo_file: Path, model: HeadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = ReconstructConfig(steps=4, size=48, check_every=1)
    monkeypatch.setattr(ReconstructConfig, "for_photos", staticmethod(lambda photos: small))
    stages: list[str] = []
    made = enroll(
        [photo_file], quality="standard", head=model, progress=lambda stage, part: stages.append(stage),
        cancelled=lambda: bool(stages) and stages[-1].startswith("refining,"),
    )  # fmt: skip
    assert made.stopped and made.steps < 4 and np.isfinite(made.avatar.gaussians.colors).all()


def test_something_must_be_there_to_enroll_from() -> None:
    with pytest.raises(VisavisError, match="a photo, a clip or a capture folder"):
        enroll()


def test_high_quality_is_for_photos(clip_file: Path) -> None:
    with pytest.raises(VisavisError, match="high quality is for photos"):
        enroll(clip=clip_file, quality="high")
