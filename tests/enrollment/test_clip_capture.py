"""A clip's portrait, and its frames with pose and expression."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from enrollment import clip_capture
from models import arkit
from models.errors import ClipError
from models.tracking import offline
from models.video.reader import open_clip
from tests.models.video import clips
from tests.server.call.actors import Actor, act, record


def test_the_portrait_is_the_picture_that_looks_straight(clip_file: Path) -> None:
    chosen = clip_capture.select_portrait(open_clip(clip_file))
    differences = [np.abs(rgb.astype(int) - chosen).mean() for rgb, _ in open_clip(clip_file).frames()]
    assert int(np.argmin(differences)) >= 2
    among_two = clip_capture.select_portrait(open_clip(clip_file), most=2)
    differences = [np.abs(rgb.astype(int) - among_two).mean() for rgb, _ in open_clip(clip_file).frames()]
    assert int(np.argmin(differences)) < 2


def test_a_clip_is_thinned_to_a_rate(clip_file: Path) -> None:
    clip = open_clip(clip_file)
    times = [seconds for _, seconds in clip.frames()]
    seen = [[seconds for _, seconds in clip_capture.thinned(clip, 5, clip.fps / part)] for part in (0.1, 1, 2.9, 2, 100)]
    assert seen == [times[:5], times[:5], times[:5:2], times[:5:2], times[:1]]


def test_a_clip_without_a_face_has_no_portrait(tmp_path: Path) -> None:
    empty = clips.write(tmp_path / "empty.mp4", [np.full((128, 128, 3), 90, np.uint8)] * 2)
    with pytest.raises(ClipError, match="shows a face"):
        clip_capture.select_portrait(open_clip(empty))


def test_frames_of_a_clip_are_spread_over_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    actor = Actor(seed=3, spread=0.5)
    pictures = list(open_clip(record(actor, [*act(9)], tmp_path / "actor.mp4")).frames())
    silhouettes = {picture.tobytes(): actor.silhouette(moment) for (picture, _), moment in zip(pictures, act(9), strict=True)}
    matted: list[bytes] = []

    def matte(rgb: np.ndarray, face: object) -> np.ndarray:
        matted.append(rgb.tobytes())
        return silhouettes[rgb.tobytes()].astype(np.float32)

    monkeypatch.setattr(clip_capture, "matte_frame", matte)
    monkeypatch.setattr(offline, "refine_focal", lambda _, first, *__: first)  # as found by landmarks
    mattes: dict[int, np.ndarray] = {4: (255 * silhouettes[pictures[4][0].tobytes()]).astype(np.uint8)}
    capture = clip_capture.capture_clip(lambda: pictures, actor.avatar(), actor.model, verify_person=False, most=3, mattes=mattes)
    assert sorted(mattes) == [0, 4, 8] and len(matted) == 2, "a picture is matted once"
    assert [frame.name for frame in capture.frames] == ["picture 1", "picture 5", "picture 9"]
    assert all(frame.covered(actor.person) > 0.9 for frame in capture.frames)
    jaw = [frame.coefficients[arkit.INDEX["jawOpen"]] for frame in capture.frames]
    assert jaw[2] > jaw[0] + 0.1, "the mouth opens"
