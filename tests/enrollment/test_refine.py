"""Optimisation on a clip: two rounds, the second with the avatar of the first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from enrollment import RefineOptions, clip_capture
from enrollment.instant.pipeline import Enrollment
from enrollment.reconstruction.capture import COARSE, Capture
from enrollment.reconstruction.config import ReconstructConfig
from enrollment.refine import FIRST_ROUND, refine_on_clip
from models.avatar import Avatar
from models.heads.base import HeadModel
from models.tracking import offline
from models.tracking.offline import SeenClip
from models.video.reader import open_clip


def test_the_second_round_tracks_the_clip_with_the_avatar_of_the_first(
    clip_file: Path, enrolled: Enrollment, model: HeadModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, options = (
        open_clip(clip_file), RefineOptions(steps=6, checkpoint=tmp_path / "state", clip_frames=4, learned_frames=2)
    )  # fmt: skip
    tracked: list[tuple[Avatar, bool]] = []
    looked: list[SeenClip | None] = []
    capture_clip = clip_capture.capture_clip

    captures: list[tuple[Avatar, Capture]] = []

    def watched(
        pictures: Callable[[], Any], avatar: Avatar, model: HeadModel, *, verify_person: bool, seen: SeenClip | None, **rest: Any
    ) -> Capture:
        for known, capture in captures:  # the same again, when it goes on
            if np.array_equal(known.offset, avatar.offset) and np.array_equal(known.identity, avatar.identity):
                return capture
        tracked.append((avatar, verify_person))
        looked.append(seen)
        captures.append((avatar, capture_clip(pictures, avatar, model, verify_person=verify_person, seen=seen, **rest)))
        return captures[-1][1]

    small = replace(ReconstructConfig.for_clip(), size=64)
    monkeypatch.setattr(ReconstructConfig, "for_clip", staticmethod(lambda: small))
    monkeypatch.setattr(clip_capture, "capture_clip", watched)
    monkeypatch.setattr(offline, "refine_focal", lambda _, first, *__: first)  # as found by landmarks
    stopping = True

    def stop(stage: str, part: float) -> None:
        if stopping and stage.startswith("refining,") and part > 0.9:
            raise KeyboardInterrupt

    once = refine_on_clip(enrolled, model, clip, options, progress=stop)
    assert once.stopped and (tmp_path / "state.2").exists()
    assert looked[0] is not None and looked[0] is looked[1] and len(looked[0].track) == 4, "the faces are looked for once"
    assert len(looked[0].compared) == 2, "no more than are learned from"
    (before, verified), (after, verified_again) = tracked
    assert before is enrolled.avatar and verified and not verified_again
    assert np.abs(after.offset - before.offset).max() > 0, "the first round may change the rig"
    stopping = False
    again = refine_on_clip(enrolled, model, clip, options)
    assert len(tracked) == 2
    assert not again.stopped and again.steps == 6
    assert np.array_equal(again.avatar.offset, after.offset), "the second round leaves the rig alone"
    assert np.array_equal(again.avatar.gaussians.means, once.avatar.gaussians.means), "it went on where it was stopped"
    assert not (tmp_path / "state.2").exists()
    assert len(again.avatar.gaussians) == len(enrolled.avatar.gaussians), "what the clip does not show"
    assert np.abs(again.avatar.gaussians.means - enrolled.avatar.gaussians.means).max() < 0.2, "the Gaussians begin anew"
    assert sum(frame.name.startswith("coarse view") for frame in again.frames) == len(COARSE)


def test_a_second_round_that_hardly_began_does_not_count(
    clip_file: Path, enrolled: Enrollment, model: HeadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, short = open_clip(clip_file), ReconstructConfig(steps=12, size=48, rig=True, check_every=1)
    monkeypatch.setattr(ReconstructConfig, "for_clip", staticmethod(lambda: short))
    seen, heard = Capture.of_portraits(enrolled, enrolled.avatar.person(model)), list[str]()
    monkeypatch.setattr(clip_capture, "capture_clip", lambda *_, **__: seen)

    def stop(stage: str, part: float) -> None:
        heard.append(stage)
        if "tracking the face again" in heard and stage.startswith("refining,"):
            raise KeyboardInterrupt

    made = refine_on_clip(enrolled, model, clip, RefineOptions(), progress=stop)
    assert made.stopped and made.steps == round(FIRST_ROUND * 12)
    assert np.abs(made.avatar.offset).max() > 0 and not any(f.name.startswith("coarse view") for f in made.frames)
