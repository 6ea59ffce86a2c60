"""Enrollment to a file: the instant avatar first, then a better one; what a stop and a clip of somebody else do."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from enrollment import EnrollOptions, RefineOptions, enroll_to_file
from enrollment.high import synthesize
from enrollment.high.synthesize import TargetView
from enrollment.instant.pipeline import Enrollment
from enrollment.reconstruction.config import ReconstructConfig
from enrollment.to_file import _save, checkpoint_of
from models import arkit, avatar_file, provenance
from models.diffusion import export, weights
from models.diffusion.prior import Prior
from models.errors import ClipError, StorageError, VisavisError
from models.heads.base import HeadModel
from tests.models.diffusion import tiny
from tests.server.call.actors import Actor, act, record

REST = np.zeros(arkit.COUNT, np.float32)


@pytest.mark.usefixtures("enrolled_before")
def test_a_stopped_refinement_keeps_the_best_and_goes_on(
    photo_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(ReconstructConfig.for_photos(1), size=48, check_every=2)
    monkeypatch.setattr(ReconstructConfig, "for_photos", staticmethod(lambda photos: small))
    out, heard = tmp_path / "a.avatar", list[str]()
    options = EnrollOptions("standard", refinement=RefineOptions(steps=4))

    def stop(stage: str, part: float) -> None:
        if stage.startswith("refining,"):
            raise KeyboardInterrupt

    first = enroll_to_file([photo_file], None, out, options, progress=stop, notify=heard.append)
    assert len(heard) == 1 and "instant avatar" in heard[0]
    assert "best so far was kept" in first.stopped and first.steps == 2
    assert avatar_file.load(out).provenance["quality"] == "standard"
    assert checkpoint_of(out).exists()

    parts: list[float] = []
    done = enroll_to_file(
        [photo_file], None, out, options, notify=heard.append,
        progress=lambda stage, part: parts.append(part) if stage.startswith("refining,") else None,
    )  # fmt: skip
    assert len(heard) == 1, "what was better than instant was overwritten"
    assert parts == [1.0] and done.steps == 4 and not done.stopped
    assert not checkpoint_of(out).exists()
    assert Path(done.sheet).exists() and set(avatar_file.load(out).previews)


@pytest.mark.usefixtures("enrolled_before")
def test_a_clip_of_somebody_else_is_refused(photo_file: Path, tmp_path: Path) -> None:
    clip = record(Actor(seed=3, spread=0.5), [*act(8)], tmp_path / "actor.mp4")
    options = EnrollOptions("standard", refinement=RefineOptions(steps=2))
    with pytest.raises(ClipError, match="somebody else"):
        enroll_to_file([photo_file], clip, tmp_path / "a.avatar", options)
    assert avatar_file.load(tmp_path / "a.avatar").provenance["quality"] == "instant"


@pytest.mark.usefixtures("enrolled_before")
def test_high_quality_synthesises_views_and_shows_them(photo_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    views = (TargetView(180.0, REST, "back"), TargetView(25.0, REST, "side"))
    monkeypatch.setattr(synthesize, "plan_views", lambda: views)
    small = replace(ReconstructConfig.for_photos(1), size=64)
    monkeypatch.setattr(ReconstructConfig, "for_photos", staticmethod(lambda photos: small))
    weights.save(Prior(tiny.config()), tmp_path / "tiny.safetensors")
    monkeypatch.setattr(export, "use_engine", lambda *_, **__: None)
    monkeypatch.setattr(provenance, "label", lambda picture: np.full_like(picture, 7))
    out = tmp_path / "a.avatar"
    options = EnrollOptions("high", refinement=RefineOptions(steps=2, prior=tmp_path / "tiny.safetensors"))
    done = enroll_to_file([photo_file], None, out, options)
    assert done.views == str(tmp_path / "a.avatar.views.png")
    with Image.open(done.views) as image:
        assert (np.asarray(image) == 7).all(), "labelled"
    if find_spec("c2pa"):
        assert all(b"caBX" in Path(path).read_bytes() for path in (done.views, done.sheet)), "signed"
    assert avatar_file.load(out).provenance["quality"] == "high"
    assert any("of 2 synthesised views" in warning for warning in done.warnings)


def test_high_quality_without_weights_says_so_before_any_work(photo_file: Path, tmp_path: Path) -> None:
    options = EnrollOptions("high", refinement=RefineOptions(prior=tmp_path / "none.safetensors"))
    with pytest.raises(VisavisError, match="weights"):
        enroll_to_file([photo_file], None, tmp_path / "a.avatar", options)
    assert not (tmp_path / "a.avatar").exists()


def test_the_photo_is_not_overwritten(photo_file: Path) -> None:
    before = photo_file.read_bytes()
    with pytest.raises(StorageError):
        enroll_to_file([photo_file], None, photo_file)
    assert photo_file.read_bytes() == before


def test_where_nobody_looks_at_a_sheet_none_is_drawn(enrolled: Enrollment, model: HeadModel, tmp_path: Path) -> None:
    out = tmp_path / "me.avatar"
    assert _save(enrolled.avatar, model, out, with_sheet=False) == ""
    assert [path.name for path in tmp_path.iterdir()] == ["me.avatar"] and set(avatar_file.load(out).previews)
