"""Recorded clips: what is read is what was recorded, and what is no clip is refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.errors import ClipError
from models.video import tracks
from models.video.reader import open_clip
from tests.models.video import clips
from tests.models.video.clips import BLUE, GREEN, GREY, RED

CLOSE = 6
"""Levels that a lossy codec may change in the middle of a flat area."""


def corners(picture: np.ndarray) -> list[tuple[int, ...]]:
    h, w = picture.shape[:2]
    return [tuple(int(v) for v in picture[y, x]) for y in (h // 4, 3 * h // 4) for x in (w // 4, 3 * w // 4)]


def test_pictures_and_times(tmp_path: Path) -> None:
    pictures = [np.full((48, 64, 3), 40 + 20 * i, np.uint8) for i in range(8)]
    opened = open_clip(clips.write(tmp_path / "a.mp4", pictures, tone="aac"))
    assert (opened.width, opened.height, opened.frame_count, opened.has_audio) == (64, 48, 8, True)
    assert opened.fps == pytest.approx(25)
    read = list(opened.frames())
    assert [t for _, t in read] == pytest.approx([i / 25 for i in range(8)])
    for (rgb, _), picture in zip(read, pictures, strict=True):
        assert rgb.shape == (48, 64, 3) and rgb.dtype == np.uint8 and rgb.flags.c_contiguous
        assert abs(float(rgb.mean()) - float(picture.mean())) < 1.5
    assert len(list(opened.frames())) == 8, "a clip can be read twice"
    for (rgb, seconds), (same, at) in zip(opened.frames(every=3), read[::3], strict=True):
        assert seconds == at and np.array_equal(rgb, same)


def test_rotation_is_honoured(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "a.mp4", [clips.quarters(96, 64, RED, GREEN, BLUE, GREY)] * 3)
    clips.turn_clockwise(path)
    opened = open_clip(path)
    assert (opened.width, opened.height) == (64, 96)
    rgb, _ = next(opened.frames())
    assert rgb.shape == (96, 64, 3)
    np.testing.assert_allclose(corners(rgb), [BLUE, RED, GREY, GREEN], atol=CLOSE)


def test_odd_size(tmp_path: Path) -> None:
    opened = open_clip(clips.write(tmp_path / "a.mkv", [clips.quarters(67, 45, RED, GREEN, BLUE, GREY)] * 2, codec="ffv1"))
    assert (opened.width, opened.height, opened.has_audio) == (67, 45, False)
    rgb, _ = next(opened.frames())
    np.testing.assert_allclose(corners(rgb), [RED, GREEN, BLUE, GREY], atol=CLOSE)


def test_variable_frame_rate_keeps_times(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.2, 0.21, 0.5]
    opened = open_clip(clips.write(tmp_path / "a.mp4", [np.full((32, 32, 3), 99, np.uint8)] * 5, times))
    assert [t for _, t in opened.frames()] == pytest.approx(times, abs=1e-3)


def test_first_picture_is_time_zero(tmp_path: Path) -> None:
    late = clips.write(tmp_path / "a.mkv", [np.full((32, 32, 3), 99, np.uint8)] * 3, [1.5, 1.6, 1.7], tone="aac")
    assert [t for _, t in open_clip(late).frames()] == pytest.approx([0, 0.1, 0.2], abs=2e-3)


def test_size_is_checked_before_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = clips.write(tmp_path / "a.mp4", [np.zeros((32, 64, 3), np.uint8)] * 2)
    monkeypatch.setattr(tracks, "MAX_SIDE", 48)
    with pytest.raises(ClipError, match=r"at most 48x48 pixels was expected, a\.mp4 has 64x32"):
        open_clip(path)


def test_sound_alone_is_no_clip(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="no picture track"):
        open_clip(clips.write(tmp_path / "a.m4a", [], tone="aac", seconds=0.5))


@pytest.mark.parametrize("content", [b"", b"hello, this is no film\n" * 40, bytes(range(256)) * 8])
def test_not_a_video(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(ClipError, match=r"a\.mp4 is none or is damaged"):
        open_clip(path)


@pytest.mark.parametrize(
    "playlist",
    ["#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile {}\n"],
)
def test_playlists_do_not_reach_other_files(tmp_path: Path, playlist: str) -> None:
    other = clips.write(tmp_path / "other.ts", [np.zeros((32, 32, 3), np.uint8)] * 2)
    path = tmp_path / "a.mp4"
    path.write_text(playlist.format(other))
    with pytest.raises(ClipError):
        open_clip(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.mp4", tmp_path):
        with pytest.raises(ClipError, match="there is none"):
            open_clip(path)


def test_name_that_looks_like_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    clips.write(tmp_path / "a.mp4", [np.zeros((32, 32, 3), np.uint8)] * 2).rename("http:a b#?.mp4")
    assert open_clip("http:a b#?.mp4").width == 32


@pytest.mark.parametrize("part", [0.3, 0.9])
def test_truncated(tmp_path: Path, part: float) -> None:
    """Cut before the index, which MP4 has at the end: nothing can be read."""
    data = clips.write(tmp_path / "a.mp4", noise(20)).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: int(part * len(data))])
    with pytest.raises(ClipError, match="damaged"):
        open_clip(cut)


def test_truncated_with_the_index_in_front(tmp_path: Path) -> None:
    """The index lists pictures that are not there: what is there is read, then it is said how many."""
    whole = clips.write(tmp_path / "a.mp4", noise(20), options={"movflags": "faststart"})
    data = whole.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 2 // 3])
    read: list[float] = []
    with pytest.raises(ClipError, match=r"cut\.mp4 is damaged"):
        read.extend(seconds for _, seconds in open_clip(tmp_path / "cut.mp4").frames())
    assert 3 <= len(read) < 20


def noise(count: int) -> list[np.ndarray]:
    """Pictures that do not compress, so that a part of the file is a part of the pictures."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(count)]
