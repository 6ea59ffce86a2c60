"""Avatars to be measured are enrolled as a user's are; one of a clip has the clip's first picture as its portrait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from enrollment import RefineOptions
from models.progress import no_progress
from models.video.reader import open_clip
from server.evaluation import enrollment
from tests.models.video import clips


def test_a_clip_s_avatar_begins_with_its_first_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = open_clip(clips.write(tmp_path / "clip.mp4", [np.full((64, 64, 3), level, np.uint8) for level in (40, 120, 200)]))
    asked: list[tuple[list[NDArray[np.uint8]], Any, dict[str, Any]]] = []

    class Result:
        avatar = object()

    def enroll(photos: list[NDArray[np.uint8]], clip: Any = None, **options: Any) -> Result:
        asked.append((list(photos), clip, options))
        return Result()

    monkeypatch.setattr(enrollment, "enroll", enroll)
    assert enrollment.from_clip(clip, 2, no_progress) is Result.avatar
    (portrait,), used, options = asked[0]
    assert abs(float(portrait.mean()) - 40) < 8 and used is clip and options["quality"] == "standard"
    assert options["refinement"] == RefineOptions(clip_frames=2, verify_person=False)
    assert enrollment.from_photos([portrait], "high", no_progress) is Result.avatar
    assert asked[1][1] is None and asked[1][2]["quality"] == "high"
