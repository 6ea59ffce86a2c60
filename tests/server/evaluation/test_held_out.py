"""Pictures that are held back are not among those that are learned from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.video.reader import open_clip
from server.evaluation.held_out import GappedClip
from tests.models.video import clips


def test_pictures_held_back_do_not_come(tmp_path: Path) -> None:
    levels = [20, 60, 100, 140, 180, 220]
    clip = open_clip(clips.write(tmp_path / "clip.mp4", [np.full((64, 64, 3), level, np.uint8) for level in levels]))
    gapped = GappedClip.without(clip, {1, 2})
    seen = [(float(rgb.mean()), seconds) for rgb, seconds in gapped.frames()]
    assert np.allclose([level for level, _ in seen], [20, 140, 180, 220], atol=8)
    assert [seconds for _, seconds in seen] == [seconds for i, (_, seconds) in enumerate(clip.frames()) if i not in (1, 2)]
    assert np.allclose([float(rgb.mean()) for rgb, _ in gapped.frames(2)], [20, 180], atol=8)
    assert gapped.fps == pytest.approx(clip.fps * 4 / 6)
