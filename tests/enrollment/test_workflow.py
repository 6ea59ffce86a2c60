"""Enrollment to a file: instant first, then better; what a stop, a clip and a stranger's clip do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from enrollment import clip_capture
from enrollment.high.high import synthesize
from enrollment.high.synthesize import View
from enrollment.instant.pipeline import enroll
from enrollment.reconstruction.capture import COARSE, Capture
from enrollment.reconstruction.config import ReconstructConfig
from enrollment.refine import improved
from enrollment.workflow import checkpoint_of, enroll_to_file
from models import arkit, avatar_file
from models.avatar import Avatar
from models.diffusion import weights
from models.diffusion.prior import Prior
from models.errors import ClipError, VisavisError
from models.heads.base import HeadModel
from models.heads.registry import by_name
from models.video.reader import open_clip
from server.evaluation.photos import compare
from tests.models.diffusion import tiny
from tests.models.video import clips
from tests.server.call.actors import Actor, act, record

REST = np.zeros(arkit.COUNT, np.float32)


@pytest.fixture(scope="module")
def photo() -> NDArray[np.uint8]:
    """NASA, public domain."""
    return np.asarray(skimage.data.astronaut(), np.uint8)


@pytest.fixture(scope="module")
def photo_file(photo: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "astronaut.png"
    cv2.imwrite(str(path), photo[..., ::-1])
    return path


@pytest.fixture(scope="module")
def film(photo: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The face moves through the picture; at first it looks out of it sideways."""
    side = cv2.warpAffine(photo, np.float32([[0.55, 0, 130], [0, 1, 0]]), (512, 512), borderValue=(200, 200, 200))
    moved = [cv2.warpAffine(photo, np.float32([[1, 0, 4 * i], [0, 1, 2 * i]]), (512, 512)) for i in range(6)]
    return clips.write(tmp_path_factory.mktemp("film") / "film.mp4", [side, side, *moved])


def test_a_stopped_refinement_keeps_the_best_and_goes_on(photo_file: Path, tmp_path: Path) -> None:
    out, heard = tmp_path / "a.avatar", list[str]()

    def stop(stage: str, part: float) -> None:
        if stage.startswith("refining,"):
            raise KeyboardInterrupt

    first = enroll_to_file([photo_file], None, out, quality="standard", steps=100, tell=stop, ready=heard.append)
    assert len(heard) == 1 and "instant avatar" in heard[0]
    assert "best so far was kept" in first.stopped and first.steps == 50
    assert avatar_file.load(out).provenance["quality"] == "standard"
    assert checkpoint_of(out).exists()

    parts: list[float] = []
    done = enroll_to_file(
        [photo_file], None, out, quality="standard", steps=100, ready=heard.append,
        tell=lambda stage, part: parts.append(part) if stage.startswith("refining,") else None,
    )  # fmt: skip
    assert len(heard) == 1, "what was better than instant was overwritten"
    assert parts == [1.0] and done.steps == 100 and not done.stopped
    assert not checkpoint_of(out).exists()
    assert Path(done.sheet).exists() and set(avatar_file.load(out).previews)


def test_a_clip_alone_is_enough(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = replace(ReconstructConfig.for_clip(), size=128)
    monkeypatch.setattr(ReconstructConfig, "for_clip", staticmethod(lambda: small))
    done = enroll_to_file([], film, tmp_path / "a.avatar", quality="standard", steps=4)
    assert done.quality == "standard" and done.steps == 4 and done.gaussians > 20_000


def test_a_clip_is_followed_again_by_the_avatar_that_learned_from_it(
    film: Path, photo: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, clip, state = by_name("anny"), open_clip(film), tmp_path / "state"
    first, followed = enroll([photo], head=model), list[tuple[Avatar, bool]]()
    capture_of = clip_capture.capture_of

    def watched(film: Any, again: Any, avatar: Avatar, model: HeadModel, *, own: bool) -> Capture:
        followed.append((avatar, own))
        return capture_of(film, again, avatar, model, own=own)

    small = replace(ReconstructConfig.for_clip(), size=128)
    monkeypatch.setattr(ReconstructConfig, "for_clip", staticmethod(lambda: small))
    monkeypatch.setattr(clip_capture, "capture_of", watched)
    monkeypatch.setattr(clip_capture, "MOST", 3)
    stopping = True

    def stop(stage: str, part: float) -> None:
        if stopping and stage.startswith("refining,") and part > 0.9:
            raise KeyboardInterrupt

    once = improved(first, model, clip, own=False, steps=6, state=state, tell=stop)
    assert once.stopped and state.with_name("state.2").exists()
    (before, known), (after, known_then) = followed
    assert before is first.avatar and not known and known_then
    assert np.abs(after.offset - before.offset).max() > 0, "the first round may change the rig"
    stopping = False
    again = improved(first, model, clip, own=False, steps=6, state=state)
    assert not again.stopped and again.steps == 6
    assert np.array_equal(again.avatar.offset, after.offset), "the second round leaves the rig alone"
    assert np.array_equal(again.avatar.gaussians.means, once.avatar.gaussians.means), "it went on where it was stopped"
    assert not state.with_name("state.2").exists()
    assert len(again.avatar.gaussians) == len(first.avatar.gaussians), "what the clip does not show"
    assert np.abs(again.avatar.gaussians.means - first.avatar.gaussians.means).max() < 0.2, "the Gaussians begin anew"
    assert sum(frame.name.startswith("coarse view") for frame in again.frames) == len(COARSE)


def test_a_second_round_that_hardly_began_does_not_count(
    film: Path, photo: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, clip, short = by_name("anny"), open_clip(film), ReconstructConfig(steps=12, size=96, rig=True, check_every=1)
    monkeypatch.setattr(ReconstructConfig, "for_clip", staticmethod(lambda: short))
    first, heard = enroll([photo], head=model), list[str]()
    seen = Capture.of_portraits(first, first.avatar.person(model))
    monkeypatch.setattr(clip_capture, "capture_of", lambda *_, own: seen)

    def stop(stage: str, part: float) -> None:
        heard.append(stage)
        if "following the face again" in heard and stage.startswith("refining,"):
            raise KeyboardInterrupt

    made = improved(first, model, clip, tell=stop)
    assert made.stopped and made.steps == 6
    assert np.abs(made.avatar.offset).max() > 0 and not any(f.name.startswith("coarse view") for f in made.frames)


def test_the_portrait_is_the_picture_that_looks_straight(film: Path, photo: NDArray[np.uint8]) -> None:
    chosen = clip_capture.portrait_of(open_clip(film))
    differences = [np.abs(rgb.astype(int) - chosen).mean() for rgb, _ in open_clip(film).frames()]
    assert int(np.argmin(differences)) >= 2


def test_frames_of_a_clip_are_spread_over_it(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    actor = Actor(seed=3, spread=0.5)
    monkeypatch.setattr(clip_capture, "MOST", 3)
    pictures = list(open_clip(record(actor, [*act(9)], tmp_path / "actor.mp4")).frames())
    silhouettes = {picture.tobytes(): actor.silhouette(moment) for (picture, _), moment in zip(pictures, act(9), strict=True)}
    monkeypatch.setattr(clip_capture, "matte", lambda rgb: silhouettes[rgb.tobytes()].astype(np.float32))
    capture = clip_capture.capture_of(pictures, pictures, actor.avatar(), actor.model, own=True)
    assert [frame.name for frame in capture.frames] == ["picture 1", "picture 5", "picture 9"]
    assert all(frame.covered(actor.person) > 0.9 for frame in capture.frames)
    jaw = [frame.coefficients[arkit.INDEX["jawOpen"]] for frame in capture.frames]
    assert jaw[2] > jaw[0] + 0.1, "the mouth opens"


def test_a_stranger_s_clip_is_refused(photo_file: Path, tmp_path: Path) -> None:
    film = record(Actor(seed=3, spread=0.5), [*act(8)], tmp_path / "actor.mp4")
    with pytest.raises(ClipError, match="somebody else"):
        enroll_to_file([photo_file], film, tmp_path / "a.avatar", quality="standard", steps=2)
    assert avatar_file.load(tmp_path / "a.avatar").provenance["quality"] == "instant"


def test_something_must_be_there_to_enroll_from(tmp_path: Path) -> None:
    with pytest.raises(VisavisError, match="a photo or a clip"):
        enroll_to_file([], None, tmp_path / "a.avatar")


def test_avatars_of_photos_are_compared_in_the_poses_of_the_others(photo_file: Path, tmp_path: Path) -> None:
    from enrollment.instant.pipeline import enroll

    taken: list[int] = []

    def enrolled(photos: object) -> object:
        taken.append(len(list(photos)))  # type: ignore[call-overload]
        return enroll([photo_file]).avatar

    result = compare([photo_file, photo_file], enroll=enrolled, out_sheet=tmp_path / "s.png")  # type: ignore[arg-type]
    assert taken == [1, 2] and result.compared == 1
    assert result.scores["one photo"].psnr == result.scores["all photos"].psnr > 20
    assert (tmp_path / "s.png").exists() and "jod" not in result.rows()[0]


def test_high_quality_imagines_views_and_shows_them(photo_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesize, "planned", lambda: (View(180.0, REST, "back"), View(25.0, REST, "side")))
    weights.save(Prior(tiny.config()), tmp_path / "tiny.safetensors")
    out = tmp_path / "a.avatar"
    done = enroll_to_file([photo_file], None, out, quality="high", prior=tmp_path / "tiny.safetensors", steps=2)
    assert done.views == str(tmp_path / "a.avatar.views.png") and Path(done.views).exists()
    assert avatar_file.load(out).provenance["quality"] == "high"
    assert any("of 2 synthesised views" in warning for warning in done.warnings)


def test_high_quality_without_weights_says_so_before_any_work(photo_file: Path, tmp_path: Path) -> None:
    with pytest.raises(VisavisError, match="weights"):
        enroll_to_file([photo_file], None, tmp_path / "a.avatar", quality="high", prior=tmp_path / "none.safetensors")
    assert not (tmp_path / "a.avatar").exists()
