"""Driving an avatar with a recording: of which every movement is known, because the test made it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models import avatar_file, provenance
from models.errors import AvatarFileError, Cancelled, ClipError, VisavisError
from models.tracking import offline
from models.types import DriveFrame, Picture
from models.video.reader import open_clip
from realtime.offline import drive, straight
from realtime.recorded import read_frames
from tests.models.video import clips
from tests.server.call.actors import SIDE, Actor, act, record

LOST = (0, 1, 6, 7)
"""Moments of the clip in which nobody is in the picture."""


@pytest.fixture(scope="module")
def actor() -> Actor:
    return Actor(seed=3, spread=0.5)


@pytest.fixture(scope="module")
def moments() -> list[DriveFrame]:
    return act(12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("drive")


@pytest.fixture(scope="module")
def avatar(actor: Actor, folder: Path) -> Path:
    avatar_file.save(actor.avatar(), folder / "own.avatar")
    return folder / "own.avatar"


@pytest.fixture(scope="module")
def clip(actor: Actor, moments: list[DriveFrame], folder: Path) -> Path:
    return record(actor, [None if i in LOST else moment for i, moment in enumerate(moments)], folder / "clip.mp4")


@pytest.fixture(scope="module")
def tracked(avatar: Path, clip: Path, folder: Path) -> Path:
    said: list[tuple[str, float]] = []
    summary = drive(avatar, clip, folder / "tracked", "tracked", progress=lambda stage, part: said.append((stage, part)))
    assert (summary.frames, summary.frames_without_face, summary.reenactment) == (12, len(LOST), "self")
    assert summary.seconds > 0
    assert summary.fps == pytest.approx(summary.frames / summary.seconds)
    assert summary.as_dict()["frames"] == 12
    parts = [part for _, part in said]
    assert parts == sorted(parts)
    assert said[-1] == ("done", 1.0)
    return folder / "tracked"


def read(path: Path) -> NDArray[np.uint8]:
    return cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA)


def test_tracked_pictures_lie_over_the_clip(tracked: Path, actor: Actor, moments: list[DriveFrame]) -> None:
    pictures = sorted(tracked.iterdir())
    assert [p.name for p in pictures] == [f"{i:06d}.png" for i in range(12)]
    for i in (2, 5, 8, 11):
        rgba = read(pictures[i])
        assert rgba.shape == (SIDE, SIDE, 4)
        drawn, truth = rgba[..., 3] > 127, actor.silhouette(moments[i])
        assert (drawn & truth).sum() / (drawn | truth).sum() > 0.9
        both = cv2.erode((drawn & truth).astype(np.uint8), np.ones((9, 9))) > 0
        assert np.abs(rgba[..., :3].astype(int) - actor.picture(moments[i]))[both].mean() < 20


def test_without_a_face_the_last_pose_stays(tracked: Path) -> None:
    pictures = [read(p) for p in sorted(tracked.iterdir())]
    for i, same in ((0, 2), (1, 2), (6, 5), (7, 5)):
        np.testing.assert_array_equal(pictures[i], pictures[same])
    assert not np.array_equal(pictures[8], pictures[5])


@pytest.mark.parametrize("camera", ["front", "orbit"])
def test_other_cameras_look_at_the_head(avatar: Path, clip: Path, tmp_path: Path, camera: str) -> None:
    drive(avatar, clip, tmp_path / "out.mp4", camera)  # type: ignore[arg-type]
    out = open_clip(tmp_path / "out.mp4")
    assert (out.width, out.height, out.frame_count, out.has_audio) == (SIDE, SIDE, 12, True)
    pictures = [rgb for rgb, _ in out.frames()]
    for rgb in pictures:
        assert rgb[:8, :8].min() > 245, "the background is white"
        assert rgb[SIDE // 2 - 20 : SIDE // 2 + 20, SIDE // 2 - 20 : SIDE // 2 + 20].mean() < 230
    turned = np.abs(pictures[6].astype(int) - pictures[0]).mean()
    assert (turned > 10) == (camera == "orbit")


@pytest.mark.parametrize("label", [True, False])
def test_each_picture_says_that_it_is_synthetic_unless_told_not_to(
    avatar: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, label: bool
) -> None:
    monkeypatch.setattr(provenance, "label", lambda rgba: np.full_like(rgba, 7))
    drive(avatar, clip, tmp_path / "out", "front", label=label, recording=tmp_path / "talk.jsonl")
    frames = read_frames(tmp_path / "talk.jsonl").drives
    assert [i for i, frame in enumerate(frames) if frame.confidence <= 0] == list(LOST)
    assert min(np.abs(frame.translation).max() for frame in frames) == 0, "relative to the middle of the poses"
    assert all((read(path) == 7).all() == label for path in (tmp_path / "out").iterdir())


def test_another_person_may_drive(clip: Path, tmp_path: Path) -> None:
    other = Actor(seed=10, spread=0.8)
    other.color = np.roll(other.color, 1, axis=1) * 0.5  # nobody is that green
    avatar_file.save(other.avatar(), tmp_path / "other.avatar")
    summary = drive(tmp_path / "other.avatar", clip, tmp_path / "out")
    assert (summary.frames, summary.reenactment) == (12, "cross")
    first, last = (read(tmp_path / "out" / f"{i:06d}.png")[..., 3] for i in (2, 11))
    assert (first > 127).any() and not np.array_equal(first, last)


def test_clip_without_a_face(avatar: Path, tmp_path: Path) -> None:
    empty = clips.write(tmp_path / "empty.mp4", [np.full((64, 64, 3), 140, np.uint8)] * 3)
    with pytest.raises(ClipError, match="shows a face was expected"):
        drive(avatar, empty, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_cancelling_leaves_nothing(avatar: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline, "refine_focal", lambda _, first, *__: first)  # as found by landmarks

    def stop(stage: str, part: float) -> None:
        if part > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        drive(avatar, clip, tmp_path / "out.mp4", progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_wrong_input_is_said_in_one_sentence(avatar: Path, clip: Path, tmp_path: Path) -> None:
    with pytest.raises(AvatarFileError):
        drive(tmp_path / "none.avatar", clip, tmp_path / "out")
    with pytest.raises(ClipError):
        drive(avatar, tmp_path / "none.mp4", tmp_path / "out")
    with pytest.raises(VisavisError, match="cameras tracked, front, orbit"):
        drive(avatar, clip, tmp_path / "out", "above")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_straight_alpha() -> None:
    alpha = np.array([[0.0, 0.5, 1.0]], np.float32)
    over_black = np.float32([0.8, 0.4, 0.2]) * alpha[..., None]
    rgba = straight(Picture(color=over_black, alpha=alpha))
    np.testing.assert_array_equal(rgba[0, 1:], [[204, 102, 51, 128], [204, 102, 51, 255]])
    assert rgba[0, 0, 3] == 0
